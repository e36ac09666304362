import Testing

@testable import SMS

@Suite struct SenderIDTests {
  @Test(
    "A name of at most 11 characters or a number is a sender",
    arguments: [
      "ACME", "A", "ACME Shop_1", "AT&T", "A+B-C.D", "12345678A", "106", "95588", "+8613800138000", "123456789012345",
    ]
  )
  func accepts(text: String) throws {
    try SenderID.check(text)
  }

  @Test(
    "Anything else is not",
    arguments: [
      "", " ", "ACME Shop 12", "12", "+12", "1234567890123456", "1 2 3", "12+3", "++123", "ÄCME", "ACME!", "AC\u{0}ME",
      "A\nB",
      "中国移动", "１２３４", String(repeating: "A", count: 1_000_000),
    ]
  )
  func refuses(text: String) {
    #expect(code { () throws(MessageError) in try SenderID.check(text) } == "invalid_sender")
  }
}
