import MessageQueue
import RedisClient

// drop.lua, revive.lua, remove.lua
extension SimulatedRedis {
  package mutating func drop(
    _ logged: [[UInt8]],
    keeping bounds: DeadLetterBounds,
    for life: WorkerLife,
    lease: Duration,
    now: Int64
  ) throws(RedisError) -> [[UInt8]]? {
    try look(at: .dead, .stats, .dropping)
    let other = state.dropping.flatMap { $0.expiry > now ? $0.life : nil }
    if other != nil { try look(at: .workers) }
    let otherHolds = other.flatMap(index).flatMap { state.lives[$0].leaseEnd }.map { $0 > now } ?? false

    let most = bounds.count ?? 0
    let age = bounds.age?.milliseconds ?? 0
    let members = state.dead.members
    let gone = logged.compactMap(state.dead.index(ofSealed:)).filter { rank in
      age > 0 && members[rank].score <= now - age || most > 0 && rank < members.count - most
    }
    if !gone.isEmpty {
      try mayRemove()
      for rank in Set(gone).sorted(by: >) { state.dead.remove(at: rank) }
      state.counters.deadDropped += Set(gone).count
    }

    let aged = age > 0 ? state.dead.count(upTo: now - age) : 0
    let surplus = most > 0 ? state.dead.count - most : 0
    var (letters, bytes) = ([[UInt8]](), 0)
    for member in state.dead.members.prefix(min(100, max(aged, surplus, 0))) {
      bytes += member.element.byteCount
      if bytes > MessageQueue.mostBytesPerCall && !letters.isEmpty { break }
      letters.append(member.element.sealed)
    }
    if !letters.isEmpty, let other, other.id != life.id, otherHolds { return nil }
    try mayRemove()
    state.dropping = letters.isEmpty ? nil : Dropping(life: life, expiry: now + lease.milliseconds)
    return letters
  }

  /// - Parameter letters: as they are stored.
  package mutating func revive(_ letters: [[UInt8]]) throws(RedisError) -> Int {
    if letters.isEmpty { return 0 }
    try look(at: .list, .wake, .dead, .stats)
    try mayRemove()
    var revived = 0
    for letter in letters {
      guard let rank = state.dead.index(ofSealed: letter) else { continue }
      let element = state.dead.members[rank].element
      state.dead.remove(at: rank)
      let history = MessageHistory(id: element.history?.id)
      state.waiting.insert(SimulatedElement(history: history, payload: element.payload), at: 0)
      revived += 1
    }
    state.counters.revived += revived
    if revived > 0 && state.wake < 8 { state.wake += 1 }
    return revived
  }

  /// Of letters whose callers gave no ids.
  package mutating func remove(_ letters: [[UInt8]]) throws(RedisError) -> Int {
    if letters.isEmpty { return 0 }
    try look(at: .dead, .stats)
    try mayRemove()
    var removed = 0
    for letter in letters {
      guard let rank = state.dead.index(ofSealed: letter) else { continue }
      state.dead.remove(at: rank)
      removed += 1
    }
    state.counters.deadRemoved += removed
    return removed
  }
}
