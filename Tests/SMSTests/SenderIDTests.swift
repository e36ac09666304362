import Testing

@testable import SMS

@Suite struct SenderIDTests {
  @Test(
    "A name of at most 11 characters, a number, or a signature in any script is a sender",
    arguments: [
      "ACME", "A", "ACME Shop_1", "AT&T", "A+B-C.D", "12345678A", "106", "95588", "+8613800138000", "123456789012345",
      // China's numbers for services: 106, and what is behind it, up to 20 digits.
      "10690000123456789012", "1234567890123456", "中国移动", "【阿里云】", "ÄCME", "Ελλάδα", "شركة", "हिन्दी कंपनी", "می\u{200C}روم",
      "【ACME Shop & Söhne GmbH】", "ACME 公司 (杭州)", "1234567890 123456789 0 公司", String(repeating: "云", count: 32),
    ]
  )
  func accepts(text: String) throws {
    try SenderID.check(text)
  }

  @Test(
    "Anything else is not",
    arguments: [
      "", " ", "ACME Shop 12", "12", "+12", "123456789012345678901", "+1234567890123456", "1 2 3", "12+3", "++123",
      "ACME!",
      "AC\u{0}ME", "A\nB", "１２３４", "【】", "😀", "中国\n移动", "中国\u{202E}移动", "中国\u{200B}移动", "\u{FEFF}中国", "\u{E000}中",
      String(repeating: "云", count: 33), String(repeating: "A", count: 1_000_000),
      String(repeating: "云", count: 1_000_000),
      "ACME Shop & Company of Cologne, 公司",
      // A and a diaeresis apart, which a provider's books do not hold.
      "A\u{308}CME",
    ]
  )
  func refuses(text: String) {
    #expect(code { () throws(MessageError) in try SenderID.check(text) } == "invalid_sender")
  }

  @Test(
    "What is wrong is said, and a number is not shown whole",
    arguments: [
      ("A name that is too long", "23 characters"), ("中国\u{202E}移动", "U+202E"), ("A\u{308}CME", "NFC"),
      ("【】", "no letter"),
      ("+8613800138000138000", "+86138****8000"),
    ]
  )
  func why(text: String, word: String) throws {
    let error = try #require(throws: MessageError.self) { try SenderID.check(text) }
    #expect(error.description.contains(word), "\(error)")
    #expect(!error.description.contains("13800138000"))
  }
}
