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
  /// Waits until all lines so far have left this process, so that they outlive it, but not for longer than the timeout.
  ///
  /// - Returns: how many lines were thrown away until now, ever; nil when some still wait: the reader stalls, or is gone.
  func flushed(within timeout: Duration) async -> Int?
}

// Dead letters over their bounds: first into the log, then out of Redis. A crash in between has them logged twice; in the
// other order it would lose them.
extension Worker {
  /// After so many bytes of letters it is seen to that they are out: a log's buffer holds some MiB.
  private static let mostUnseen = 256 << 10

  /// To be told of what is about to be settled, whether or not an answer comes: a death may make too many dead letters.
  func noteBurials(_ settlements: [Settlement], _ session: QueueSession) {
    for case .dead in settlements.lazy.map(\.verb) { session.mayHaveSurplus = true }
  }

  func mayDrop(_ session: QueueSession) -> Bool {
    session.mayHaveSurplus && options.deadLetters.areSet && ContinuousClock.now >= session.dropAt
  }

  /// Logs some of the dead letters over the bounds, and removes those that are in the log. Some, because a bound that was
  /// lowered by a hundred thousand must not hold up the lease, nor what is pushed.
  func dropSurplus(_ session: QueueSession) async throws(RedisError) {
    guard mayDrop(session) else { return }
    session.isDropping = true
    let surplus = try await session.queue.drop(
      session.loggedSurplus,
      keeping: options.deadLetters,
      for: session.life,
      lease: options.lease
    )
    session.loggedSurplus = []
    if surplus?.isEmpty == true {
      session.mayHaveSurplus = false
      session.isDropping = false
      return
    }
    if let surplus { session.loggedSurplus = await writeOut(surplus, session) }
    if session.loggedSurplus.isEmpty {
      // Another worker is at it, or this one has no log to write to: then another may be, two leases on.
      session.dropAt = .now + options.lease * 2
    }
  }

  /// - Returns: those of the letters that are in the log, whole. The others were not said, or may be said again.
  private func writeOut(_ letters: [[UInt8]], _ session: QueueSession) async -> [[UInt8]] {
    // A reader that stalls is not given more.
    let lost = await output?.flushed(within: .milliseconds(50))
    if output != nil && lost == nil { return [] }
    // One that does not gets the time for a letter of some MiB, within what the lease can spare.
    let patience = min(.seconds(1), options.lease / 10)
    var (seen, unseenBytes) = (0, 0)
    for (index, letter) in letters.enumerated() {
      report(Element(letter), session)
      unseenBytes += letter.count
      if unseenBytes >= Self.mostUnseen || index == letters.count - 1 {
        guard await output?.flushed(within: patience) == lost else { break }
        (seen, unseenBytes) = (index + 1, 0)
      }
    }
    return Array(letters.prefix(seen))
  }

  private func report(_ letter: Element, _ session: QueueSession) {
    let text = String(validating: letter.payload, as: UTF8.self)
    // Whatever the log leaves out: once it is removed, the letter is nowhere else.
    var logger = logger
    logger.logLevel = min(logger.logLevel, .error)
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
