import MessageQueue
import Testing

@Suite struct MessageEndTests {
  @Test(
    "What is kept of a message is read as it was written",
    arguments: [
      MessageEnd(.sent, attempts: 2, parts: 3, providerID: "SM 1  x"), MessageEnd(.sent, attempts: 1, parts: 1),
      MessageEnd(.expired, attempts: 1), MessageEnd(.cancelled, attempts: 0),
    ]
  )
  func roundTrip(end: MessageEnd) { #expect(MessageEnd(text: end.text) == end) }

  @Test("A provider's id of any length takes no more than its room, and an empty one none")
  func bounds() {
    let long = MessageEnd(.sent, attempts: 1, parts: 1, providerID: String(repeating: "x", count: 1_000_000))
    #expect(long.text.utf8.count < 150)
    #expect(MessageEnd(.sent, attempts: 1, parts: 1, providerID: "").text == "sent 1 1")
  }

  @Test("What is none is not read as one", arguments: ["", "1", "sent", "sent 1", "sent x 1", "gone 1 1"])
  func unreadable(text: String) { #expect(MessageEnd(text: text) == nil) }
}
