import MessageQueue
import RedisClient

// take.lua
extension SimulatedRedis {
  /// For good: what is moved to another queue is not in this model, nor are records, callers' ids and stand-ins.
  package mutating func take(_ messages: [Taking]) throws(RedisError) -> [Taken] {
    if messages.isEmpty { return [] }
    try look(at: .list, .wake, .later, .stats)
    try mayRemove()
    let taken = messages.map { take($0) }
    state.counters.cancelled += taken.count { $0 == .out }
    return taken
  }

  private mutating func take(_ message: Taking) -> Taken {
    switch message.place {
    case .later:
      guard let index = state.later.index(ofSealed: message.stored) else { return .notThere }
      state.later.remove(at: index)
    case .oldest:
      guard state.waiting.last?.sealed == message.stored else { return .notThere }
      state.waiting.removeLast()
    case .list(let newer):
      let places = state.waiting.indices.filter { state.waiting[$0].sealed == message.stored }
      guard let place = places.first(where: { $0 >= newer }), let first = places.first, let last = places.last else {
        return .notThere
      }
      // Of those that are alike the one that is nearest to the end from which LREM looks.
      state.waiting.remove(at: place < state.waiting.count - 1 - place ? first : last)
    }
    return .out
  }
}
