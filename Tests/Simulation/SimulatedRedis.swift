import MessageQueue
import RedisClient

/// Redis with one queue in it, as the scripts of `Sources/MessageQueue/Scripts` leave it: a value, without a clock and without a
/// server.
///
/// Each verb takes and answers what ``MessageQueue``'s verb of the same name does, changes ``state`` as its script changes
/// Redis, and is handed Redis' time. A Redis that goes back to an earlier moment is an assignment of an earlier `state`.
/// SimulationTests hold it against the real scripts, call by call.
///
/// What it leaves out: ids of callers (`--id`), claims under ids that no life of ours gives, leases that older versions wrote,
/// rights (ACL), moves to other queues.
package struct SimulatedRedis: Equatable, Sendable {
  package let queue: String
  package var state = State()
  package var faults = Faults()

  package init(queue: String) { self.queue = queue }

  /// All that Redis keeps.
  package struct State: Equatable, Sendable {
    /// As LRANGE shows them: the newest first, the next in line last.
    package var waiting: [SimulatedElement] = []
    /// How many wake tokens there are.
    package var wake = 0
    package var later = SimulatedSortedSet()
    package var dead = SimulatedSortedSet()
    package var counters = Counters()
    package var isPaused = false
    /// What became of messages that are not here any more, by their ids.
    package var done: [String: String] = [:]
    package var limit: Limit?
    /// Over how many shards pushes are spread; ``Spread/unsharded`` where that key is not there.
    package var spread = Spread.unsharded
    /// How many shards workers are to serve; nil where that key is not there.
    package var served: Int?
    package var dropping: Dropping?
    /// By their ids.
    package var lives: [Life] = []

    package init() {}
  }

  /// What the keys `workers`, `turns`, `health` and `claimed` hold of one life.
  package struct Life: Equatable, Sendable {
    package let life: WorkerLife
    /// Unix ms; 0: fenced; nil: not among the workers.
    package var leaseEnd: Int64?
    package var nextNumber: Int?
    package var health: Health?
    /// By their numbers.
    package var claims: [Claim] = []

    init(_ life: WorkerLife) { self.life = life }

    package var isRegistered: Bool { leaseEnd != nil && leaseEnd != 0 }
  }

  package struct Health: Equatable, Sendable {
    /// When a claim last succeeded, Unix ms.
    package var lastClaim: Int64?
    /// ms.
    package var lease: Int64
  }

  package struct Claim: Equatable, Sendable {
    package let number: Int
    package let element: SimulatedElement
  }

  package struct Counters: Equatable, Sendable {
    package var pushed = 0, sent = 0, retried = 0, expired = 0, recovered = 0, returned = 0, deadTotal = 0, lost = 0
    package var deadDropped = 0, deadRemoved = 0, revived = 0, cancelled = 0
  }

  package struct Limit: Equatable, Sendable {
    package let limit: QueueLimit
    /// What is left, in millionths of a message, and since when, Unix ms; nil before the first claim.
    package var left: (bucket: Int64, since: Int64)?

    package static func == (a: Self, b: Self) -> Bool {
      a.limit == b.limit && a.left?.bucket == b.left?.bucket && a.left?.since == b.left?.since
    }
  }

  package struct Dropping: Equatable, Sendable {
    package let life: WorkerLife
    /// Unix ms.
    package let expiry: Int64
  }

  /// What Redis does not do at the moment.
  package struct Faults: Equatable, Sendable {
    /// At `maxmemory`: what adds is refused, unless the same script has removed before.
    package var isFull = false
    /// A replica: all that writes is refused.
    package var isReadOnly = false
    /// The key is of a wrong type. What it held before is kept for the time after that.
    package var refusedKey: Key?

    package init() {}
  }

  package enum Key: Equatable, Sendable {
    case list, wake, later, dead, stats, workers, turns, health, dropping, spread, served, limit
    case claimed(WorkerLife)
  }

  private static let full = RedisError(
    code: .init(rawValue: "OOM"),
    message: "OOM command not allowed when used memory > 'maxmemory'"
  )
  private static let readOnly = RedisError(
    code: .init(rawValue: "READONLY"),
    message: "READONLY You can't write against a read only replica"
  )
  private static let wrongType = RedisError(
    code: .init(rawValue: "WRONGTYPE"),
    message: "WRONGTYPE Operation against a key holding the wrong kind of value"
  )
}

// What the verbs stand on.
extension SimulatedRedis {
  func refuses(_ key: Key) -> Bool { faults.refusedKey == key }

  /// To be called before a script's first use of a key that minds its type.
  func look(at keys: Key...) throws(RedisError) {
    guard let refused = faults.refusedKey else { return }
    if keys.contains(refused) { throw Self.wrongType }
  }

  /// To be called before a script's first write, where that removes.
  func mayRemove() throws(RedisError) {
    if faults.isReadOnly { throw Self.readOnly }
  }

  /// To be called before a script's first write, where that adds.
  func mayAdd() throws(RedisError) {
    try mayRemove()
    if faults.isFull { throw Self.full }
  }

  /// Where a life stands; nil where no key has anything of it.
  func index(of life: WorkerLife) -> Int? { state.lives.firstIndex { $0.life.id == life.id } }

  mutating func insertedIndex(of life: WorkerLife) -> Int {
    if let index = index(of: life) { return index }
    let index = state.lives.firstIndex { life.id < $0.life.id } ?? state.lives.count
    state.lives.insert(Life(life), at: index)
    return index
  }

  /// A life of which no key has anything is not there.
  mutating func forgetIfEmpty(at index: Int) {
    let life = state.lives[index]
    if life.leaseEnd == nil && life.nextNumber == nil && life.health == nil && life.claims.isEmpty {
      state.lives.remove(at: index)
    }
  }
}

extension SimulatedRedis.Life {
  func index(ofClaim number: Int) -> Int? {
    var (low, high) = (0, claims.count)
    while low < high {
      let middle = (low + high) / 2
      if claims[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low < claims.count && claims[low].number == number ? low : nil
  }

  /// HSET: one under the same number is replaced.
  mutating func add(_ claim: SimulatedRedis.Claim) {
    var index = claims.count
    while index > 0 && claims[index - 1].number >= claim.number { index -= 1 }
    if index < claims.count && claims[index].number == claim.number {
      claims[index] = claim
    } else {
      claims.insert(claim, at: index)
    }
  }
}
