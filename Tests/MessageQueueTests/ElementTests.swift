import MessageQueue
import Testing

@Suite("Element")
struct ElementTests {
  static let payloads: [[UInt8]] = [
    [], [0], [0x0A], [0xFF, 0xFE], bytes("{\"to\":\"+8613800138000\",\"text\":\"你好\"}"), bytes("smsq1 "),
    bytes("smsq1 {\"failures\":5,\"id\":\"x\"}\npayload"), bytes("smsq1 {broken\n"),
    [UInt8](0...255) + [UInt8](repeating: 0, count: 100_000),
  ]

  static let histories = [
    MessageHistory(), MessageHistory(id: "5f-0000000000"),
    MessageHistory(id: "a\nb\"\\}\u{0}你/", failures: 3, crashes: 2),
    MessageHistory(id: "", failures: 1_000_000, crashes: 1_000_000), MessageHistory(claimedAt: 1_795_348_800_000),
  ]

  @Test("What is sealed is read back byte for byte, whatever the payload looks like", arguments: payloads, histories)
  func roundTrip(payload: [UInt8], history: MessageHistory) {
    for reason in [nil, "", "refused: 'x'\nsecond line"] {
      let element = Element(history: history, reason: reason, payload: payload)
      #expect(Element(element.sealed) == element)
    }
  }

  @Test("A header is one line of JSON in front of the payload")
  func format() {
    let element = Element(history: .init(id: "a/1", failures: 1), reason: "why", payload: bytes("{}"))
    #expect(element.sealed == bytes("smsq1 {\"crashes\":0,\"failures\":1,\"id\":\"a/1\",\"reason\":\"why\"}\n{}"))
    #expect(Element(history: .init(), payload: []).sealed == bytes("smsq1 {\"crashes\":0,\"failures\":0}\n"))
    let claimed = Element(history: .init(id: "a", failures: 1, claimedAt: 1_795_348_800_000), payload: bytes("{}"))
    #expect(
      claimed.sealed == bytes("smsq1 {\"claimed_at\":1795348800000,\"crashes\":0,\"failures\":1,\"id\":\"a\"}\n{}")
    )
  }

  @Test(
    "What is no header is payload",
    arguments: [
      "", "smsq1", "smsq1 ", "smsq1 {", "smsq1 {}", "smsq1 {]\nx", "smsq1 {\"id\":1}\nx", "smsq1 {\"failures\":1.5}\nx",
      "smsq1 {\"failures\":99999999999999999999}\nx", "smsq1 {\"failures\":\"1\"}\nx", "smsq1 {} trailing\nx",
      " smsq1 {}\nx", "smsq2 {}\nx", "SMSQ1 {}\nx", "smsq1  {}\nx",
    ]
  )
  func noHeader(text: String) {
    #expect(Element(bytes(text)) == Element(history: MessageHistory(), payload: bytes(text)))
  }

  @Test(
    "A header that somebody else wrote cannot make a message immortal or overflow a count",
    arguments: [
      ("{}", MessageHistory()), ("{\"failures\":-5,\"crashes\":-1}", MessageHistory()),
      (
        "{\"failures\":9223372036854775807,\"crashes\":9223372036854775807}",
        MessageHistory(failures: 1_000_000, crashes: 1_000_000)
      ),
      ("{\"id\":null,\"failures\":null,\"other\":[1]}", MessageHistory()),
      ("{\"failures\":2}\r", MessageHistory(failures: 2)),
    ]
  )
  func hostile(header: String, history: MessageHistory) {
    let element = Element(bytes("smsq1 \(header)\nx"))
    #expect(element == Element(history: history, payload: bytes("x")))
    let message = ClaimedMessage(queue: "q", claimID: "c", history: element.history, payload: element.payload)
    #expect(message.attempt > 0)
    #expect(message.element(failures: 1, crashes: 1).history.failures == history.failures + 1)
  }

  @Test("A payload that only looks like a header is safe once it has been claimed")
  func disguised() {
    let payload = bytes("smsq1 {oops}\n{\"to\":\"+1\"}")
    let message = ClaimedMessage(queue: "q", claimID: "5f-0", history: .init(), payload: payload)
    let envelope = message.element(failures: 1)
    #expect(envelope == Envelope(history: .init(id: "5f-0", failures: 1), payloadSize: payload.count))
  }
}
