import Logging
import MessageQueue
import Synchronization

/// Hands claimed messages to the handler, many at a time, and turns what becomes of each into a settlement and a log line.
final class Dispatcher: Sendable {
  /// What the messages of one claim have in common: an object, because each of them carries it along.
  final class Claims: Sendable {
    /// Of the life that claimed them.
    let lease: LeaseClock
    let finished: FinishedBox
    let tenure: Tenure
    let claimedAt = ContinuousClock.now

    /// - Parameter now: Redis' time at the claim, Unix ms.
    init(lease: LeaseClock, finished: FinishedBox, now: Int64) {
      self.lease = lease
      self.finished = finished
      tenure = Tenure(
        holds: { lease.holds },
        now: { [claimedAt] in now + (ContinuousClock.now - claimedAt).milliseconds }
      )
    }
  }

  private let handler: any MessageHandler
  private let options: WorkerOptions
  private let logger: Logger
  /// Called when there is something to settle again.
  private let ring: @Sendable () -> Void
  /// How much the gateway bears.
  let watch: GatewayWatch
  private let lanes: Lanes<(message: ClaimedMessage, claims: Claims, dispatcher: Dispatcher)>
  private let givenBack = Atomic(0)

  init(
    handler: any MessageHandler,
    options: WorkerOptions,
    logger: Logger,
    ring: @escaping @Sendable () -> Void
  ) {
    self.handler = handler
    self.options = options
    self.logger = logger
    self.ring = ring
    watch = GatewayWatch(
      longestBackoff: options.backoff.max,
      logger: logger,
      startFields: handler.startFields
    )
    lanes = Lanes(lowWater: options.concurrency / 2, runsLow: ring) {
      await $0.dispatcher.dispatch($0.message, $0.claims)
    }
  }

  /// So many messages wait to be begun that there is no hurry to claim more, or to settle: a turn for half of what may be
  /// in hand costs little more than one for a few.
  var hasPlenty: Bool { lanes.hasPlenty }

  /// How many messages were given back because they, or their handlers, were cut short.
  var givenBackCount: Int { givenBack.load(ordering: .relaxed) }

  func start(_ messages: [ClaimedMessage], _ claims: Claims) {
    watch.began(messages.count)
    lanes.add(messages.map { ($0, claims, self) })
  }

  /// Cuts all short that is in hand.
  func cancel() { lanes.cancel() }

  private func dispatch(_ message: ClaimedMessage, _ claims: Claims) async {
    let mayBegin = claims.lease.holds && !Task.isCancelled
    let handled = mayBegin ? await handler.handle(message, during: claims.tenure) : nil
    // Nearly all are sent while nobody watches: that must not cost more than a look.
    let isPlain = if let handled, case .sent = handled.outcome { !watch.isAttentive } else { false }
    let verdict = isPlain ? GatewayWatch.Verdict() : watch.note(handled, begun: claims.claimedAt)
    let finished = Finished(
      settlement: settlement(of: message, handled, verdict),
      lease: claims.lease,
      messageID: handled?.id ?? message.assignedID
    )
    let isNews = claims.finished.put(finished)
    if verdict.holdsBack { takeBack() }
    // In this order: either this sees that the lanes run low, or they do so later and ring then.
    if verdict.holdsBack || isNews && !hasPlenty { ring() }
  }

  /// Has what was not begun go back as it was: other workers may have more luck with their gateways.
  private func takeBack() {
    // All of a queue's at once, so that they go back in one turn and stand in their old order.
    let batches = Dictionary(grouping: lanes.takeWaiting()) { ObjectIdentifier($0.claims.finished) }
    for batch in batches.values {
      batch[0].claims.finished.put(
        batch.map { message, claims, _ in
          let settlement = Settlement(claimID: message.claimID, .back(message.element()))
          return Finished(settlement: settlement, lease: claims.lease, messageID: message.assignedID)
        }
      )
    }
  }

  /// What an outcome means for the queue, and the line that says so.
  ///
  /// - Parameter handled: nil when the message was never started.
  private func settlement(
    of message: ClaimedMessage,
    _ handled: HandledMessage?,
    _ verdict: GatewayWatch.Verdict
  ) -> Settlement {
    guard let handled else { return untouched(message) }

    func fields() -> LogFields {
      var fields = LogFields()
      fields.append("id", .text(handled.id))
      fields.append("queue", .text(message.queue))
      fields.append("attempt", .number(message.attempt))
      handled.appendFields(&fields)
      return fields
    }

    switch handled.outcome {
    case .sent:
      logger.info("sent", metadata: fields().metadata)
      return Settlement(claimID: message.claimID, .sent)

    case .expired:
      logger.notice("expired", metadata: fields().metadata)
      return Settlement(claimID: message.claimID, .expired)

    case .throttled(let reason, _):
      return putOff(message, reason, verdict.after ?? .zero, failures: 0, fields())

    case .retry(let reason, let after):
      return retry(message, reason, after: after, verdict, fields())

    case .unknown(let reason):
      if options.onUnknown == .hold {
        return bury(message, "unknown: it may have been sent: \(reason)", failures: 1, fields())
      }
      return retry(message, reason, after: nil, verdict, fields())

    case .refused(let reason), .invalid(let reason):
      return bury(message, reason, failures: 0, fields())

    case .notStarted:
      return untouched(message)

    case .unfinished:
      givenBack.add(1, ordering: .relaxed)
      if options.afterCrash == .hold || options.onUnknown == .hold {
        return bury(message, "unknown: the worker stopped before the gateway answered", failures: 0, fields())
      }
      logger.warning("given-back", metadata: fields().metadata)
      return Settlement(claimID: message.claimID, .back(message.element()))
    }
  }

  private func untouched(_ message: ClaimedMessage) -> Settlement {
    if Task.isCancelled { givenBack.add(1, ordering: .relaxed) }
    return Settlement(claimID: message.claimID, .back(message.element()))
  }

  private func retry(
    _ message: ClaimedMessage,
    _ reason: String,
    after: Duration?,
    _ verdict: GatewayWatch.Verdict,
    _ fields: LogFields
  ) -> Settlement {
    let failures = message.history.failures + 1
    if verdict.counts && failures >= options.maxAttempts {
      return bury(message, "gave up after \(failures) attempts: \(reason)", failures: 1, fields)
    }
    let delay = max(options.backoff.delay(afterFailures: failures), after ?? .zero, verdict.after ?? .zero)
    return putOff(message, reason, delay, failures: verdict.counts ? 1 : 0, fields)
  }

  private func putOff(
    _ message: ClaimedMessage,
    _ reason: String,
    _ delay: Duration,
    failures: Int,
    _ fields: LogFields
  ) -> Settlement {
    var fields = fields
    fields.append("reason", .text(reason))
    fields.append("retry_in_ms", .number(Int(delay.milliseconds)))
    logger.notice("retry", metadata: fields.metadata)
    return Settlement(claimID: message.claimID, .retry(message.element(failures: failures), after: delay))
  }

  private func bury(
    _ message: ClaimedMessage,
    _ reason: String,
    failures: Int,
    _ fields: LogFields
  ) -> Settlement {
    var fields = fields
    fields.append("reason", .text(reason))
    logger.warning("dead", metadata: fields.metadata)
    return Settlement(claimID: message.claimID, .dead(message.element(failures: failures, reason: reason)))
  }
}
