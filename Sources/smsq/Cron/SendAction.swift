import MessageQueue
import ProcessTable
import SMS
import Worker

/// A `send` row: its parameters are a message, which goes straight to the gateway.
struct SendAction {
  let handler: SMSHandler

  func run(_ row: ClaimedRow) async -> RowOutcome {
    // The worker's own handler, so that a message means the same on both roads.
    let message = ClaimedMessage(
      queue: "process",
      claimID: row.idempotencyKey,
      history: MessageHistory(id: row.idempotencyKey, failures: row.attempt - 1),
      payload: row.parameters
    )
    let tenure = Tenure(holds: { true }, now: { ProcessDatabase.now() })
    switch await handler.handle(message, during: tenure).outcome {
    case .sent: return RowOutcome(.done)
    case .expired: return RowOutcome(.expired(reason: "its expires_at was over before it could be sent"))
    case .throttled(let reason, let after), .retry(let reason, let after):
      return RowOutcome(.retry(reason: reason, after: after))
    case .unknown(let reason): return RowOutcome(.retry(reason: reason, after: nil))
    case .refused(let reason), .invalid(let reason): return RowOutcome(.dead(reason: reason))
    case .unfinished, .notStarted: return RowOutcome(.interrupted)
    }
  }
}
