import Logging
import MessageQueue

// What an outcome means for the queue, and the line that says so. Runs in the handler's task.
extension Worker {
  /// - Parameter handled: nil when the message was never started.
  nonisolated func settle(_ message: ClaimedMessage, _ handled: HandledMessage?) -> Settlement {
    guard let handled else { return Settlement(claimID: message.claimID, .back(message.element())) }

    var fields = handled.fields
    fields["queue"] = "\(message.queue)"
    fields["attempt"] = "\(message.attempt)"
    switch handled.outcome {
    case .sent:
      logger.info("sent", metadata: fields)
      return Settlement(claimID: message.claimID, .sent)

    case .expired:
      logger.notice("expired", metadata: fields)
      return Settlement(claimID: message.claimID, .expired)

    case .retry(let reason, let after):
      let failures = message.history.failures + 1
      fields["reason"] = "\(reason)"
      if failures >= options.maxAttempts {
        return bury(message, "gave up after \(failures) attempts: \(reason)", failures: 1, fields)
      }
      let delay = max(options.backoff.delay(afterFailures: failures), after ?? .zero)
      fields["retry_in_ms"] = "\(delay.milliseconds)"
      logger.notice("retry", metadata: fields)
      return Settlement(claimID: message.claimID, .retry(message.element(failures: 1), after: delay))

    case .dead(let reason):
      return bury(message, reason, failures: 0, fields)

    case .unfinished:
      givenBack.add(1, ordering: .relaxed)
      if options.afterCrash == .hold {
        return bury(message, "unknown: the worker stopped before the gateway answered", failures: 0, fields)
      }
      logger.warning("given-back", metadata: fields)
      return Settlement(claimID: message.claimID, .back(message.element()))
    }
  }

  private nonisolated func bury(
    _ message: ClaimedMessage,
    _ reason: String,
    failures: Int,
    _ fields: Logger.Metadata
  ) -> Settlement {
    var fields = fields
    fields["reason"] = "\(reason)"
    logger.warning("dead", metadata: fields)
    return Settlement(claimID: message.claimID, .dead(message.element(failures: failures, reason: reason)))
  }
}
