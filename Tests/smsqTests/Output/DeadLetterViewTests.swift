import Reports
import Testing

@testable import MessageQueue
@testable import smsq

@Suite("Dead letters as they are shown")
struct DeadLetterViewTests {
  private func view(
    _ payload: [UInt8],
    id: String? = "5f-0000000000",
    reason: String? = "why",
    showNumbers: Bool = false
  ) -> DeadLetterView {
    let element = Element(history: .init(id: id, failures: 2, crashes: 1), reason: reason, payload: payload)
    let letter = DeadLetter(stored: element.sealed, score: "1795348800123")
    return DeadLetterView(letter, queue: QueueName("sms")!, showNumbers: showNumbers)
  }

  private static let payload = [UInt8](#"{"to":"+8613800138000","text":"hi","id":"a"}"#.utf8)

  @Test("A line has time, id, masked number, attempts and reason")
  func line() {
    let rest = "failures=2 crashes=1 reason=why"
    #expect(view(Self.payload).line == "2026-11-22T12:00:00Z id=a to=+86138****8000 \(rest)")
    #expect(view(Self.payload, showNumbers: true).line.contains("to=+8613800138000 "))
    #expect(view([0xFF]).line == "2026-11-22T12:00:00Z id=5f-0000000000 to=- \(rest)")
    #expect(view([], id: nil, reason: nil).line.hasSuffix("id=- to=- failures=2 crashes=1 reason=-"))
  }

  @Test("A line stays one line, and leaves the terminal alone")
  func hostile() {
    let line = view([UInt8](#"{"id":"a\u001b[2J\u202e"}"#.utf8), reason: "one\ntwo\u{9B}").line
    #expect(line.contains(#"id=a\u001b[2J\u202e "#))
    #expect(line.hasSuffix(#"reason=one\u000atwo\u009b"#))
  }

  @Test("The whole letter ends with its payload, line by line")
  func text() {
    let payload = [UInt8](#"{"to":"+8613800138000","id":"a",\#n"text":"\#u{7F}"}"#.utf8)
    #expect(
      view(payload).text == #"""
        id           a
        assigned id  5f-0000000000
        queue        sms
        died         2026-11-22T12:00:00.123Z
        failures     2
        crashes      1
        reason       why
        payload      {"to":"+8613800138000","id":"a",
                     "text":"\u007f"}
        """#
    )
    #expect(view([0xFF, 0x00]).text.hasSuffix("\nbase64       /wA="))
    #expect(view([]).text.hasSuffix("\npayload      "))
  }

  @Test("JSON has everything, and the payload as it can be written")
  func json() throws {
    #expect(
      try JSONLine.encode(view(Self.payload)) == #"{"assigned_id":"5f-0000000000","crashes":1,"#
        + #""died_at":"2026-11-22T12:00:00.123Z","failures":2,"id":"a","#
        + #""payload":"{\"to\":\"+8613800138000\",\"text\":\"hi\",\"id\":\"a\"}","queue":"sms","reason":"why"}"#
    )
    let binary = try JSONLine.encode(view([0xFF, 0x00]))
    #expect(binary.contains(#""payload_base64":"/wA=""#) && !binary.contains(#""payload":"#))
  }

  @Test("Results name what was done")
  func results() throws {
    let sms = QueueName("sms")!
    #expect(
      try JSONLine.encode(DeadActionResult(.retry, queue: sms, matched: 3, done: 2))
        == #"{"matched":3,"queue":"sms","retried":2}"#
    )
    #expect(
      try JSONLine.encode(DeadActionResult(.remove, queue: sms, matched: 0, done: 0))
        == #"{"matched":0,"queue":"sms","removed":0}"#
    )
  }

  @Test("Only a yes is a yes", arguments: [("y", true), (" YES ", true), ("", false), ("n", false), ("yeah", false)])
  func confirmation(answer: String, isYes: Bool) {
    #expect(Confirmation.isYes(answer) == isYes)
  }
}
