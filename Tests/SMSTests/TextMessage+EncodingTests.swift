import Testing

@testable import SMS

@Suite struct TextMessageEncodingTests {
  private func decode(_ payload: [UInt8]) throws -> TextMessage {
    try TextMessage.decode(payload: payload, assignedID: "assigned", defaultCountryCode: nil)
  }

  @Test("The fields are written in one order, and only those that there are")
  func order() throws {
    let to = try PhoneNumber("+8613800138000", defaultCountryCode: nil)
    let full = try TextMessage(
      to: to,
      text: "a/b \"中\"\n\u{1}",
      from: "ACME",
      id: "m-1",
      expiresAt: 1_795_348_800_000,
      queuedAt: 1
    )
    #expect(
      String(decoding: full.encoded(), as: UTF8.self)
        == #"{"id":"m-1","to":"+8613800138000","text":"a/b \"中\"\n\u0001","from":"ACME","#
        + #""expires_at":"2026-11-22T12:00:00Z","queued_at":"1970-01-01T00:00:00.001Z"}"#
    )
    #expect(
      String(decoding: try TextMessage.sample(text: "hi").encoded(), as: UTF8.self)
        == #"{"id":"m-1","to":"+8613800138000","text":"hi"}"#
    )
  }

  @Test("Every message reads back as it was written")
  func roundTrip() throws {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<20_000 {
      var text = ""
      for _ in 0..<Int.random(in: 1...40, using: &random) {
        // From ASCII, from the rest of the BMP, from beyond; surrogates are no scalars.
        let limit = [0x80, 0x800, 0x10000, 0x110000].randomElement(using: &random)!
        if let scalar = Unicode.Scalar(UInt32.random(in: 1..<UInt32(limit), using: &random)) {
          text.unicodeScalars.append(scalar)
        }
      }
      if text.isEmpty { continue }
      let message = try TextMessage(
        to: PhoneNumber("+8613800138000", defaultCountryCode: nil),
        text: text,
        from: [nil, "ACME", "AT&T", "10690"].randomElement(using: &random)!,
        id: "\"\\/ \(random.next())",
        expiresAt: Bool.random(using: &random) ? nil : .random(in: Timestamp.range, using: &random),
        queuedAt: Bool.random(using: &random) ? nil : .random(in: Timestamp.range, using: &random)
      )
      let read = try decode(message.encoded())
      // Equal strings may differ in their scalars, so that the bytes count.
      guard read == message, Array(read.text.utf8) == Array(message.text.utf8) else {
        Issue.record("\(message) reads back as \(read)")
        return
      }
    }
  }
}
