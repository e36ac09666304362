import Testing

@testable import SMS

@Suite struct ForeignPayloadTests {
  private static let message = #"{"to":"+8613900139000","text":"my secret"}"#

  /// A payload, the word that names it, and the code that the error keeps.
  private static let samples: [(payload: [UInt8], word: String, code: String)] = [
    ([0xEF, 0xBB, 0xBF] + utf8(message), "byte order mark", "not_an_object"),
    (utf16(message), "UTF-16", "invalid_json"),
    ([0xFF, 0xFE] + utf16(message), "UTF-16", "invalid_utf8"),
    // igbinary_serialize(["to" => ...]), and of the string that json_encode made
    ([0, 0, 0, 2, 0x14, 2, 0x11, 2] + utf8("to"), "igbinary", "not_an_object"),
    ([0, 0, 0, 2, 0x11, 0x2A] + utf8(message), "igbinary", "not_an_object"),
    // msgpack.packb of the message as a map, as a long string, and as a list
    ([0x82, 0xA2] + utf8("to") + [0xAE] + utf8("+8613900139000"), "MessagePack", "invalid_utf8"),
    ([0xD9, 0x2A] + utf8(message), "MessagePack", "invalid_utf8"),
    ([0x93, 7, 0xAE] + utf8("+8613900139000"), "MessagePack", "invalid_utf8"),
    // cbor2.dumps, bson.dumps, pickle.dumps(protocol=4), Marshal.dump, Java
    ([0xA2, 0x62] + utf8("to") + [0x6E] + utf8("+8613900139000"), "CBOR", "invalid_utf8"),
    ([0x78, 0x2A] + utf8(message), "CBOR", "not_an_object"),
    ([21, 0, 0, 0, 2] + utf8("to") + [0, 7, 0, 0, 0] + utf8("+861390") + [0, 0], "BSON", "not_an_object"),
    ([0x80, 4, 0x95, 0x2E, 0, 0, 0, 0, 0, 0, 0] + utf8("}"), "pickle", "invalid_utf8"),
    ([0x04, 0x08] + utf8("{\u{7}:\u{7}toI\"\u{13}+8613900139000"), "Marshal", "not_an_object"),
    ([0xAC, 0xED, 0, 5, 0x74, 0, 0x2A] + utf8(message), "Java", "invalid_utf8"),
    // gzip, zlib, zstd, and phpredis' LZF and LZ4, whose first bytes stand as they are
    ([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 0xFF], "gzip", "invalid_utf8"),
    ([0x78, 0x9C, 0xAB, 0x56, 0x2A, 0xC9, 0x57, 0xB2, 0x52, 0xD2], "zlib", "invalid_utf8"),
    ([0x28, 0xB5, 0x2F, 0xFD, 0x24, 0x2A, 0x51, 1, 0], "zstd", "invalid_utf8"),
    ([0x1F] + utf8(message).prefix(32) + [9] + utf8(message).dropFirst(32), "LZF", "not_an_object"),
    ([0x1B, 0x2A, 0, 0, 0, 0xF0, 0x1B] + utf8(message), "lz4", "invalid_utf8"),
    // Encoded twice, or once too often
    (utf8(#""{\"to\":\"+8613900139000\",\"text\":\"my secret\"}""#), "encoded twice", "not_an_object"),
    (utf8(#" "\"{\\\"to\\\":\\\"+8613900139000\\\"}\"""#), "encoded twice", "not_an_object"),
    (utf8(#""my secret""#), "a JSON string:", "not_an_object"),
    (utf8(#"[{"to":"+8613900139000","text":"my secret"}]"#), "JSON array", "not_an_object"),
    (utf8(#"s:42:"{"to":"+8613900139000","text":"my secret"}";"#), "encoded twice", "not_an_object"),
    (utf8(#"s:14:"+8613900139000";"#), "PHP's serialize", "not_an_object"),
    (utf8(#"O:8:"stdClass":1:{s:2:"to";s:14:"+8613900139000";}"#), "PHP object", "not_an_object"),
    (utf8("eyJ0byI6Iis4NjEzOTAwMTM5MDAwIiwidGV4dCI6Im15IHNlY3JldCJ9"), "base64", "not_an_object"),
    (utf8("to=%2B8613900139000&text=my+secret"), "a form", "not_an_object"),
    (utf8("<message><to>+8613900139000</to></message>"), "XML", "not_an_object"),
    // GBK
    (utf8(#"{"to":"+8613900139000","text":""#) + [0xC4, 0xE3] + utf8(#""}"#), "at byte 32", "invalid_utf8"),
  ]

  private static func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }
  private static func utf16(_ text: String) -> [UInt8] {
    text.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
  }

  private func error(_ payload: [UInt8], as format: PayloadFormat = .auto) -> MessageError? {
    do throws(MessageError) {
      _ = try TextMessage.decode(payload: payload, as: format, assignedID: "1", defaultCountryCode: "86")
      return nil
    } catch {
      return error
    }
  }

  @Test(
    "A payload of another kind is named, with what to do in the producer, and without what it says",
    arguments: samples.indices
  )
  func named(index: Int) throws {
    let (payload, word, code) = Self.samples[index]
    let error = try #require(self.error(payload))
    #expect(error.code.rawValue == code)
    #expect(error.description.contains(word), "\(error)")
    #expect(!error.description.contains("secret") && !error.description.contains("3900139"), "\(error)")
  }

  @Test("A payload that the worker's --payload leaves out is named as what it is")
  func format() throws {
    let php = Array(#"a:2:{s:6:"mobile";i:13800138000;s:7:"content";s:2:"hi";}"#.utf8)
    #expect(error(php) == nil)
    #expect(try #require(error(php, as: .json)).description.contains("--payload auto or php"))
    #expect(try #require(error(Self.utf8(Self.message), as: .php)).description.contains("--payload auto or json"))
  }

  @Test("What is no kind that is known keeps the error that it had, cut short at any byte")
  func unknown() {
    for payload in ["hello", "{", "null", "13800138000", "a:", "s:", "O:", "<", "eyJ", "x=1"] {
      #expect(error(Self.utf8(payload)) != nil)
    }
    for (payload, _, _) in Self.samples {
      for count in 0..<payload.count { #expect(error(Array(payload[..<count])) != nil) }
    }
  }

  @Test(
    "Where a field is missing, what is there instead is named, and a job of another library told apart",
    arguments: [
      (#"{"mobile":"13800138000","content":"my secret"}"#, "; it has 'mobile', 'content'"),
      (#"{"+8613900139000":"my secret"}"#, "; it has '+86139****9000'"),
      (#"{"class":"Sms","args":["+8613900139000"],"jid":"1","queue":"sms"}"#, "Sidekiq"),
      (#"{"body":"W10=","headers":{"task":"sms"},"properties":{},"content-type":"application/json"}"#, "Celery"),
      (#"{"uuid":"1","displayName":"Sms","job":"CallQueuedHandler@call","data":{}}"#, "Laravel"),
      (#"{"text":"my secret"}"#, "needs 'to' and 'text' or 'template'"),
    ]
  )
  func envelope(payload: String, words: String) throws {
    let error = try #require(self.error(Self.utf8(payload)))
    #expect(error.code == .missingField)
    #expect(error.description.hasSuffix(words) || error.description.contains("a job of \(words)"), "\(error)")
    #expect(!error.description.contains("secret") && !error.description.contains("3900139"))
  }
}
