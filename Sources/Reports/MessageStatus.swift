import MessageQueue
import RedisClient
import SMS
import Wire

/// Where a message is, or what became of it, as people and scripts read it. What does not apply is nil, and not in JSON.
package struct MessageStatus: Sendable, Encodable {
  package enum State: String, Sendable, Encodable {
    case waiting, scheduled, retry, claimed, dead
    /// On its way to another queue.
    case moving
    /// These are over, and are known as long as a worker keeps them.
    case sent, expired, cancelled
    /// Its id was accepted, and no more is known: it is done, or was removed.
    case accepted
    /// Nobody knows the id.
    case unknown
  }

  package let id: String
  package let queue: String
  /// Where it lies, in a queue of several shards.
  package var shard: String?
  package var state: State
  /// How many wait in front of it.
  package var ahead: Int?
  /// RFC 3339, as are all the times.
  package var dueAt: String?
  package var failures: Int?
  package var crashes: Int?
  /// Who has it in hand.
  package var worker: String?
  package var life: String?
  /// How long the worker's lease holds; negative when it has ended.
  package var leaseLeftMs: Int64?
  /// The list that it is on its way to.
  package var to: String?
  package var diedAt: String?
  package var reason: String?
  package var sentAt: String?
  package var expiredAt: String?
  package var cancelledAt: String?
  /// Tries, this one or the last one included.
  package var attempts: Int?
  package var parts: Int?
  /// What the gateway calls it.
  package var providerId: String?
  package var acceptedAt: String?
  /// Until then its id is taken.
  package var idTakenUntil: String?

  init(_ id: String, in queue: QueueName, _ state: State = .unknown) {
    self.id = id
    self.queue = queue.description
    self.state = state
  }

  // MARK: In the queue

  mutating func isAt(_ place: MessagePages.Place, _ found: FoundElement, of all: Int) {
    let history = found.element.history
    if history.failures > 0 { failures = history.failures }
    if history.crashes > 0 { crashes = history.crashes }
    switch place {
    case .waiting:
      state = .waiting
      ahead = max(0, all - 1 - found.place)
    case .scheduled:
      // What was claimed before has its first claim's id, which has a dash; what never was, an id without.
      let wasClaimed = history.failures + history.crashes > 0 || history.id?.contains("-") == true
      state = wasClaimed ? .retry : .scheduled
      failures = wasClaimed ? history.failures : nil
      dueAt = found.time.map(Timestamp.rfc3339)
    case .dead:
      state = .dead
      failures = history.failures
      diedAt = found.time.map(Timestamp.rfc3339)
      reason = found.element.reason
    }
  }

  mutating func isClaimed(_ message: ClaimedMessage, by worker: QueueSnapshot.Worker) {
    state = .claimed
    self.worker = worker.life.name
    life = worker.life.id
    leaseLeftMs = worker.leaseLeft?.milliseconds
    attempts = message.attempt
  }

  mutating func isMoving(to queue: QueueName) {
    state = .moving
    to = queue.description
  }

  // MARK: Not any more

  /// - Returns: whether that tells what became of it.
  mutating func isKnown(_ known: MessageQueue.KnownOfID) -> Bool {
    if let end = known.end, let at = known.endedAt.map(Timestamp.rfc3339) {
      switch end.outcome {
      case .sent: (state, sentAt) = (.sent, at)
      case .expired: (state, expiredAt) = (.expired, at)
      case .cancelled: (state, cancelledAt) = (.cancelled, at)
      }
      attempts = end.attempts
      parts = end.parts
      providerId = end.providerID
      return true
    }
    guard let takenUntil = known.takenUntil else { return false }
    state = .accepted
    acceptedAt = known.acceptedAt.map(Timestamp.rfc3339)
    idTakenUntil = Timestamp.rfc3339(takenUntil)
    return true
  }
}
