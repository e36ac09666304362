import MessageQueue
import Testing
import Worker

@testable import SMS

@Suite struct SMSHandlerTests {
  private static let payload =
    #"{"to":"+8613800138000","text":"my secret","id":"m-1","expires_at":"1970-01-01T00:00:01Z"}"#

  private struct StubGateway: Gateway {
    let name = "stub"
    let answer: @Sendable (TextMessage, Int) async throws -> GatewayAnswer

    func send(_ message: TextMessage, attempt: Int) async throws -> GatewayAnswer {
      try await answer(message, attempt)
    }
  }

  private func handle(
    _ payload: String = payload,
    now: Int64 = 0,
    history: MessageHistory = MessageHistory(),
    showNumbers: Bool = false,
    answer: @escaping @Sendable (TextMessage, Int) async throws -> GatewayAnswer
  ) async -> (outcome: Outcome, fields: [String: String]) {
    let handler = SMSHandler(gateway: StubGateway(answer: answer), defaultCountryCode: "86", showNumbers: showNumbers)
    let claimed = ClaimedMessage(queue: "sms", claimID: "life-1", history: history, payload: Array(payload.utf8))
    let handled = await handler.handle(claimed, now: now)
    var line: LogFields = ["id": .text(handled.id)]
    handled.appendFields(&line)
    let fields = line.list.map { ($0.name, "\($0.value)") }
    for (name, value) in fields { #expect(!value.contains("secret"), "\(name) holds the text") }
    return (handled.outcome, Dictionary(uniqueKeysWithValues: fields))
  }

  @Test("An accepted message is sent, and its fields say so with the number masked")
  func accepted() async {
    let (outcome, fields) = await handle { _, _ in .accepted(providerID: "SM1", segments: 3) }
    #expect(outcome == .sent)
    var rest = fields
    #expect(rest.removeValue(forKey: "ms").flatMap(Int.init) != nil)
    #expect(rest == ["id": "m-1", "to": "+86138****8000", "segments": "3", "gateway": "stub", "provider_id": "SM1"])
  }

  @Test("Numbers are shown in full only where asked for")
  func showNumbers() async {
    let (_, fields) = await handle(showNumbers: true) { _, _ in .accepted(providerID: "SM1", segments: 1) }
    #expect(fields["to"] == "+8613800138000")
  }

  @Test("The gateway gets the attempt's number, and the assigned id when the payload has none")
  func attempt() async {
    let history = MessageHistory(id: "first-claim", failures: 2, crashes: 1)
    let (outcome, fields) = await handle(#"{"to":"13800138000","text":"hi"}"#, history: history) { message, attempt in
      .accepted(providerID: "\(message.id) \(attempt) \(message.to)", segments: 1)
    }
    #expect(outcome == .sent)
    #expect(fields["provider_id"] == "first-claim 4 +8613800138000")
  }

  @Test("A payload that cannot be read goes to the dead letters with the reason")
  func unreadable() async {
    let (outcome, fields) = await handle(#"{"text":"my secret"}"#) { _, _ in
      Issue.record("sent")
      return .accepted(providerID: "", segments: 0)
    }
    #expect(outcome == .dead(reason: "missing_field: 'to' is missing: a message needs 'to' and 'text'"))
    #expect(fields["id"] == "life-1")
    #expect(fields["code"] == "missing_field")
  }

  @Test("A message is expired from its expiry on, and not before")
  func expired() async {
    let (before, _) = await handle(now: 999) { _, _ in .accepted(providerID: "", segments: 1) }
    #expect(before == .sent)
    let (after, fields) = await handle(now: 1000) { _, _ in
      Issue.record("sent")
      return .accepted(providerID: "", segments: 0)
    }
    #expect(after == .expired)
    #expect(fields["expires_at"] == "1970-01-01T00:00:01Z")
  }

  @Test("A temporary failure is tried again when the gateway says, a permanent one never")
  func failures() async {
    let (temporary, fields) = await handle { _, _ in
      .temporaryFailure(code: "throttled", reason: "slow down", retryAfter: .seconds(2))
    }
    #expect(temporary == .retry(reason: "throttled: slow down", after: .seconds(2)))
    #expect(fields["code"] == "throttled")
    let (permanent, _) = await handle { _, _ in .permanentFailure(code: "21211", reason: "invalid") }
    #expect(permanent == .dead(reason: "21211: invalid"))
  }

  @Test("A lost answer is tried again, and a cancelled send is unfinished")
  func thrown() async {
    let (lost, fields) = await handle { _, _ in throw GatewayConnectionLost() }
    #expect(lost == .retry(reason: "no_answer: \(GatewayConnectionLost())", after: nil))
    #expect(fields["code"] == "no_answer")
    let (cancelled, _) = await handle { _, _ in throw CancellationError() }
    #expect(cancelled == .unfinished)
  }
}
