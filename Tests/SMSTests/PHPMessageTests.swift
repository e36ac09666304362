import TestSupport
import Testing

@testable import SMS

@Suite struct PHPMessageTests {
  /// Written by PHP 8.2, with the expression that made each.
  static let samples: [(php: String, message: TextMessage)] = [
    (
      // serialize([42, "13800138000", "您好, \"x\";"])
      #"a:3:{i:0;i:42;i:1;s:11:"13800138000";i:2;s:12:"您好, "x";";}"#, message("您好, \"x\";", userID: "42")
    ),
    (
      // serialize([null, 13800138000, "hi"])
      #"a:3:{i:0;N;i:1;i:13800138000;i:2;s:2:"hi";}"#, message("hi")
    ),
    (
      // serialize([1 => "13800138000", 0 => 1, 2 => "x"])
      #"a:3:{i:1;s:11:"13800138000";i:0;i:1;i:2;s:1:"x";}"#, message("x", userID: "1")
    ),
    (
      // serialize(["user_id" => "7", "mobile" => 13800138000, "content" => "Hi é", "x" => [1, 2.5, null, true, ["a" => -1,
      // "n" => NAN, "i" => -INF, "e" => 1e100]]])
      #"a:4:{s:7:"user_id";s:1:"7";s:6:"mobile";i:13800138000;s:7:"content";s:5:"Hi é";s:1:"x";a:5:{i:0;i:1;i:1;d:2.5;"#
        + #"i:2;N;i:3;b:1;i:4;a:4:{s:1:"a";i:-1;s:1:"n";d:NAN;s:1:"i";d:-INF;s:1:"e";d:1.0E+100;}}}"#,
      message("Hi é", userID: "7")
    ),
    (
      // serialize(["content" => "😀", "mobile" => "+86 138-0013-8000"])
      #"a:2:{s:7:"content";s:4:"😀";s:6:"mobile";s:17:"+86 138-0013-8000";}"#, message("😀")
    ),
    (
      // serialize([42, 8613800138000, "hi"])
      #"a:3:{i:0;i:42;i:1;i:8613800138000;i:2;s:2:"hi";}"#, message("hi", userID: "42")
    ),
  ]

  private static func message(_ text: String, userID: String? = nil) -> TextMessage {
    do {
      return try TextMessage(
        to: PhoneNumber("+8613800138000", defaultCountryCode: nil),
        text: text,
        id: "claim-1",
        userID: userID
      )
    } catch {
      preconditionFailure("\(error)")
    }
  }

  private func decode(
    _ payload: String,
    as format: PayloadFormat = .auto,
    countryCode: String? = "86"
  ) throws(MessageError) -> TextMessage {
    try TextMessage.decode(
      payload: Array(payload.utf8),
      as: format,
      assignedID: "claim-1",
      defaultCountryCode: countryCode
    )
  }

  private func code(_ payload: String, as format: PayloadFormat = .auto, countryCode: String? = "86") -> String? {
    SMSTests.code { () throws(MessageError) in try decode(payload, as: format, countryCode: countryCode) }
  }

  @Test("What PHP writes is understood", arguments: samples.indices)
  func understood(index: Int) throws {
    let (php, message) = Self.samples[index]
    #expect(try decode(php) == message)
    #expect(try decode(php, as: .php) == message)
  }

  @Test("Auto takes a payload that begins with a: for PHP, and everything else for JSON")
  func auto() throws {
    #expect(try decode(#" {"to":"13800138000","text":"hi"}"#).text == "hi")
    #expect(code("hello") == "not_an_object")
    #expect(code("a") == "not_an_object")
    #expect(code("a:") == "invalid_php")
    #expect(code(#"{"to":"13800138000","text":"hi"}"#, as: .php) == "invalid_php")
    #expect(code(Self.samples[0].php, as: .json) == "not_an_object")
  }

  @Test("A national number needs a default country code")
  func countryCode() {
    #expect(code(Self.samples[0].php, countryCode: nil) == "no_country_code")
  }

  @Test(
    "What is no message is refused with a code",
    arguments: [
      // serialize(new ArrayObject([1])), as the payload and in it
      (#"O:11:"ArrayObject":4:{i:0;i:0;i:1;a:1:{i:0;i:1;}i:2;a:0:{}i:3;N;}"#, "invalid_php"),
      (#"a:3:{i:0;i:1;i:1;s:11:"13800138000";i:2;O:8:"stdClass":0:{}}"#, "invalid_php"),
      // serialize([E::A]), and with a reference
      (#"a:1:{i:0;E:3:"E:A";}"#, "invalid_php"),
      (#"a:3:{i:0;i:1;i:1;R:2;i:2;s:1:"x";}"#, "invalid_php"),
      (#"a:3:{i:0;i:1;i:1;r:1;i:2;s:1:"x";}"#, "invalid_php"),
      (#"a:3:{i:0;i:1;i:1;C:1:"X":0:{}i:2;s:1:"x";}"#, "invalid_php"),
      (#"a:3:{i:0;i:1;i:1;S:1:"x";i:2;s:1:"x";}"#, "invalid_php"),
      // Neither form
      ("a:0:{}", "missing_field"),
      (#"a:2:{i:1;s:11:"13800138000";i:2;s:1:"x";}"#, "invalid_php"),
      (#"a:4:{i:0;i:1;i:1;s:11:"13800138000";i:2;s:1:"x";i:3;i:1;}"#, "invalid_php"),
      (#"a:3:{i:0;i:1;s:6:"mobile";s:11:"13800138000";s:7:"content";s:1:"x";}"#, "invalid_php"),
      (#"a:2:{s:6:"mobile";s:11:"13800138000";i:2;s:1:"x";}"#, "invalid_php"),
      (#"a:1:{i:-1;i:1;}"#, "invalid_php"),
      // Fields
      (#"a:1:{s:6:"mobile";s:11:"13800138000";}"#, "missing_field"),
      (#"a:2:{s:6:"mobile";N;s:7:"content";s:1:"x";}"#, "missing_field"),
      (#"a:2:{s:6:"mobile";d:13800138000;s:7:"content";s:1:"x";}"#, "wrong_type"),
      (#"a:2:{s:6:"mobile";i:-13800138000;s:7:"content";s:1:"x";}"#, "wrong_type"),
      (#"a:2:{s:6:"mobile";i:13800138000;s:7:"content";i:123456;}"#, "wrong_type"),
      (#"a:2:{s:6:"mobile";i:13800138000;s:7:"content";s:0:"";}"#, "empty_text"),
      (#"a:2:{s:6:"mobile";s:1:"x";s:7:"content";s:1:"x";}"#, "invalid_number"),
      (#"a:3:{i:0;i:1;i:1;i:13800138000;i:1;i:13800138001;}"#, "duplicate_field"),
      (#"a:3:{s:6:"mobile";i:1;s:6:"mobile";i:2;s:7:"content";s:1:"x";}"#, "duplicate_field"),
      // Lengths are bytes, and exact
      (#"a:2:{s:6:"mobile";i:13800138000;s:7:"content";s:2:"您好";}"#, "invalid_php"),
      (#"a:2:{s:6:"mobile";i:13800138000;s:7:"content";s:3:"hi";}"#, "invalid_php"),
      (#"a:2:{s:6:"mobile";i:13800138000;s:7:"content";s:1:"hi";}"#, "invalid_php"),
      (#"a:2:{s:6:"mobile";i:13800138000;s:7:"content";s:02:"hi";}"#, "invalid_php"),
      (#"a:2:{s:6:"mobile";i:13800138000;s:7:"content";s:-2:"hi";}"#, "invalid_php"),
      (#"a:2:{s:6:"mobile";i:013800138000;s:7:"content";s:2:"hi";}"#, "invalid_php"),
      (#"a:2:{s:6:"mobile";i:+13800138000;s:7:"content";s:2:"hi";}"#, "invalid_php"),
      (#"a:2:{s:6:"mobile";i:;s:7:"content";s:2:"hi";}"#, "invalid_php"),
      (#"a:2:{s:6:"mobile";i:99999999999999999999;s:7:"content";s:2:"hi";}"#, "invalid_php"),
      (#"a:1:{s:1:"x";b:2;}"#, "invalid_php"),
      (#"a:1:{s:1:"x";d:0x10;}"#, "invalid_php"),
      (#"a:1:{d:1;i:1;}"#, "invalid_php"),
      // Trailing bytes, and too few pairs
      (samples[0].php + "\n", "invalid_php"),
      (samples[0].php + samples[0].php, "invalid_php"),
      (#"a:2:{i:0;i:42;i:1;s:11:"13800138000";i:2;s:2:"hi";}"#, "invalid_php"),
      (#"a:4:{i:0;i:42;i:1;s:11:"13800138000";i:2;s:2:"hi";}"#, "invalid_php"),
    ]
  )
  func refused(payload: String, expected: String) {
    #expect(code(payload, as: .php) == expected)
  }

  @Test("What is no UTF-8 is refused, and so is what is too large")
  func bytes() {
    let gbk =
      Array(#"a:2:{s:6:"mobile";i:13800138000;s:7:"content";s:4:""#.utf8) + [0xC4, 0xE3, 0xBA, 0xC3]
      + Array("\";}".utf8)
    #expect(
      SMSTests.code { () throws(MessageError) in
        try TextMessage.decode(payload: gbk, assignedID: "1", defaultCountryCode: "86")
      } == "invalid_utf8"
    )
    #expect(code("a:" + String(repeating: "1", count: 1 << 20)) == "payload_too_large")
  }

  @Test("Arrays in each other are read to a depth of 8")
  func depth() {
    func nested(_ depth: Int) -> String {
      let inner = String(repeating: "a:1:{i:0;", count: depth) + "N;" + String(repeating: "}", count: depth)
      return #"a:3:{s:6:"mobile";i:13800138000;s:7:"content";s:1:"x";s:1:"y";"# + inner + "}"
    }
    #expect(code(nested(7)) == nil)
    #expect(code(nested(8)) == "invalid_php")
    #expect(code(nested(50_000)) == "invalid_php")
  }

  @Test("A user's id that is not simple is left out, and the message goes")
  func userID() throws {
    func userID(_ value: String) throws -> String? {
      try decode(#"a:3:{i:0;\#(value)i:1;i:13800138000;i:2;s:2:"hi";}"#).userID
    }
    #expect(try userID("i:-9223372036854775808;") == "-9223372036854775808")
    #expect(try userID("s:4:\"a\nb\u{7F}\";") == nil)
    #expect(try userID("s:64:\"\(String(repeating: "x", count: 64))\";") == String(repeating: "x", count: 64))
    #expect(try userID(#"s:0:"";"#) == nil)
    #expect(try userID("s:65:\"\(String(repeating: "x", count: 65))\";") == nil)
    #expect(try userID("a:0:{}") == nil)
    #expect(try userID("b:1;") == nil)
    #expect(try userID("d:1.5;") == nil)
  }

  @Test("A message cut off at any byte is refused", arguments: samples.indices)
  func truncated(index: Int) {
    let payload = Array(Self.samples[index].php.utf8)
    for count in 0..<payload.count {
      let cut = Array(payload[..<count])
      #expect(throws: MessageError.self) {
        try TextMessage.decode(payload: cut, as: .php, assignedID: "1", defaultCountryCode: "86")
      }
    }
  }

  @Test("Claims of huge lengths are refused before anything is allocated")
  func hugeClaims() {
    for claim in ["2147483647", "9223372036854775807", "9223372036854775808", "99999999999999999999999"] {
      #expect(code("a:\(claim):{") == "invalid_php")
      #expect(code("a:\(claim):{i:0;i:1;}") == "invalid_php")
      #expect(code("a:1:{s:\(claim):\"x\";i:1;}") == "invalid_php")
      #expect(code("a:1:{i:0;a:\(claim):{i:0;i:1;}}") == "invalid_php")
    }
  }

  @Test("Fifty thousand mutated messages are read or refused, and nothing worse")
  func mutated() async {
    var random = SeededGenerator(seed: 4)
    let interesting = Array(#"aisbdNOCErR:;{}"0129-"#.utf8)
    var refused = 0
    for round in 0..<50_000 {
      // Other tests wait for the same few threads.
      if round % 50 == 0 { await Task.yield() }
      var payload = Array(Self.samples[round % Self.samples.count].php.utf8)
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 0..<max(1, payload.count), using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0 where !payload.isEmpty: payload.remove(at: index)
        case 1: payload.insert(interesting.randomElement(using: &random)!, at: min(index, payload.count))
        case 2 where !payload.isEmpty: payload[index] = UInt8.random(in: 0...255, using: &random)
        case 3 where !payload.isEmpty: payload[index] = interesting.randomElement(using: &random)!
        default: payload += payload[index...].prefix(20)
        }
      }
      do {
        _ = try TextMessage.decode(payload: payload, as: .php, assignedID: "1", defaultCountryCode: "86")
      } catch {
        refused += 1
        // Numbers do not get into logs and dead letters' reasons; the one in the examples is nobody's.
        let description = error.description.replacing("+8613800138000", with: "")
        if description.contains("13800138000") { Issue.record("\(error)") }
      }
    }
    #expect(refused > 25_000)
    #expect(refused < 50_000)
  }
}
