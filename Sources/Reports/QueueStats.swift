import MessageQueue
import SMS

/// A queue's state, as scripts and people read it.
package struct QueueStats: Sendable, Encodable {
  package struct Worker: Sendable, Encodable {
    package let name: String
    package let life: String
    package let claimed: Int
    /// Nil while it is being recovered; negative when the lease has ended.
    package let leaseLeftMs: Int64?
    /// As of the last renewal of its lease; nil before the first claim.
    package let lastClaimMsAgo: Int64?
  }

  package let queue: String
  package let waiting: Int
  package let scheduled: Int
  package let claimed: Int
  package let dead: Int
  package let paused: Bool
  /// The age of the message that is next in line; nil where nothing waits, or where its producer did not say when.
  package let oldestSeconds: Double?
  package let pushed: Int
  package let sent: Int
  package let retried: Int
  package let expired: Int
  package let recovered: Int
  package let deadTotal: Int
  package let returned: Int
  package let lost: Int
  /// Dead letters that `smsq dead` put back, and that it removed.
  package let revived: Int
  package let deadRemoved: Int
  package let workers: [Worker]

  package init(_ snapshot: QueueSnapshot) {
    queue = snapshot.queue.description
    waiting = snapshot.waiting
    scheduled = snapshot.scheduled
    claimed = snapshot.claimed
    dead = snapshot.dead
    paused = snapshot.paused
    oldestSeconds = snapshot.oldest.flatMap { PayloadGlimpse($0.payload).queuedAt }
      .map { Double(max(0, snapshot.now - $0)) / 1000 }
    func counter(_ name: String) -> Int { snapshot.counters[name] ?? 0 }
    pushed = counter("pushed")
    sent = counter("sent")
    retried = counter("retried")
    expired = counter("expired")
    recovered = counter("recovered")
    deadTotal = counter("dead_total")
    returned = counter("returned")
    lost = counter("lost")
    revived = counter("revived")
    deadRemoved = counter("dead_removed")
    workers = snapshot.workers.map {
      Worker(
        name: $0.life.name,
        life: $0.life.id,
        claimed: $0.claimed,
        leaseLeftMs: $0.leaseLeft?.milliseconds,
        lastClaimMsAgo: $0.lastClaim?.milliseconds
      )
    }
  }

  private enum CodingKeys: String, CodingKey {
    case queue, waiting, scheduled, claimed, dead, paused, oldestSeconds
    case pushed, sent, retried, expired, recovered, deadTotal, returned, lost, revived, deadRemoved, workers
  }

  /// `oldest_seconds` is always there, null where it is not known: a script should not have to ask for the key.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(queue, forKey: .queue)
    try container.encode(waiting, forKey: .waiting)
    try container.encode(scheduled, forKey: .scheduled)
    try container.encode(claimed, forKey: .claimed)
    try container.encode(dead, forKey: .dead)
    try container.encode(paused, forKey: .paused)
    try container.encode(oldestSeconds, forKey: .oldestSeconds)
    try container.encode(pushed, forKey: .pushed)
    try container.encode(sent, forKey: .sent)
    try container.encode(retried, forKey: .retried)
    try container.encode(expired, forKey: .expired)
    try container.encode(recovered, forKey: .recovered)
    try container.encode(deadTotal, forKey: .deadTotal)
    try container.encode(returned, forKey: .returned)
    try container.encode(lost, forKey: .lost)
    try container.encode(revived, forKey: .revived)
    try container.encode(deadRemoved, forKey: .deadRemoved)
    try container.encode(workers, forKey: .workers)
  }
}
