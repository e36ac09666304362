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
    switch await handler.handle(message, now: ProcessDatabase.now()).outcome {
    case .sent: return RowOutcome(.done)
    case .expired: return RowOutcome(.expired(reason: "its expires_at was over before it could be sent"))
    case .retry(let reason, let after): return RowOutcome(.retry(reason: reason, after: after))
    case .dead(let reason): return RowOutcome(.dead(reason: reason))
    case .unfinished: return RowOutcome(.interrupted)
    }
  }
}
