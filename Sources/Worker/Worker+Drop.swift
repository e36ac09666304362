import Logging
import MessageQueue
import RedisClient

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Where log lines go.
package protocol LogOutput: Sendable {
  /// Waits for a moment until all lines so far have left this process, so that they outlive it.
  ///
  /// - Returns: how many lines were thrown away until now, ever; nil when some still wait: the reader stalls, or is gone.
  func flushed() async -> Int?
}

// Dead letters over their bounds: first into the log, then out of Redis. A crash in between has them logged twice; in the
// other order it would lose them.
extension Worker {
  /// How many calls one step makes at most: a bound that was lowered by a hundred thousand must not hold up the lease.
  private static let mostDropsPerStep = 5

  /// To be told of what is about to be settled, whether or not an answer comes: a death may make too many dead letters.
  func noteBurials(_ settlements: [Settlement], _ session: QueueSession) {
    for case .dead in settlements.lazy.map(\.verb) { session.mayHaveSurplus = true }
  }

  func mayDrop(_ session: QueueSession) -> Bool { session.mayHaveSurplus && ContinuousClock.now >= session.dropAt }

  /// Logs dead letters over the bounds, and removes those that are in the log.
  func dropSurplus(_ session: QueueSession) async throws(RedisError) {
    for _ in 0..<Self.mostDropsPerStep where mayDrop(session) {
      let surplus = try await session.queue.drop(
        session.loggedSurplus,
        keeping: options.deadLetters,
        for: session.life,
        lease: options.lease
      )
      session.loggedSurplus = []
      if surplus?.isEmpty == true {
        session.mayHaveSurplus = false
      } else if let surplus, await writeOut(surplus, session) {
        session.loggedSurplus = surplus
      } else {
        // Another worker is at it, or this one has no log to write to: then another may be, two leases on.
        session.dropAt = .now + options.lease * 2
      }
    }
  }

  /// - Returns: whether the letters are in the log, whole. If not, they were not even said, or may be said again.
  private func writeOut(_ letters: [[UInt8]], _ session: QueueSession) async -> Bool {
    let lost = await output?.flushed()
    if output != nil && lost == nil { return false }
    for letter in letters { report(Element(letter), session) }
    return await output?.flushed() == lost
  }

  private func report(_ letter: Element, _ session: QueueSession) {
    let text = String(validating: letter.payload, as: UTF8.self)
    logger.error(
      "dead-dropped",
      metadata: [
        "id": "\(letter.history.id ?? "")",
        "queue": "\(session.queue.name)",
        "reason": "\(letter.reason ?? "")",
        text == nil ? "payload_base64" : "payload": "\(text ?? Data(letter.payload).base64EncodedString())",
      ]
    )
  }
}
