import Logging
import MessageQueue
import Synchronization

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Hands claimed messages to the handler, many at a time, and turns what becomes of each into a settlement and a log line.
final class Dispatcher: Sendable {
  /// What the messages of one claim have in common: an object, because each of them carries it along.
  final class Claims: Sendable {
    /// Of the life that claimed them.
    let lease: LeaseClock
    /// Which of the queue's lives that is, counted from 0.
    let lifeNumber: Int
    /// Where their outcomes go.
    let inbox: Inbox
    let tenure: Tenure
    let claimedAt = Instant.now

    /// - Parameter now: Redis' time at the claim, Unix ms.
    init(lease: LeaseClock, lifeNumber: Int, inbox: Inbox, now: Int64) {
      self.lease = lease
      self.lifeNumber = lifeNumber
      self.inbox = inbox
      tenure = Tenure(
        holds: { lease.holds },
        now: { [claimedAt] in now + (Instant.now - claimedAt).milliseconds }
      )
    }
  }

  private let handler: any MessageHandler
  private let options: WorkerOptions
  private let logger: Logger
  /// How much the gateway bears.
  let watch: GatewayWatch
  /// What messages were last put off to, Unix ms.
  private let putOffUntil = Atomic<Int64>(0)
  private let lanes: Lanes<(message: ClaimedMessage, claims: Claims, dispatcher: Dispatcher)>

  /// - Parameter runsLow: called when more messages are wanted, and outcomes may be settled again.
  init(
    handler: any MessageHandler,
    options: WorkerOptions,
    logger: Logger,
    runsLow: @escaping @Sendable () -> Void
  ) {
    self.handler = handler
    self.options = options
    self.logger = logger
    watch = GatewayWatch(
      longestBackoff: options.backoff.max,
      logger: logger,
      startFields: handler.startFields
    )
    lanes = Lanes(lowWater: options.concurrency / 2, runsLow: runsLow) {
      await $0.dispatcher.dispatch($0.message, $0.claims)
    }
  }

  /// So many messages wait to be begun that there is no hurry to claim more, or to settle: a turn for half of what may be
  /// in hand costs little more than one for a few.
  var hasPlenty: Bool { lanes.hasPlenty }

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
    let ruling = isPlain ? .sent : ruling(handled?.outcome, of: message, verdict)
    if let handled, let line = ruling.line { log(line, of: message, handled) }
    if !isPlain, case .putOff(let time, let reason) = handled?.outcome { notePutOff(time, reason) }
    var verb = ruling.verb
    if let lifetime = options.keep, let handled { keep(&verb, of: message, handled, for: lifetime) }
    let finished = Finished(
      verb,
      of: message,
      lifeNumber: claims.lifeNumber,
      messageID: handled?.id ?? message.assignedID,
      isCutShort: ruling.isCutShort
    )
    let isNews = claims.inbox.put(finished)
    if verdict.holdsBack { takeBack() }
    // In this order: either this sees that the lanes run low, or they do so later and the loop is woken then.
    if verdict.holdsBack || isNews && !hasPlenty { claims.inbox.wake() }
  }

  /// Has a record written of what is sent or expired. Only for workers that keep such: it takes what the others do not pay.
  private func keep(
    _ verb: inout Settlement.Verb,
    of message: ClaimedMessage,
    _ handled: HandledMessage,
    for lifetime: Duration
  ) {
    let outcome: MessageEnd.Outcome
    switch verb {
    case .sent: outcome = .sent
    case .expired: outcome = .expired
    default: return
    }
    let receipt = handled.receipt
    let end = MessageEnd(
      outcome,
      attempts: message.attempt,
      parts: receipt.parts,
      providerID: receipt.providerID
    )
    verb = .ended(end, id: handled.id, keptFor: lifetime)
  }

  /// Has what was not begun go back as it was: other workers may have more luck with their gateways.
  private func takeBack() {
    // All of a queue's at once, so that they go back in one turn and stand in their old order.
    let batches = Dictionary(grouping: lanes.takeWaiting()) { ObjectIdentifier($0.claims.inbox) }
    for batch in batches.values {
      let inbox = batch[0].claims.inbox
      inbox.put(
        batch.map { message, claims, _ in
          Finished(.back(message.element()), of: message, lifeNumber: claims.lifeNumber)
        }
      )
      inbox.wake()
    }
  }

  private func ruling(
    _ outcome: Outcome?,
    of message: ClaimedMessage,
    _ verdict: GatewayWatch.Verdict
  ) -> Ruling {
    Ruling(
      outcome,
      of: message,
      verdict,
      isCancelled: Task.isCancelled,
      jitter: .random(in: 0..<1),
      options: options
    )
  }

  /// Says that messages are put off, once for each time that they are put off to.
  private func notePutOff(_ time: Int64, _ reason: String) {
    guard putOffUntil.exchange(time, ordering: .relaxed) != time else { return }
    let until = Date(timeIntervalSince1970: Double(time) / 1000).formatted(.iso8601)
    logger.notice("put-off", metadata: ["until": "\(until)", "reason": "\(reason)"])
  }

  private func log(_ line: Ruling.Line, of message: ClaimedMessage, _ handled: HandledMessage) {
    func fields() -> LogFields {
      var fields = LogFields()
      fields.append("id", .text(handled.id))
      fields.append("queue", .text(message.queue))
      fields.append("attempt", .number(message.attempt))
      handled.appendFields(&fields)
      return fields
    }
    switch line {
    case .sent: logger.info("sent", metadata: fields().metadata)
    case .expired: logger.notice("expired", metadata: fields().metadata)
    case .givenBack: logger.warning("given-back", metadata: fields().metadata)
    case .retry(let reason, let after):
      var fields = fields()
      fields.append("reason", .text(reason))
      fields.append("retry_in_ms", .number(Int(after.milliseconds)))
      logger.notice("retry", metadata: fields.metadata)
    case .dead(let reason):
      var fields = fields()
      fields.append("reason", .text(reason))
      logger.warning("dead", metadata: fields.metadata)
    }
  }
}
