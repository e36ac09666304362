import MessageQueue
import ProcessTable
import Worker

/// A `send` row: its parameters are a message, which goes straight to the gateway.
struct SendAction {
  let handler: SMSHandler
  let watch: GatewayWatch
  let onUnknown: WorkerOptions.MayBeSent

  /// How long a row waits in hand for a gateway that throttles; for longer it is left to another run.
  private static let patience = Duration.seconds(5)

  func run(_ row: ClaimedRow) async -> RowOutcome {
    if let waiting = await wait() { return RowOutcome(waiting) }
    // The worker's own handler, so that a message means the same on both roads.
    let message = ClaimedMessage(
      queue: "process",
      claimID: row.idempotencyKey,
      history: MessageHistory(id: row.idempotencyKey, failures: row.attempt - 1),
      payload: row.parameters
    )
    let begun = Instant.now
    let handled = await handler.handle(message, during: Tenure(holds: { true }, now: { ProcessDatabase.now() }))
    return RowOutcome(result(of: handled.outcome, watch.note(handled, begun: begun)))
  }

  /// Waits until the gateway bears another message.
  ///
  /// - Returns: what becomes of the row where that takes too long.
  private func wait() async -> RowOutcome.Result? {
    while !watch.beginsOne() {
      if watch.isLost { return .unavailable(reason: Self.lost) }
      let wait = (watch.next() ?? .now) - .now
      if wait > Self.patience { return .putOff(reason: "the gateway asks to slow down", after: wait) }
      do {
        try await Task.sleep(for: max(wait, .milliseconds(1)))
      } catch {
        return .putOff(reason: "the run had to stop before it was tried", after: .zero)
      }
    }
    return nil
  }

  private func result(of outcome: Outcome, _ verdict: GatewayWatch.Verdict) -> RowOutcome.Result {
    switch outcome {
    case .sent: .done
    case .expired: .expired(reason: "its expires_at was over before it could be sent")
    case .throttled(let reason, _): .putOff(reason: reason, after: verdict.after ?? .zero)
    case .retry(let reason, let after):
      verdict.counts ? .retry(reason: reason, after: after) : .unavailable(reason: "\(Self.lost): \(reason)")
    case .unknown(let reason) where onUnknown == .hold: .dead(reason: "unknown: it may have been sent: \(reason)")
    case .unknown(let reason):
      verdict.counts ? .retry(reason: reason, after: nil) : .unavailable(reason: "\(Self.lost): \(reason)")
    case .refused(let reason), .invalid(let reason): .dead(reason: reason)
    case .unfinished where onUnknown == .hold: .dead(reason: "unknown: the run stopped before the gateway answered")
    case .unfinished: .interrupted
    case .putOff(let time, let reason):
      .putOff(reason: reason, after: .milliseconds(max(0, time - ProcessDatabase.now())))
    case .notStarted: .putOff(reason: "it was not handed over", after: .zero)
    }
  }

  private static let lost = "the gateway fails every try"
}
