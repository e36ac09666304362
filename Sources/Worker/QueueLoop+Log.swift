import Logging
import MessageQueue

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

// What the log says of what has happened: docs/message-path.md has the list.
extension QueueLoop {
  func log(_ note: QueueState.Note) {
    let (logger, queue) = (common.logger, "\(name)")
    switch note {
    case .phase(let phase, let inHand):
      switch phase {
      case .running: break
      case .quiet: logger.notice("quiet", metadata: ["in_hand": "\(inHand)"])
      case .draining: logger.notice("draining", metadata: ["in_hand": "\(inHand)"])
      case .aborting: if inHand > 0 { logger.warning("giving-back", metadata: ["in_hand": "\(inHand)"]) }
      }
    case .superseded(let life, let inHand):
      let hint = "two workers run with the same --name, and this one, the older, ends; give each its own"
      logger.error("superseded", metadata: ["by": "\(life.id)", "in_hand": "\(inHand)", "hint": "\(hint)"])
    case .leaseLost(let why, let inHand):
      logger.error("lease-lost", metadata: ["queue": "\(queue)", "in_hand": "\(inHand)", "hint": "\(why)"])
    case .outcomeLost(let finished):
      logger.error(
        "outcome-lost",
        metadata: [
          "id": "\(finished.messageID)",
          "queue": "\(queue)",
          "outcome": "\(finished.settlement.verb.name)",
          "hint": "the lease had ended; the message is another worker's and may be sent again",
        ]
      )
    case .claimsMissing(let count, let turn):
      let ids = turn.map(\.messageID).joined(separator: ",")
      logger.error("claims-missing", metadata: ["queue": "\(queue)", "missing": "\(count)", "of": "\(ids)"])
    case .claimsUnknown(let count):
      let hint = "Redis has lost that they were settled (a failover, or a crash of it); they may be sent again"
      logger.error("claims-unknown", metadata: ["queue": "\(queue)", "messages": "\(count)", "hint": "\(hint)"])
    case .recovered(let count, let life):
      logger.warning("recovered", metadata: ["queue": "\(queue)", "from": "\(life.id)", "messages": "\(count)"])
    case .buried(let message, let reason, let code):
      // What is too large to be handed out is not to be described either.
      var fields = code == nil ? common.handler.describe(message) : ["id": "\(message.assignedID)"]
      fields["queue"] = "\(queue)"
      fields["attempt"] = "\(message.attempt)"
      if let code { fields["code"] = "\(code)" }
      fields["reason"] = "\(reason)"
      logger.warning("dead", metadata: fields)
    case .arrived(let count):
      logger.debug("claimed", metadata: ["queue": "\(queue)", "messages": "\(count)"])
    case .shards: break
    case .unsafe(let finding):
      logger.warning(
        "redis-unsafe",
        metadata: ["setting": "\(finding.check)", "value": "\(finding.found)", "hint": "\(finding.hint ?? "")"]
      )
    case .redisLost(let error): logger.error("redis-lost", metadata: fields(["error": "\(error)"]))
    case .redisBack(let time): logger.notice("redis-back", metadata: fields(["after": "\(time.inSeconds)"]))
    case .queueError(let error): logger.error("queue-error", metadata: ["queue": "\(queue)", "error": "\(error)"])
    case .queueBack(let time):
      logger.notice("queue-back", metadata: ["queue": "\(queue)", "after": "\(time.inSeconds)"])
    }
  }

  /// With the queue's name where there are several, each with connections of its own.
  private func fields(_ fields: Logger.Metadata) -> Logger.Metadata {
    common.loops.count == 1 ? fields : fields.merging(["queue": "\(name)"]) { $1 }
  }

  // MARK: Dead letters

  /// After so many bytes of letters it is seen to that they are out: a log's buffer holds some MiB.
  private static let mostUnseen = 256 << 10

  /// Writes dead letters to the log, whole.
  ///
  /// - Parameter end: when to stop: the lease is to be renewed.
  /// - Returns: how many are in the log for certain. The others were not said, or may be said again.
  func writeOut(_ letters: [[UInt8]], until end: Instant) async -> Int {
    let output = common.output
    // A reader that stalls is not given more.
    let lost = await output?.flushed(within: .milliseconds(50))
    if output != nil && lost == nil { return 0 }
    // One that does not gets the time for a letter of some MiB, within what the lease can spare.
    let patience = min(.seconds(1), common.options.lease / 10)
    var (seen, unseenBytes) = (0, 0)
    for (index, letter) in letters.enumerated() {
      report(Element(letter))
      unseenBytes += letter.count
      let isLast = index == letters.count - 1 || Instant.now >= end
      if unseenBytes >= Self.mostUnseen || isLast {
        guard await output?.flushed(within: patience) == lost else { break }
        (seen, unseenBytes) = (index + 1, 0)
      }
      if isLast { break }
    }
    return seen
  }

  private func report(_ letter: Element) {
    let text = String(validating: letter.payload, as: UTF8.self)
    // Whatever the log leaves out: once it is removed, the letter is nowhere else.
    var logger = common.logger
    logger.logLevel = min(logger.logLevel, .error)
    logger.error(
      "dead-dropped",
      metadata: [
        "id": "\(letter.history.id ?? "")",
        "queue": "\(name)",
        "reason": "\(letter.reason ?? "")",
        text == nil ? "payload_base64" : "payload": "\(text ?? Data(letter.payload).base64EncodedString())",
      ]
    )
  }
}
