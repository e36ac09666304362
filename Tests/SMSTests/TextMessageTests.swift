import TestSupport
import Testing

@testable import SMS

@Suite struct TextMessageTests {
  @Test("A message that is made knows its segments")
  func segments() throws {
    let message = try TextMessage.sample(text: String(repeating: "a", count: 161))
    #expect(message.segmentation?.segments == 2)
  }

  @Test(
    "A text is refused when it is empty, holds NUL, or is longer than a telephone can join",
    arguments: [
      ("", "empty_text"),
      ("a\u{0}b", "invalid_text"),
      (String(repeating: "a", count: 255 * 153 + 1), "text_too_long"),
      (String(repeating: "中", count: 255 * 67 + 1), "text_too_long"),
      (String(repeating: "a", count: 255 * 153), nil),
      (String(repeating: "中", count: 255 * 67), nil),
      (" ", nil),
    ] as [(String, String?)]
  )
  func text(text: String, expected: String?) throws {
    let to = try PhoneNumber("+8613800138000", defaultCountryCode: nil)
    #expect(code { () throws(MessageError) in try TextMessage(to: to, text: text, id: "1") } == expected)
  }

  @Test(
    "An id is 1 to 128 characters without control characters",
    arguments: [
      ("", "invalid_id"),
      ("a\nb", "invalid_id"),
      ("a\u{7F}", "invalid_id"),
      ("a\u{85}", "invalid_id"),
      (String(repeating: "x", count: 129), "invalid_id"),
      (String(repeating: "x", count: 128), nil),
      ("ordre n° 7 / 订单", nil),
    ] as [(String, String?)]
  )
  func id(id: String, expected: String?) throws {
    let to = try PhoneNumber("+8613800138000", defaultCountryCode: nil)
    #expect(code { () throws(MessageError) in try TextMessage(to: to, text: "hi", id: id) } == expected)
  }
}
