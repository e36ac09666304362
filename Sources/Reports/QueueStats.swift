import MessageQueue
import RedisClient
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
  /// How many messages may be sent in a time, as `100/s`; nil for no limit.
  package let limit: String?
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
  /// Taken out by `smsq cancel` and `smsq purge`, and moved to and from other queues by `smsq move`.
  package let cancelled: Int
  package let purged: Int
  package let movedIn: Int
  package let movedOut: Int
  package let workers: [Worker]
  /// Of a queue of several: each by itself. Nil where there are no others.
  package let shards: [QueueStats]?

  /// A queue as a whole.
  ///
  /// - Returns: what can be had of it, and which of its shards could not be asked.
  /// - Throws: what the first shard said, where nothing can be had.
  package static func all(
    of queue: ShardedQueue
  ) async throws(RedisError) -> (stats: QueueStats, missing: [(shard: QueueName, error: RedisError)]) {
    var (snapshots, missing): ([QueueSnapshot], [(shard: QueueName, error: RedisError)]) = ([], [])
    let count: Int
    do throws(RedisError) {
      let first = try await queue.first.inspect()
      snapshots.append(first)
      count = first.shards.all
    } catch {
      guard let spread = await queue.spreadElsewhere(error) else { throw error }
      missing.append((queue.name, error))
      count = spread.shards
    }
    let others = await queue.each(of: 1..<count) { shard throws(RedisError) in try await shard.inspect() }
    for (number, result) in zip(1..., others) {
      switch result {
      case .success(let snapshot): snapshots.append(snapshot)
      case .failure(let error): missing.append((queue.name.shard(number), error))
      }
    }
    if snapshots.isEmpty { throw missing[0].error }
    return (QueueStats(snapshots, of: queue.name, isSharded: count > 1), missing)
  }

  package init(_ snapshot: QueueSnapshot) { self.init([snapshot], of: snapshot.queue, isSharded: false) }

  /// - Parameters:
  ///   - snapshots: of each shard that could be asked, at least one, in their order.
  ///   - name: the whole queue's.
  ///   - isSharded: whether there are several, though not all of them may be known.
  package init(_ snapshots: [QueueSnapshot], of name: QueueName, isSharded: Bool) {
    func sum(_ count: (QueueSnapshot) -> Int) -> Int { snapshots.reduce(0) { $0 + count($1) } }
    queue = name.description
    waiting = sum(\.waiting)
    scheduled = sum(\.scheduled)
    claimed = sum(\.claimed)
    dead = sum(\.dead)
    paused = snapshots.allSatisfy(\.paused)
    limit = snapshots.compactMap(\.limit).first?.rate.notation
    oldestSeconds = snapshots.compactMap(Self.oldestSeconds).max()
    func counter(_ name: String) -> Int { sum { $0.counters[name] ?? 0 } }
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
    cancelled = counter("cancelled")
    purged = counter("purged")
    movedIn = counter("moved_in")
    movedOut = counter("moved_out")
    workers = Self.workers(snapshots)
    shards = isSharded ? snapshots.map { QueueStats($0) } : nil
  }

  private static func oldestSeconds(_ snapshot: QueueSnapshot) -> Double? {
    snapshot.oldest.flatMap { PayloadGlimpse($0.payload).queuedAt }.map { Double(max(0, snapshot.now - $0)) / 1000 }
  }

  /// Each process once. Of several shards: what it holds of all, under its life in the first one, with what is worst of its leases
  /// and claims.
  private static func workers(_ snapshots: [QueueSnapshot]) -> [Worker] {
    var (order, lives): ([String], [String: [QueueSnapshot.Worker]]) = ([], [:])
    for worker in snapshots.flatMap(\.workers) {
      // Without a process, or in one queue, each life by itself.
      let key =
        snapshots.count == 1 ? worker.life.id : "\(worker.life.name)@\(worker.life.process ?? worker.life.epoch)"
      if lives[key] == nil { order.append(key) }
      lives[key, default: []].append(worker)
    }
    return order.map { key in
      let lives = lives[key] ?? []
      let leases = lives.map { $0.leaseLeft?.milliseconds }
      return Worker(
        name: lives[0].life.name,
        life: lives[0].life.id,
        claimed: lives.reduce(0) { $0 + $1.claimed },
        leaseLeftMs: leases.contains(nil) ? nil : leases.compactMap(\.self).min(),
        lastClaimMsAgo: lives.compactMap { $0.lastClaim?.milliseconds }.max()
      )
    }
  }

  private enum CodingKeys: String, CodingKey {
    case queue, waiting, scheduled, claimed, dead, paused, limit, oldestSeconds
    case pushed, sent, retried, expired, recovered, deadTotal, returned, lost, revived, deadRemoved, workers, shards
    case cancelled, purged, movedIn, movedOut
  }

  /// `oldest_seconds` and `limit` are always there, null where there is none: a script should not have to ask for the key.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(queue, forKey: .queue)
    try container.encode(waiting, forKey: .waiting)
    try container.encode(scheduled, forKey: .scheduled)
    try container.encode(claimed, forKey: .claimed)
    try container.encode(dead, forKey: .dead)
    try container.encode(paused, forKey: .paused)
    try container.encode(limit, forKey: .limit)
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
    try container.encode(cancelled, forKey: .cancelled)
    try container.encode(purged, forKey: .purged)
    try container.encode(movedIn, forKey: .movedIn)
    try container.encode(movedOut, forKey: .movedOut)
    try container.encode(workers, forKey: .workers)
    try container.encodeIfPresent(shards, forKey: .shards)
  }
}
