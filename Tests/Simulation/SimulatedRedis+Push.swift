import MessageQueue
import RedisClient

// What producers do, and what rings.
extension SimulatedRedis {
  /// A plain LPUSH of one message.
  package mutating func lpush(_ bytes: [UInt8]) throws(RedisError) {
    try mayAdd()
    try look(at: .list)
    state.waiting.insert(SimulatedElement(pushed: bytes), at: 0)
  }

  /// A scheduled message must bring an envelope with an id: the real verb would make one up.
  package mutating func enqueue(
    _ messages: [OutgoingMessage],
    maxWaiting: Int = 0,
    spread: Spread = .unsharded,
    now: Int64
  ) throws(RedisError) -> EnqueueResult {
    try look(at: .spread)
    if spread != state.spread && !(spread == .unsharded && state.spread.shards == 1) { return .stale(state.spread) }
    try look(at: .list, .wake)
    var atOnce: [SimulatedElement] = []
    var scheduled: [(SimulatedElement, Int64)] = []
    for message in messages {
      let element = SimulatedElement(pushed: message.payload)
      let due: Int64
      switch message.due {
      case .now: due = 0
      case .after(let delay): due = delay > .zero ? now + delay.milliseconds : 0
      case .at(let time): due = time
      }
      precondition(message.due == .now || element.history?.id != nil, "scheduled without an id")
      if due > now { scheduled.append((element, due)) } else { atOnce.append(element) }
      if due > 0 { try look(at: .later) }
    }
    if maxWaiting > 0, !atOnce.isEmpty, state.waiting.count + atOnce.count > maxWaiting {
      return .full(waiting: state.waiting.count)
    }
    guard !messages.isEmpty else { return .queued(count: 0, waiting: state.waiting.count, duplicates: []) }
    try mayAdd()
    try look(at: .stats)
    state.counters.pushed += messages.count
    state.waiting.insert(contentsOf: atOnce.reversed(), at: 0)
    for (element, due) in scheduled { state.later.add(element, score: due) }
    if !atOnce.isEmpty && state.wake < 8 { state.wake += 1 }
    return .queued(count: messages.count, waiting: state.waiting.count, duplicates: [])
  }

  // reshard.lua
  package mutating func reshard(from known: ShardNumbers, to wanted: ShardNumbers) throws(RedisError) -> ShardNumbers {
    try look(at: .spread, .served)
    let numbers = ShardNumbers(served: state.served ?? 1, spread: state.spread)
    if numbers != known { return numbers }
    try mayRemove()
    (state.spread, state.served) = (wanted.spread, wanted.served)
    return wanted
  }

  // spread.lua
  package mutating func raise(_ spread: Spread) throws(RedisError) -> Spread {
    try look(at: .spread)
    if spread <= state.spread { return state.spread }
    try look(at: .served)
    try mayRemove()
    state.spread = spread
    if state.served ?? 1 < spread.shards { state.served = spread.shards }
    return spread
  }

  /// limit.lua. Who waits for a change is the world's to wake.
  package mutating func setLimit(_ limit: QueueLimit?) throws(RedisError) {
    try look(at: .limit)
    try mayRemove()
    state.limit = limit.map { Limit(limit: $0) }
  }

  /// `SET {sms}:paused 1`.
  package mutating func pause() throws(RedisError) {
    try mayAdd()
    state.isPaused = true
  }

  package mutating func resume() throws(RedisError) {
    try mayRemove()
    state.isPaused = false
  }

  /// `BLPOP {sms}:wake`.
  ///
  /// - Returns: whether it took a token. Else it blocks until there is one.
  package mutating func takeToken() throws(RedisError) -> Bool {
    try mayRemove()
    try look(at: .wake)
    if state.wake == 0 { return false }
    state.wake -= 1
    return true
  }

  /// `BLMOVE sms sms RIGHT RIGHT`, which changes nothing.
  ///
  /// - Returns: whether there is a message. Else it blocks until there is one.
  package func findsMessage() throws(RedisError) -> Bool {
    try mayAdd()
    try look(at: .list)
    return !state.waiting.isEmpty
  }

  /// `LPUSH {sms}:wake 1` and `LTRIM {sms}:wake 0 7`, which Redis carries out behind that BLMOVE, however it ended.
  package mutating func ring() {
    if faults.isReadOnly || faults.isFull || refuses(.wake) { return }
    state.wake = min(state.wake + 1, 8)
  }
}
