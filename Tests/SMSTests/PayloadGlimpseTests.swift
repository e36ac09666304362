import SMS
import Testing

@Suite("PayloadGlimpse")
struct PayloadGlimpseTests {
  @Test(
    "What can be read is shown, whether or not the message is valid",
    arguments: [
      (#"{"to":"+8613800138000","text":"hi","id":"a"}"#, "a", "+86138****8000"),
      (#"{"to":"13800138000"}"#, nil, "138****8000"),
      (#"{"to":"","id":null}"#, nil, ""),
      (#"{"id":"a","to":5}"#, "a", "5"),
      (#"{"id":7,"to":13800138000}"#, "7", "138****8000"),
      (#"{"id":"a","to":5.0}"#, nil, nil),
      ("hello", nil, nil),
      ("", nil, nil),
    ] as [(String, String?, String?)]
  )
  func readable(payload: String, id: String?, to: String?) {
    let glimpse = PayloadGlimpse([UInt8](payload.utf8))
    #expect(glimpse.id == id)
    #expect(glimpse.maskedTo == to)
  }

  @Test(
    "A message's age is known whatever its number is",
    arguments: ["+8613800138000", "13800138000", "4915123456789", "nobody"]
  )
  func queuedAt(number: String) {
    let payload = #"{"to":"\#(number)","text":"hi","queued_at":"2026-11-27T12:00:00Z"}"#
    #expect(PayloadGlimpse([UInt8](payload.utf8)).queuedAt == 1_795_780_800_000)
    #expect(PayloadGlimpse([UInt8](#"{"to":"1","queued_at":"noon"}"#.utf8)).queuedAt == nil)
  }

  @Test("What is no UTF-8 shows nothing")
  func invalid() {
    #expect(PayloadGlimpse([0x7B, 0xFF]).id == nil)
  }
}
