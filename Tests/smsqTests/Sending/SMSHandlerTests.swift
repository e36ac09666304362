import Gateways
import MessageQueue
import SMS
import Synchronization
import Testing
import Worker

@testable import smsq

@Suite struct SMSHandlerTests {
  private static let payload =
    #"{"to":"+8613800138000","text":"my secret","id":"m-1","expires_at":"1970-01-01T00:00:01Z"}"#

  private struct StubGateway: Gateway {
    let name = "stub"
    let answer: @Sendable (TextMessage, Int) async throws -> GatewayAnswer

    func send(_ message: TextMessage, attempt: Attempt) async throws -> GatewayAnswer {
      try await answer(message, attempt.number)
    }
  }

  private func handle(
    _ payload: String = payload,
    now: Int64 = 0,
    times: [Int64] = [],
    history: MessageHistory = MessageHistory(),
    showNumbers: Bool = false,
    maxSegments: Int = 10,
    hours: SendHours? = nil,
    expiresIn: Duration? = nil,
    answer: @escaping @Sendable (TextMessage, Int) async throws -> GatewayAnswer
  ) async -> (outcome: Outcome, fields: [String: String]) {
    let handler = SMSHandler(
      gateway: StubGateway(answer: answer),
      defaultCountryCode: "86",
      showNumbers: showNumbers,
      maxSegments: maxSegments,
      hours: hours,
      expiresIn: expiresIn
    )
    let claimed = ClaimedMessage(queue: "sms", claimID: "life-1", history: history, payload: Array(payload.utf8))
    // Each look at the clock takes the next of the times.
    let clock = Mutex(times)
    let tenure = Tenure(holds: { true }, now: { clock.withLock { $0.isEmpty ? now : $0.removeFirst() } })
    let handled = await handler.handle(claimed, during: tenure)
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

  @Test(
    "A user's id that looks like a telephone number is masked as one, and any other stands as it is",
    arguments: [
      ("13800138000", "138****8000"), ("+8613800138000", "+86138****8000"), ("8613800138000", "86138****8000"),
      ("008613800138000", "008613****8000"), ("138-0013 8000", "138-0****8000"), ("91234567", "91****67"),
      ("+6581234", "+6****34"), ("1234567", "1234567"), ("42", "42"), ("900719925474099312", "900719925474099312"),
      ("u-13800138000", "u-13800138000"), ("f3a9-4711", "f3a9-4711"), ("用户 7", "用户 7"),
    ]
  )
  func userID(userID: String, masked: String) async {
    let payload = #"{"to":"+8613800138000","text":"hi","id":"m-1","user_id":"\#(userID)"}"#
    for (showNumbers, expected) in [(false, masked), (true, userID)] {
      let (_, fields) = await handle(payload, showNumbers: showNumbers) { message, _ in
        #expect(message.userID == userID)
        return .accepted(providerID: "SM1", segments: 1)
      }
      #expect(fields["user_id"] == expected)
    }
  }

  @Test("What turns the direction of a user's id does not turn the log's line, whether or not numbers are shown")
  func invisible() async {
    for showNumbers in [false, true] {
      let payload = #"{"to":"+8613800138000","text":"hi","user_id":"a\u202eb"}"#
      let (_, fields) = await handle(payload, showNumbers: showNumbers) { _, _ in .accepted(providerID: "", segments: 1)
      }
      #expect(fields["user_id"] == "a?b")
    }
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
    #expect(
      outcome == .invalid(reason: "missing_field: 'to' is missing: a message needs 'to' and 'text' or 'template'")
    )
    #expect(fields["id"] == "life-1")
    #expect(fields["code"] == "missing_field")
  }

  @Test("A template has no segments to count, and its line says as many as its provider does")
  func template() async {
    let payload = #"{"to":"+8613800138000","template":"SMS_1","template_params":{"code":"1"}}"#
    for segments in [nil, 2] {
      let (outcome, fields) = await handle(payload, maxSegments: 1) { message, _ in
        #expect(message.content == .template("SMS_1"))
        return .accepted(providerID: "b", segments: segments)
      }
      #expect(outcome == .sent)
      #expect(fields["segments"] == segments.map { "\($0)" })
    }
  }

  @Test("A text of more segments than are allowed is not sent, whatever it is written in, and its line says how many")
  func tooLong() async {
    let text = String(repeating: "secret ", count: 230)
    for payload in [
      #"{"to":"+8613800138000","text":"\#(text)","id":"m-1"}"#,
      #"a:3:{i:0;i:7;i:1;s:11:"13800138000";i:2;s:1610:"\#(text)";}"#,
    ] {
      let (outcome, fields) = await handle(payload) { _, _ in
        Issue.record("sent")
        return .accepted(providerID: "", segments: 0)
      }
      #expect(
        outcome
          == .invalid(
            reason:
              "text_too_long: the text takes 11 segments and --max-segments is 10: shorten it, send several messages, "
              + "or allow more"
          )
      )
      #expect(fields["code"] == "text_too_long" && fields["segments"] == "11" && fields["to"] == "+86138****8000")
      let (allowed, _) = await handle(payload, maxSegments: 11) { _, _ in .accepted(providerID: "", segments: 11) }
      #expect(allowed == .sent)
    }
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

  @Test("A message without an expiry gets one, from its push where that is known, and else from its first claim")
  func standardExpiry() async {
    let plain = #"{"to":"+8613800138000","text":"hi"}"#
    let pushed = #"{"to":"+8613800138000","text":"hi","queued_at":"1970-01-01T00:00:01Z"}"#
    func expiry(_ payload: String, claimedAt: Int64?, now: Int64) async -> (Outcome, Int64?) {
      let expiry = Mutex<Int64?>(nil)
      let history = MessageHistory(claimedAt: claimedAt)
      let (outcome, _) = await handle(payload, now: now, history: history, expiresIn: .seconds(300)) { message, _ in
        expiry.withLock { $0 = message.expiresAt }
        return .accepted(providerID: "", segments: 1)
      }
      return (outcome, expiry.withLock { $0 })
    }
    // The gateway is told as well.
    #expect(await expiry(plain, claimedAt: 5_000, now: 7_000) == (.sent, 305_000))
    #expect(await expiry(plain, claimedAt: 5_000, now: 304_999) == (.sent, 305_000))
    #expect(await expiry(plain, claimedAt: 5_000, now: 305_000) == (.expired, nil))
    #expect(await expiry(plain, claimedAt: nil, now: 305_000) == (.sent, 605_000))
    #expect(await expiry(pushed, claimedAt: 5_000, now: 300_999) == (.sent, 301_000))
    #expect(await expiry(pushed, claimedAt: 5_000, now: 301_000) == (.expired, nil))
    // Its producer's clock is ahead.
    #expect(await expiry(pushed, claimedAt: 500, now: 600) == (.sent, 300_500))
    // What its producer says counts, be it sooner or later.
    #expect(await expiry(Self.payload, claimedAt: 0, now: 999) == (.sent, 1_000))
    #expect(await expiry(Self.payload, claimedAt: 0, now: 1_000) == (.expired, nil))
  }

  @Test("Outside its hours a message is put off to the opening, and expired first where it has expired")
  func sendHours() async {
    let hours = SendHours(SendWindow(start: 8 * 3600, end: 21 * 3600, zone: .utc))
    func handle(at now: Int64, payload: String = #"{"to":"+8613800138000","text":"hi"}"#) async -> Outcome {
      await self.handle(payload, now: now, hours: hours) { _, _ in .accepted(providerID: "", segments: 1) }.outcome
    }
    let reason = "outside --send-window 08:00-21:00@UTC"
    #expect(await handle(at: 0) == .putOff(until: 8 * 3_600_000, reason: reason))
    #expect(await handle(at: 8 * 3_600_000) == .sent)
    #expect(await handle(at: 21 * 3_600_000) == .putOff(until: 32 * 3_600_000, reason: reason))
    #expect(await handle(at: 21 * 3_600_000, payload: Self.payload) == .expired)
    #expect(await handle(at: 0, payload: Self.payload) == .putOff(until: 8 * 3_600_000, reason: reason))
    guard case .invalid = await handle(at: 0, payload: "x") else {
      Issue.record("not invalid")
      return
    }
  }

  @Test("A message that a gateway let wait until the window closed is put off")
  func closedMeanwhile() async {
    let hours = SendHours(SendWindow(start: 0, end: 3600, zone: .utc))
    let (outcome, _) = await handle(
      #"{"to":"+8613800138000","text":"hi"}"#,
      now: 3_600_000,
      times: [3_599_999],
      hours: hours
    ) { _, _ in
      throw NotHandedOver()
    }
    #expect(outcome == .putOff(until: 24 * 3_600_000, reason: "outside --send-window 00:00-01:00@UTC"))
  }

  @Test("What a gateway says of a failure stays what it said")
  func failures() async {
    let (temporary, fields) = await handle { _, _ in
      .temporaryFailure(code: "system_error", reason: "sorry", retryAfter: .seconds(2))
    }
    #expect(temporary == .retry(reason: "system_error: sorry", after: .seconds(2)))
    #expect(fields["code"] == "system_error")
    let (throttled, _) = await handle { _, _ in .throttled(code: "429", reason: "slow down", retryAfter: .seconds(2)) }
    #expect(throttled == .throttled(reason: "429: slow down", after: .seconds(2)))
    let (permanent, _) = await handle { _, _ in .permanentFailure(code: "21211", reason: "invalid") }
    #expect(permanent == .refused(reason: "21211: invalid"))
    let (unknown, unknownFields) = await handle { _, _ in .unknown(code: "timeout", reason: "no answer") }
    #expect(unknown == .unknown(reason: "timeout: no answer"))
    #expect(unknownFields["code"] == "timeout")
  }

  @Test("A message that was not handed over has expired meanwhile, or goes back as it was")
  func notHandedOver() async {
    let (expired, _) = await handle(times: [999, 1000]) { _, _ in throw NotHandedOver() }
    #expect(expired == .expired)
    let (untouched, _) = await handle(times: [998, 999]) { _, _ in throw NotHandedOver() }
    #expect(untouched == .notStarted)
  }

  @Test("After a lost answer it is not known whether it was sent, and a cancelled send is unfinished")
  func thrown() async {
    let (lost, fields) = await handle { _, _ in throw GatewayConnectionLost() }
    #expect(lost == .unknown(reason: "no_answer: \(GatewayConnectionLost())"))
    #expect(fields["code"] == "no_answer")
    let (cancelled, _) = await handle { _, _ in throw CancellationError() }
    #expect(cancelled == .unfinished)
  }
}
