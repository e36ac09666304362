@testable import MessageQueue
import Simulation
import TestSupport

extension SimulatedRedis.State {
  /// What the real Redis holds in this state, byte for byte.
  func values(under keys: QueueKeys) -> [String: RedisDump.Value] {
    var values: [String: RedisDump.Value] = [:]
    func add(_ key: String, _ value: RedisDump.Value, isThere: Bool) { values[key] = isThere ? value : nil }

    add(keys.list, .list(waiting.map(\.sealed)), isThere: !waiting.isEmpty)
    add(keys.wake, .list(Array(repeating: Array("1".utf8), count: wake)), isThere: wake > 0)
    for (key, set) in [(keys.later, later), (keys.dead, dead)] {
      add(key, .sortedSet(set.members.map { ($0.element.sealed, $0.score) }), isThere: set.count > 0)
    }
    add(keys.paused, .string(Array("1".utf8), expiry: -1), isThere: isPaused)
    if let limit {
      let left = limit.left.map { " \($0.bucket) \($0.since)" } ?? ""
      values[keys.limit] = .string(Array((limit.limit.text + left).utf8), expiry: -1)
    }
    add(keys.spread, .string(Array(spread.text.utf8), expiry: -1), isThere: spread != .unsharded)
    for (id, text) in done { values[keys.done(id)] = .string(Array(text.utf8), expiry: -1) }
    if let served { values[keys.served] = .string(Array("\(served)".utf8), expiry: -1) }
    if let dropping { values[keys.dropping] = .string(Array(dropping.life.id.utf8), expiry: -1) }

    let counted = counters.byName.filter { $0.value > 0 }
    add(keys.stats, .hash(counted.mapValues { Array("\($0)".utf8) }), isThere: !counted.isEmpty)

    var workers: [(element: [UInt8], score: Int64)] = []
    var (turns, health) = ([String: [UInt8]](), [String: [UInt8]]())
    for life in lives {
      let id = life.life.id
      if let leaseEnd = life.leaseEnd { workers.append((Array(id.utf8), leaseEnd)) }
      turns[id] = life.nextNumber.map { Array("\($0)".utf8) }
      health[id] = life.health.map { Array("\($0.lastClaim.map { "\($0)" } ?? "-") \($0.lease)".utf8) }
      let claims = life.claims.map { (life.life.claimID($0.number), $0.element.sealed) }
      add(keys.claimed(life.life), .hash(.init(uniqueKeysWithValues: claims)), isThere: !claims.isEmpty)
    }
    workers.sort { $0.score != $1.score ? $0.score < $1.score : $0.element.lexicographicallyPrecedes($1.element) }
    add(keys.workers, .sortedSet(workers), isThere: !workers.isEmpty)
    add(keys.turns, .hash(turns), isThere: !turns.isEmpty)
    add(keys.health, .hash(health), isThere: !health.isEmpty)
    return values
  }
}

extension SimulatedRedis.Counters {
  /// By their fields in `{sms}:stats`.
  var byName: [String: Int] {
    [
      "pushed": pushed, "sent": sent, "retried": retried, "expired": expired, "recovered": recovered,
      "returned": returned, "dead_total": deadTotal, "lost": lost, "dead_dropped": deadDropped,
      "dead_removed": deadRemoved, "revived": revived, "cancelled": cancelled,
    ]
  }
}

extension SimulatedRedis.Key {
  func name(under keys: QueueKeys) -> String {
    switch self {
    case .list: keys.list
    case .wake: keys.wake
    case .later: keys.later
    case .dead: keys.dead
    case .stats: keys.stats
    case .workers: keys.workers
    case .turns: keys.turns
    case .health: keys.health
    case .dropping: keys.dropping
    case .spread: keys.spread
    case .served: keys.served
    case .limit: keys.limit
    case .claimed(let life): keys.claimed(life)
    }
  }
}
