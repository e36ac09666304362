import TestSupport
import Testing
import Wire

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

@testable import SMS

@Suite struct TextMessageDecodingTests {
  private static let full =
    #"{"to":"+8613800138000","text":"Hi \"\u4e2d\ud83d\ude1c\"\n","from":"ACME","id":"m-1","#
    + #""expires_at":"2026-11-22T12:00:00Z","queued_at":"2026-11-22T11:00:00.5+00:00","x":[1,{"y":null}],"z":1e400}"#

  private func decode(_ payload: [UInt8], countryCode: String? = nil) throws(MessageError) -> TextMessage {
    try TextMessage.decode(payload: payload, assignedID: "assigned", defaultCountryCode: countryCode)
  }

  @Test(
    "Whose message it is may be a string or a number, and anything else is nobody's mistake",
    arguments: [
      ("\"u-1\"", "u-1"), ("17", "17"), ("-1.5e3", "-1.5e3"), ("null", nil), ("true", nil), ("{\"a\":[1]}", nil),
      ("[]", nil),
    ] as [(String, String?)]
  )
  func userID(_ json: String, _ expected: String?) throws {
    let payload = #"{"user_id":\#(json),"to":"+8613800138000","text":"hi"}"#
    #expect(try decode(Array(payload.utf8)).userID == expected)
  }

  @Test(
    "Two users are never made one: what books and logs cannot have as it is, they do not have, and the message goes"
  )
  func userIDs() throws {
    func userID(_ text: String) throws -> String? {
      let payload = PreparedMessage.payload([("user_id", text), ("to", "+8613800138000"), ("text", "hi")])
      return try decode(payload).userID
    }
    for text in [String(repeating: "x", count: 64), String(repeating: "é", count: 32), " ", "用户 7"] {
      #expect(try userID(text) == text)
    }
    for text in [
      "", String(repeating: "x", count: 65), String(repeating: "é", count: 33), "a\nb", "a\u{0}", "\u{9B}31m",
    ] {
      #expect(try userID(text) == nil)
    }
    let digits = String(repeating: "1", count: 65)
    let payload = #"{"user_id":\#(digits),"to":"+8613800138000","text":"hi"}"#
    #expect(try decode(Array(payload.utf8)).userID == nil)
  }

  @Test("Integers are taken where they have one meaning, and times in the forms in which libraries write them")
  func numbers() throws {
    let message = try decode(
      Array(
        #"{"to":13800138000,"text":"hi","from":10690000,"id":7,"expires_at":1795348800,"queued_at":1795345200.5}"#.utf8
      ),
      countryCode: "86"
    )
    #expect(message.to.e164 == "+8613800138000")
    #expect(message.from == "10690000")
    #expect(message.id == "7")
    #expect(message.expiresAt == 1_795_348_800_000)
    #expect(message.queuedAt == 1_795_345_200_500)
    for time in ["1795348800", "2026-11-22T12:00:00+0000", "2026-11-22 20:00:00+08"] {
      let payload = PreparedMessage.payload([("to", "+8613800138000"), ("text", "hi"), ("expires_at", time)])
      #expect(try decode(payload).expiresAt == 1_795_348_800_000)
    }
  }

  @Test(
    "A time that cannot be read is told apart, and what may be a number or a text is not told whole",
    arguments: [
      ("1795348800000", "milliseconds"), ("2026-11-22T12:00:00", "no time zone"),
      ("2026-02-30T12:00:00Z", "'2026-02-30T12"),
      ("13800138000", "'138****8000'"), ("+8613800138000", "'+86138****8000'"),
      ("Dear Anna, your code is 123456", "no time"),
      ("300", "RFC 3339"), ("tomorrow", "'tomorrow'"),
    ]
  )
  func times(time: String, word: String) throws {
    let payload = PreparedMessage.payload([("to", "+8613800138001"), ("text", "hi"), ("expires_at", time)])
    let error = try #require(throws: MessageError.self) { try decode(payload) }
    #expect(error.code == .invalidTime)
    #expect(error.description.contains(word), "\(error)")
    #expect(!error.description.contains("3800138000") && !error.description.contains("456"), "\(error)")
  }

  @Test("All fields are read, escapes are resolved, and unknown fields are ignored")
  func allFields() throws {
    let message = try decode(Array(Self.full.utf8))
    #expect(message.to.e164 == "+8613800138000")
    #expect(message.text == "Hi \"中😜\"\n")
    #expect(message.from == "ACME")
    #expect(message.id == "m-1")
    #expect(message.expiresAt == 1_795_348_800_000)
    #expect(message.queuedAt == 1_795_345_200_500)
  }

  @Test("Only to and text are required: the id is then the assigned one")
  func requiredFields() throws {
    let message = try decode(
      Array(" \r\n\t{ \"text\" : \"hi\" , \"to\" : \"138 0013 8000\" , \"id\":null} \n".utf8),
      countryCode: "86"
    )
    #expect(message == (try TextMessage.sample(text: "hi", id: "assigned")))
  }

  @Test(
    "A payload that cannot be read is refused with a code for why",
    arguments: [
      ("", "invalid_json"),
      ("  ", "invalid_json"),
      ("null", "not_an_object"),
      ("[]", "not_an_object"),
      ("\"+8613800138000\"", "not_an_object"),
      ("hello", "not_an_object"),
      ("\u{FEFF}{}", "not_an_object"),
      ("{}", "missing_field"),
      (#"{"to":"+8613800138000"}"#, "missing_field"),
      (#"{"text":"hi"}"#, "missing_field"),
      (#"{"to":null,"text":"hi"}"#, "missing_field"),
      (#"{"to":"","text":"hi"}"#, "missing_field"),
      (#"{"to":1.38e10,"text":"hi"}"#, "wrong_type"),
      (#"{"to":13800138000.0,"text":"hi"}"#, "wrong_type"),
      (#"{"to":-13800138000,"text":"hi"}"#, "wrong_type"),
      (#"{"to":true,"text":"hi"}"#, "wrong_type"),
      (#"{"to":13800138000,"text":"hi"}"#, "no_country_code"),
      (#"{"to":"+8613800138000","text":123456}"#, "wrong_type"),
      (#"{"to":"+8613800138000","text":["hi"]}"#, "wrong_type"),
      (#"{"to":"+8613800138000","text":"hi","id":7.0}"#, "wrong_type"),
      (#"{"to":"+8613800138000","text":"hi","from":{}}"#, "wrong_type"),
      (#"{"to":"+8613800138000","text":"hi","expires_at":true}"#, "wrong_type"),
      (#"{"to":"+8613800138000","text":"hi","expires_at":1795348800000}"#, "invalid_time"),
      (#"{"to":"+8613800138000","text":"hi","expires_at":300}"#, "invalid_time"),
      (#"{"to":"+8613800138000","text":"hi","expires_at":1.7953488e9}"#, "invalid_time"),
      (#"{"to":"+8613800138000","text":"hi","expires_at":-1795348800}"#, "invalid_time"),
      (#"{"to":"+8613800138000","text":""}"#, "empty_text"),
      (#"{"to":"+8613800138000","text":"a\u0000b"}"#, "invalid_text"),
      (#"{"to":"+86138\u00000138000","text":"hi"}"#, "invalid_number"),
      (#"{"to":"13800138000","text":"hi"}"#, "no_country_code"),
      (#"{"to":"+8613800138000","text":"hi","from":"much too long a name"}"#, "invalid_sender"),
      (#"{"to":"+8613800138000","text":"hi","from":""}"#, "invalid_sender"),
      (#"{"to":"+8613800138000","text":"hi","id":""}"#, "invalid_id"),
      (#"{"to":"+8613800138000","text":"hi","id":"a\nb"}"#, "invalid_id"),
      (#"{"to":"+8613800138000","text":"hi","expires_at":"tomorrow"}"#, "invalid_time"),
      (#"{"to":"+8613800138000","expires_at":"tomorrow"}"#, "missing_field"),
      (#"{"to":"+8613800138000","text":"hi","queued_at":"2026-02-30T00:00:00Z"}"#, "invalid_time"),
      (#"{"to":"+8613800138000","text":"hi"} {}"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"hi",}"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"hi","x":[1,]}"#, "invalid_json"),
      (#"{,"to":"+8613800138000","text":"hi"}"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"hi","x":01}"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"hi","x":+1}"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"hi","x":1.}"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"hi","x":NaN}"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"hi","x":nul}"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"hi"// x"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"hi","to":"+8613800138001"}"#, "duplicate_field"),
      (#"{"text":null,"to":"+8613800138000","t\u0065xt":"hi"}"#, "duplicate_field"),
      (#"{'to':'+8613800138000','text':'hi'}"#, "invalid_json"),
      (#"{to:"+8613800138000",text:"hi"}"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"\ud83d"}"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"\ude1c\ud83d"}"#, "invalid_json"),
      (#"{"to":"+8613800138000","text":"\x41"}"#, "invalid_json"),
      ("{\"to\":\"+8613800138000\",\"text\":\"a\nb\"}", "invalid_json"),
      ("{\"to\":\"+8613800138000\",\"text\":\"hi\"}\u{0}", "invalid_json"),
    ] as [(String, String)]
  )
  func refuses(payload: String, expected: String) {
    #expect(code { () throws(MessageError) in try decode(Array(payload.utf8)) } == expected)
  }

  @Test("An id that stood in front of the payload is checked like one in it, unless it gives way to that")
  func assignedID() throws {
    func decode(_ payload: String) throws(MessageError) -> TextMessage {
      try TextMessage.decode(payload: Array(payload.utf8), assignedID: "a\nb", defaultCountryCode: nil)
    }
    #expect(code { () throws(MessageError) in try decode(#"{"to":"+8613800138000","text":"hi"}"#) } == "invalid_id")
    #expect(try decode(#"{"to":"+8613800138000","text":"hi","id":"m-1"}"#).id == "m-1")
  }

  @Test("Invalid UTF-8, UTF-16, and a megabyte are refused")
  func refusesBytes() {
    let start = Array(#"{"to":"+8613800138000","text":""#.utf8)
    for bad: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE4, 0xB8]] {
      let payload = start + bad + Array("\"}".utf8)
      #expect(code { () throws(MessageError) in try decode(payload) } == "invalid_utf8")
    }
    let utf16 = Self.full.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    #expect(code { () throws(MessageError) in try decode(utf16) } == "invalid_json")
    let long = start + Array(repeating: UInt8(ascii: "a"), count: TextMessage.maximumPayloadSize)
    #expect(code { () throws(MessageError) in try decode(long) } == "payload_too_large")
  }

  @Test("Deep nesting is refused, in a field that is read and in one that is not", arguments: ["[", "{\"a\":"])
  func deepNesting(opening: String) {
    for field in ["text", "x"] {
      let nested = String(repeating: opening, count: 100_000)
      let payload = #"{"to":"+8613800138000","text":"hi",""# + field + "\":" + nested
      #expect(code { () throws(MessageError) in try decode(Array(payload.utf8)) } != nil)
    }
  }

  @Test("An error names the field and what to do, and holds neither the text nor the whole number")
  func errors() {
    for payload in [
      #"{"to":"+8613800138000x","text":"my secret"}"#, #"{"to":"+8613800138000","text":"my secret\u0000"}"#,
      #"{"to":"+8613800138000","text":"my secret"#, #"{"to":["+8613800138000"],"text":"my secret"}"#,
    ] {
      do throws(MessageError) {
        _ = try decode(Array(payload.utf8))
        Issue.record("\(payload) was read")
      } catch {
        #expect(!error.description.contains("secret"))
        #expect(!error.description.contains("+8613800138000x"))
        #expect(error.description.contains(": "))
      }
    }
  }

  @Test("A payload cut short at any byte is refused")
  func truncations() {
    let whole = Array(Self.full.utf8)
    for count in 0..<whole.count {
      #expect(code { () throws(MessageError) in try decode(Array(whole[..<count])) } != nil)
    }
  }

  /// The fields as another reader sees them.
  private struct Other: Decodable {
    let to: String, text: String, from: String?, id: String?

    private enum CodingKeys: CodingKey { case to, text, from, id }

    /// Integers as they are read here.
    init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: CodingKeys.self)
      func text(_ key: CodingKeys) throws -> String? {
        if let number = try? values.decode(UInt64.self, forKey: key) { return String(number) }
        return try values.decodeIfPresent(String.self, forKey: key)
      }
      to = try text(.to) ?? ""
      self.text = try text(.text) ?? ""
      from = try text(.from)
      id = try text(.id)
    }
  }

  @Test("Whatever the bytes are, they end in a message that JSONDecoder reads alike, or in an error", arguments: 0..<2)
  func hostilePayloads(seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    let whole = Array(Self.full.utf8)
    let snippets = [
      "{", "}", "[", "]", "\"", "\\", ",", ":", "\\u", "\\ud800", "\\udc00", "1e999999999", "-", "0.", "null", "tru",
      "\"to\":",
      "\u{FEFF}", "😜", "\u{0}",
    ].map { Array($0.utf8) }
    var read = 0
    for _ in 0..<30_000 {
      var payload = whole
      switch Int.random(in: 0..<3, using: &random) {
      case 0:  // nothing but noise
        payload = (0..<Int.random(in: 0..<64, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      case 1:  // bytes changed
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          payload[Int.random(in: 0..<payload.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
      default:  // pieces taken out, put in, said twice
        let start = Int.random(in: 0..<payload.count, using: &random)
        let end = Int.random(in: start...min(payload.count, start + 20), using: &random)
        let piece = snippets.randomElement(using: &random)!
        payload.replaceSubrange(
          start..<end,
          with: Bool.random(using: &random) ? piece : Array(payload[start..<end]) + piece
        )
      }
      do throws(MessageError) {
        let message = try decode(payload)
        // Whatever the payload, they can be put into an object on one line.
        let extras = message.extras.members
        if extras.contains(0x0A) || !isObject([0x7B] + extras + [0x7D]) {
          Issue.record("\(String(decoding: payload, as: UTF8.self)) gave \(String(decoding: extras, as: UTF8.self))")
        }
        let other = try? JSONDecoder().decode(Other.self, from: Data(payload))
        guard let other, other.text == message.text, other.from == message.from, message.id == other.id ?? "assigned"
        else {
          Issue.record("\(String(decoding: payload, as: UTF8.self)) gave \(message) and \(String(describing: other))")
          return
        }
        read += 1
      } catch {
        if error.description.isEmpty { Issue.record("\(payload) gave an empty error") }
      }
    }
    #expect(read > 100)
  }

  private func isObject(_ json: [UInt8]) -> Bool {
    do throws(WireError) {
      var reader = try JSONReader(json)
      while try reader.nextName() != nil { try reader.skipValue() }
      return true
    } catch {
      return false
    }
  }
}
