import RedisClient
import Synchronization

/// The loops of one worker, as they reach each other: one for each queue, or for each of its shards. They come and go.
final class Loops: Sendable {
  struct State {
    /// What they share.
    var hands: Hands
    /// Each loop's, by its place in the hands.
    var inboxes: [Inbox] = []
    /// The connections that each waits on.
    fileprivate var waits: [[RedisConnection]] = []

    /// Whose loops are to look again, each once.
    mutating func takeToTell() -> [Inbox] {
      let places = hands.takeToTell()
      return places.isEmpty ? [] : places.map { inboxes[$0] }
    }
  }

  private let state: Mutex<State>

  init(concurrency: Int) { state = Mutex(State(hands: Hands(concurrency: concurrency, ranks: []))) }

  /// Does not wake anybody, or call Redis.
  func withLock<Value: Sendable>(_ body: (inout State) -> Value) -> Value { state.withLock { body(&$0) } }

  /// How many places there are.
  var count: Int { state.withLock(\.inboxes.count) }

  /// Takes in a loop.
  ///
  /// - Parameters:
  ///   - rank: see ``Hands/open(rank:)``.
  ///   - waits: the connections that it waits on, which may be interrupted.
  /// - Returns: its place in the hands.
  func add(rank: Int, _ inbox: Inbox, waits: [RedisConnection]) -> Int {
    state.withLock { state in
      let place = state.hands.open(rank: rank)
      if place < state.inboxes.count {
        (state.inboxes[place], state.waits[place]) = (inbox, waits)
      } else {
        state.inboxes.append(inbox)
        state.waits.append(waits)
      }
      return place
    }
  }

  /// Has a loop end when it has finished what it has in hand.
  func retire(_ place: Int) {
    state.withLock { state in
      state.hands.retire(place)
      return state.inboxes[place]
    }.wake()
  }

  /// A loop that was retired has ended.
  func remove(_ place: Int) {
    state.withLock { state in
      state.hands.close(place, now: .now)
      // Nobody is to keep its connections.
      state.waits[place] = []
      return state.takeToTell()
    }.forEach { $0.wake() }
  }

  func wakeAll() { for inbox in state.withLock(\.inboxes) { inbox.wake() } }

  /// Ends all waits in Redis, and those that come after.
  func interruptWaits() {
    for wait in state.withLock(\.waits).joined() { wait.interrupt() }
  }
}
