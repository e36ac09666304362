import MessageQueue
import RedisClient

// join.lua, renew.lua, leave.lua
extension SimulatedRedis {
  package mutating func join(_ life: WorkerLife, lease: Duration, now: Int64) throws(RedisError) -> Set<WorkerLife> {
    try look(at: .workers)
    if index(of: life).map({ state.lives[$0].leaseEnd != 0 }) ?? true {
      try mayRemove()
      let index = insertedIndex(of: life)
      let milliseconds = lease.milliseconds
      state.lives[index].leaseEnd = now + milliseconds
      if !refuses(.health) {
        state.lives[index].health = Health(lastClaim: state.lives[index].health?.lastClaim, lease: milliseconds)
      }
    }
    var others: Set<WorkerLife> = []
    for other in state.lives where other.leaseEnd != nil && other.life.name == life.name && other.life.id != life.id {
      others.insert(other.life)
    }
    return others
  }

  package mutating func renew(
    _ life: WorkerLife,
    lease: Duration,
    lastClaim: Duration? = nil,
    now: Int64
  ) throws(RedisError) -> RenewAnswer {
    try look(at: .workers)
    var others: Set<WorkerLife> = []
    for other in state.lives where other.leaseEnd.map({ $0 > now }) ?? false {
      if other.life.name == life.name && other.life.id != life.id { others.insert(other.life) }
    }
    let shards = refuses(.served) ? nil : state.served ?? 1
    guard let index = index(of: life), state.lives[index].isRegistered else {
      return RenewAnswer(isRenewed: false, shards: shards, others: others)
    }
    try mayRemove()
    let milliseconds = lease.milliseconds
    let held = refuses(.claimed(life)) ? 0 : state.lives[index].claims.count
    state.lives[index].leaseEnd = now + milliseconds
    if !refuses(.health) {
      let claimed = lastClaim.map { now - $0.milliseconds } ?? state.lives[index].health?.lastClaim
      state.lives[index].health = Health(lastClaim: claimed, lease: milliseconds)
      for other in state.lives.indices where other != index {
        guard let leaseEnd = state.lives[other].leaseEnd, let health = state.lives[other].health else { continue }
        if leaseEnd > now + health.lease { state.lives[other].leaseEnd = now + health.lease }
      }
    }
    return RenewAnswer(isRenewed: true, held: held, shards: shards, others: others)
  }

  @discardableResult
  package mutating func leave(_ life: WorkerLife) throws(RedisError) -> Int {
    try look(at: .claimed(life), .turns)
    let index = index(of: life)
    let held = index.map { state.lives[$0].claims.count } ?? 0
    if held > 0 { return held }
    try mayRemove()
    try look(at: .workers)
    if let index { strikeOff(at: index) }
    return 0
  }

  /// Its claims are gone by now.
  mutating func strikeOff(at index: Int) {
    state.lives[index].leaseEnd = nil
    state.lives[index].nextNumber = nil
    if !refuses(.health) { state.lives[index].health = nil }
    forgetIfEmpty(at: index)
  }
}
