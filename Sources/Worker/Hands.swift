import MessageQueue
import RedisClient

/// What the queues of one worker share: how many messages are in hand, and who may claim how many more. A pure value.
///
/// A queue may have several shards, each with a loop of its own; to the hands each is a queue. Those of one queue have the same
/// rank: none of them goes before the others, and what there is room for is shared evenly among those that have messages.
///
/// Each queue has a loop of its own, which may be stuck in a call to a Redis that is slow or gone. So what one queue has
/// asked for, or might ask for, counts for the others only until its answer is late.
package struct Hands: Sendable {
  /// What a queue's loop says of itself, for the others.
  struct Standing {
    /// It may have messages, and would claim them now.
    var isWanting = false
    /// A suspect is next in line.
    var isBlocked = false
    /// What its claims that are not answered may bring.
    var reserved = 0
    /// One of these stands behind the bell.
    var isBehindBell = false
    /// When the answer that it waits for is late; nil while it waits for none.
    var lateAt: Instant?
    /// It got less than it wanted, and is to be told of every change.
    var isTold = false
  }

  /// One queue's share.
  private struct Share {
    /// By priority; 0 is the most urgent.
    let rank: Int
    /// It is not served any more, and its loop is to end.
    var isRetired = false
    /// Nobody has this place.
    var isFree = false
    /// When it last asked for messages: counts all that ask.
    var asked = 0
    /// Messages that were handed to handlers and have not come back from them.
    var inHand = 0
    /// Since when a suspect is next in line: nothing more can be claimed there before the worker's hands are empty.
    var blockedSince: Instant?
    // As in ``Standing``.
    var isWanting = false
    var reserved = 0
    var isBehindBell = false
    var lateAt: Instant?
    var isTold = false

    func isLate(_ now: Instant) -> Bool { lateAt.map { $0 <= now } ?? false }
  }

  /// How long a suspect waits for the hands to be empty while a more urgent queue has messages.
  private static let suspectPatience = Duration.seconds(1)
  /// How long an answer takes at most that others wait for.
  static let patience = Duration.milliseconds(250)
  /// How often to look again where another queue's loop cannot tell that it has room to give, because it is stuck.
  private static let stuckPause = Duration.milliseconds(50)

  /// The most messages in hand at once.
  let concurrency: Int
  /// A suspect is in hand, and nothing else may join it.
  private var hasSuspect = false
  private var shares: [Share]
  /// How many places are taken.
  private var openCount: Int
  /// How often any queue has asked for messages.
  private var asks = 0
  /// Who is to look again because of what has changed.
  private var toTell: [Int] = []
  package var stop = Stop()
  /// What was last found unsafe about each queue's Redis.
  private var hazards: [Set<Finding>]

  /// - Parameter ranks: each queue's, as ``open(rank:)`` takes it.
  package init(concurrency: Int, ranks: [Int]) {
    self.concurrency = concurrency
    shares = ranks.map { Share(rank: $0) }
    openCount = ranks.count
    hazards = Array(repeating: [], count: ranks.count)
  }

  /// - Parameter queues: how many, the most urgent first.
  package init(concurrency: Int, queues: Int) { self.init(concurrency: concurrency, ranks: Array(0..<queues)) }

  // MARK: Who there is

  /// Takes in one more queue.
  ///
  /// - Parameter rank: 0 for the most urgent ones.
  /// - Returns: its place, by which it is known here.
  package mutating func open(rank: Int) -> Int {
    openCount += 1
    if let place = shares.firstIndex(where: \.isFree) {
      (shares[place], hazards[place]) = (Share(rank: rank), [])
      return place
    }
    shares.append(Share(rank: rank))
    hazards.append([])
    return shares.count - 1
  }

  /// A queue is not to be served any more: its loop claims nothing, finishes what it has in hand, and ends.
  package mutating func retire(_ queue: Int) { shares[queue].isRetired = true }

  func isRetired(_ queue: Int) -> Bool { shares[queue].isRetired }

  /// The loop of a queue that was retired has ended.
  package mutating func close(_ queue: Int, now: Instant) {
    update(queue, Standing(), now: now)
    guard shares[queue].inHand == 0, !shares[queue].isFree else { return }
    shares[queue].isFree = true
    openCount -= 1
  }

  /// How many messages are in hand, of all queues.
  package var inHand: Int { shares.count == 1 ? shares[0].inHand : shares.reduce(0) { $0 + $1.inHand } }

  /// How many messages of this queue are in hand.
  func inHand(_ queue: Int) -> Int { shares[queue].inHand }

  // MARK: What a queue may claim

  /// How many messages a queue may claim now.
  func room(_ queue: Int, now: Instant) -> Int {
    if hasSuspect { return 0 }
    // A suspect that is next in its queue waits for an empty hand, and must get it: from its own queue and the less urgent
    // ones at once, and in the end from all.
    let taken = taken(besides: queue, now)
    if let overdue = overdue(now) { return overdue == queue && taken == 0 ? concurrency : 0 }
    let rank = shares[queue].rank
    if taken > 0 && shares.contains(where: { $0.rank <= rank && isBlocked($0, now) }) { return 0 }
    if shares.contains(where: { $0.rank < rank && $0.isWanting && !$0.isLate(now) }) { return 0 }
    return fairPart(of: max(0, concurrency - taken), queue, now)
  }

  /// A queue's part of what there is room for, beside others of its rank that have messages, too.
  ///
  /// None has more in hand than falls to each of them. Where there is not even one for each, as with a concurrency of 1, those
  /// come first that have not asked for the longest time.
  private func fairPart(of free: Int, _ queue: Int, _ now: Instant) -> Int {
    if shares.count == 1 { return free }
    let own = shares[queue]
    func competes(_ other: Int) -> Bool {
      other != queue && shares[other].rank == own.rank && shares[other].isWanting && !shares[other].isLate(now)
    }
    let others = shares.indices.count(where: competes)
    if others == 0 { return free }
    let most = (concurrency + others) / (others + 1)
    let before = shares.indices.count {
      competes($0) && shares[$0].asked < own.asked && shares[$0].inHand + shares[$0].reserved < most
    }
    return max(0, min(most - own.inHand, free - before))
  }

  /// Whether nothing is in hand, and nothing on its way to it but for what this queue itself has asked for.
  func isEmpty(besides queue: Int, now: Instant) -> Bool { taken(besides: queue, now) == 0 }

  /// Whether a hand is free for what nobody has asked for yet.
  var hasFreeHand: Bool { !hasSuspect && inHand < concurrency }

  /// How many messages may come with a bell; 0 where none may.
  ///
  /// Of several queues each gets so few that, while it is quiet, the others lose next to nothing by it: a fifth of the room for
  /// all of them together, or half of it where that is too little.
  var mostBehindBell: Int {
    if inHand > 0 || shares.contains(where: { $0.blockedSince != nil }) { return 0 }
    if openCount == 1 { return concurrency }
    let share = max(1, concurrency / (5 * openCount))
    return share * openCount <= concurrency / 2 ? share : 0
  }

  /// Whether messages that have come may be started. Where their answer was long in coming, others may have been given their
  /// room.
  func mayStart(_ count: Int, isSuspect: Bool) -> Bool {
    inHand + count <= concurrency && !hasSuspect && (!isSuspect || inHand == 0)
  }

  /// When to look again though nobody tells; nil where somebody will.
  func lookAgain(_ queue: Int, now: Instant) -> Instant? {
    if shares.count == 1 { return nil }
    var next: Instant?
    for (other, share) in shares.enumerated() {
      if let since = share.blockedSince, since + Self.suspectPatience > now {
        next = min(next ?? since + Self.suspectPatience, since + Self.suspectPatience)
      }
      if other != queue, let lateAt = share.lateAt {
        let look = lateAt > now ? lateAt : now + Self.stuckPause
        next = min(next ?? look, look)
      }
    }
    return next
  }

  private func taken(besides queue: Int, _ now: Instant) -> Int {
    if shares.count == 1 { return shares[0].inHand }
    var sum = 0
    for (other, share) in shares.enumerated() {
      sum += share.inHand
      if other != queue && !share.isLate(now) { sum += share.reserved }
    }
    return sum
  }

  /// A suspect is next in the queue, and nothing but full hands keeps it there.
  private func isBlocked(_ share: Share, _ now: Instant) -> Bool { share.blockedSince != nil && !share.isLate(now) }

  /// The most urgent queue whose suspect has waited for too long.
  private func overdue(_ now: Instant) -> Int? {
    var found: Int?
    for queue in shares.indices
    where isOverdue(queue, now) && shares[queue].rank < found.map({ shares[$0].rank }) ?? .max {
      found = queue
    }
    return found
  }

  private func isOverdue(_ queue: Int, _ now: Instant) -> Bool {
    guard let since = shares[queue].blockedSince, !shares[queue].isLate(now) else { return false }
    // While a claim stands behind some bell, its hand would not be empty in any case.
    return now - since >= Self.suspectPatience && !shares.contains { $0.isBehindBell && !$0.isLate(now) }
  }

  // MARK: What a queue tells

  mutating func started(_ count: Int, isSuspect: Bool, _ queue: Int) {
    shares[queue].inHand += count
    hasSuspect = isSuspect
  }

  /// Messages came back from their handlers. May be told by any queue's loop.
  package mutating func finished(_ count: Int, _ queue: Int) {
    if count == 0 { return }
    shares[queue].inHand -= count
    if inHand == 0 { hasSuspect = false }
    tellOthers(queue)
  }

  /// Where a queue stands, after whatever happened to it.
  mutating func update(_ queue: Int, _ standing: Standing, now: Instant) {
    let blockedSince = standing.isBlocked ? shares[queue].blockedSince ?? now : nil
    let givesWay =
      shares[queue].blockedSince != nil && blockedSince == nil || shares[queue].isWanting && !standing.isWanting
      || standing.reserved < shares[queue].reserved || shares[queue].isBehindBell && !standing.isBehindBell
    if standing.reserved > shares[queue].reserved {
      asks += 1
      shares[queue].asked = asks
    }
    shares[queue].blockedSince = blockedSince
    shares[queue].isWanting = standing.isWanting
    shares[queue].reserved = standing.reserved
    shares[queue].isBehindBell = standing.isBehindBell
    shares[queue].lateAt = standing.lateAt
    shares[queue].isTold = standing.isTold
    if givesWay { tellOthers(queue) }
  }

  /// - Returns: what has not been said, of this queue or of another one, which may be on the same Redis.
  mutating func newHazards(_ found: [Finding], _ queue: Int) -> [Finding] {
    let known = hazards.reduce(into: Set()) { $0.formUnion($1) }
    hazards[queue] = Set(found)
    return found.filter { !known.contains($0) }
  }

  /// A newer worker has this one's name: all queues are to finish what they have in hand, and end.
  mutating func superseded(by life: WorkerLife, _ queue: Int) {
    stop.superseded(by: life)
    toTell = shares.indices.filter { $0 != queue }
  }

  private mutating func tellOthers(_ queue: Int) {
    if shares.count == 1 { return }
    for other in shares.indices where other != queue && shares[other].isTold && !toTell.contains(other) {
      toTell.append(other)
    }
  }

  /// Whose loops are to look again, each once.
  package mutating func takeToTell() -> [Int] {
    if toTell.isEmpty { return [] }
    defer { toTell = [] }
    return toTell
  }
}
