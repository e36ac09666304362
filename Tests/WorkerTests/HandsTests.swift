import Testing

@testable import Worker

/// What the queues of one worker share, without any of them.
@Suite struct HandsTests {
  private let now = Instant.now

  private func standing(_ change: (inout Hands.Standing) -> Void) -> Hands.Standing {
    var standing = Hands.Standing()
    change(&standing)
    return standing
  }

  @Test("What one queue has in hand, or has asked for, the others cannot have")
  func shared() {
    var hands = Hands(concurrency: 10, queues: 2)
    hands.started(3, isSuspect: false, 0)
    hands.update(1, standing { $0.reserved = 4 }, now: now)
    #expect(hands.room(0, now: now) == 3 && hands.room(1, now: now) == 7)
    hands.finished(3, 0)
    #expect(hands.room(0, now: now) == 6 && hands.isEmpty(besides: 1, now: now))
  }

  @Test("While a more urgent queue may have messages, the others claim nothing; but not longer than its answer takes")
  func priority() {
    var hands = Hands(concurrency: 10, queues: 3)
    let late = now + Hands.patience
    hands.update(1, standing { ($0.isWanting, $0.reserved, $0.lateAt) = (true, 10, late) }, now: now)
    #expect((0..<3).map { hands.room($0, now: now) } == [0, 10, 0])
    #expect((0..<3).map { hands.room($0, now: late) } == [10, 10, 10])
    #expect(hands.lookAgain(2, now: now) == late)
    #expect(hands.lookAgain(2, now: late)! > late)
  }

  @Test("Messages whose answer was long in coming are not started where others have taken their room")
  func late() {
    var hands = Hands(concurrency: 10, queues: 2)
    hands.started(8, isSuspect: false, 1)
    #expect(!hands.mayStart(3, isSuspect: false) && hands.mayStart(2, isSuspect: false))
    #expect(!hands.mayStart(1, isSuspect: true))
  }

  @Test("A suspect gets an empty hand: from its own queue and the less urgent ones at once, in the end from all")
  func suspect() {
    var hands = Hands(concurrency: 10, queues: 3)
    hands.started(1, isSuspect: false, 2)
    hands.update(1, standing { ($0.isBlocked, $0.isWanting) = (true, true) }, now: now)
    #expect((0..<3).map { hands.room($0, now: now) } == [9, 0, 0])
    let overdue = now + .seconds(2)
    // Not its own queue either: what that claims would not be for an empty hand.
    #expect((0..<3).map { hands.room($0, now: overdue) } == [0, 0, 0])
    hands.finished(1, 2)
    #expect(hands.room(1, now: overdue) == 10 && hands.isEmpty(besides: 1, now: overdue))
    // Though a more urgent one would go on.
    hands.update(0, standing { $0.isWanting = true }, now: overdue)
    #expect(hands.room(1, now: overdue) == 10 && hands.room(0, now: overdue) == 0)
    hands.started(1, isSuspect: true, 1)
    hands.update(1, standing { _ in }, now: overdue)
    #expect((0..<3).map { hands.room($0, now: overdue) } == [0, 0, 0])
    hands.finished(1, 1)
    #expect(hands.room(0, now: overdue) == 10)
  }

  @Test("Who got less than it wanted is told when another gives way, once")
  func told() {
    var hands = Hands(concurrency: 10, queues: 3)
    hands.update(0, standing { ($0.isWanting, $0.reserved) = (true, 10) }, now: now)
    hands.update(1, standing { $0.isTold = true }, now: now)
    #expect(hands.takeToTell() == [])
    hands.update(0, standing { $0.reserved = 10 }, now: now)
    #expect(hands.takeToTell() == [1])
    hands.update(0, standing { $0.reserved = 3 }, now: now)
    #expect(hands.takeToTell() == [1])
    hands.update(0, standing { ($0.reserved, $0.isBehindBell) = (3, true) }, now: now)
    #expect(hands.takeToTell() == [])
    hands.update(0, standing { $0.reserved = 3 }, now: now)
    #expect(hands.takeToTell() == [1])
    hands.started(2, isSuspect: false, 0)
    hands.finished(1, 0)
    hands.finished(1, 0)
    #expect(hands.takeToTell() == [1])
    #expect(hands.takeToTell() == [])
  }

  @Test("With several queues a bell brings little of each, and nothing while something is in hand")
  func behindBells() {
    #expect([1, 2, 3, 10].map { Hands(concurrency: 100, queues: $0).mostBehindBell } == [100, 10, 6, 2])
    #expect(Hands(concurrency: 3, queues: 2).mostBehindBell == 0)
    var hands = Hands(concurrency: 100, queues: 2)
    hands.started(1, isSuspect: false, 0)
    #expect(hands.mostBehindBell == 0)
  }

  // MARK: Shards of one queue

  @Test("Queues of one rank share the room among those that have messages, each its part")
  func equals() {
    var hands = Hands(concurrency: 10, ranks: [0, 1, 1, 1, 2])
    #expect((0..<5).map { hands.room($0, now: now) } == [10, 10, 10, 10, 10])
    for queue in 1...3 { hands.update(queue, standing { $0.isWanting = true }, now: now) }
    // Whoever asks first leaves something for the others, and takes no more than its part.
    #expect((0..<5).map { hands.room($0, now: now) } == [10, 4, 4, 4, 0])
    hands.started(4, isSuspect: false, 1)
    #expect((1...3).map { hands.room($0, now: now) } == [0, 4, 4])
    hands.started(4, isSuspect: false, 2)
    #expect((1...3).map { hands.room($0, now: now) } == [0, 0, 2])
    // One that has no more messages leaves its part to the others.
    hands.update(3, standing { _ in }, now: now)
    #expect((1...2).map { hands.room($0, now: now) } == [1, 1])
    hands.update(2, standing { _ in }, now: now)
    #expect(hands.room(1, now: now) == 2)
  }

  @Test("With a concurrency of 1, queues of one rank have their turns in a circle", arguments: [2, 3, 8])
  func circle(count: Int) {
    var hands = Hands(concurrency: 1, ranks: Array(repeating: 0, count: count))
    var turns: [Int] = []
    for queue in 0..<count { hands.update(queue, standing { ($0.isWanting, $0.isTold) = (true, true) }, now: now) }
    for _ in 0..<3 * count {
      // The one that has just finished looks first, each time.
      let order = [turns.last].compactMap(\.self) + (0..<count)
      guard let queue = order.first(where: { hands.room($0, now: now) > 0 }) else { break }
      turns.append(queue)
      hands.update(queue, standing { $0.reserved = 1 }, now: now)
      #expect((0..<count).allSatisfy { $0 == queue || hands.room($0, now: now) == 0 })
      hands.started(1, isSuspect: false, queue)
      hands.update(queue, standing { ($0.isWanting, $0.isTold) = (true, true) }, now: now)
      hands.finished(1, queue)
      // All others are told: one of them may be next.
      #expect(Set(hands.takeToTell()).isSuperset(of: Set(0..<count).subtracting([queue])))
    }
    #expect(turns.count == 3 * count)
    #expect(Set(turns[..<count]).count == count && turns[count...].elementsEqual(turns[..<(2 * count)]))
  }

  @Test("A shard whose server does not answer takes no part from the others for longer than an answer takes")
  func lateEqual() {
    var hands = Hands(concurrency: 4, ranks: [0, 0])
    let late = now + Hands.patience
    hands.update(1, standing { ($0.isWanting, $0.lateAt) = (true, late) }, now: now)
    #expect(hands.room(0, now: now) == 2 && hands.room(0, now: late) == 4)
  }

  @Test("A suspect in one shard gets an empty hand from the others at once")
  func suspectEqual() {
    var hands = Hands(concurrency: 4, ranks: [0, 0, 1])
    hands.started(1, isSuspect: false, 0)
    hands.update(1, standing { ($0.isBlocked, $0.isWanting) = (true, true) }, now: now)
    #expect((0..<3).map { hands.room($0, now: now) } == [0, 0, 0])
    hands.finished(1, 0)
    #expect(hands.room(1, now: now) > 0)
  }

  @Test("Places of shards that have ended are given to those that come")
  func places() {
    var hands = Hands(concurrency: 4, ranks: [0])
    #expect(hands.mostBehindBell == 4)
    #expect([hands.open(rank: 0), hands.open(rank: 0)] == [1, 2])
    #expect(hands.mostBehindBell == 0)
    hands.started(1, isSuspect: false, 2)
    hands.retire(2)
    hands.close(2, now: now)
    // A message is in hand: the place is not free yet.
    #expect(hands.open(rank: 1) == 3)
    hands.finished(1, 2)
    hands.close(2, now: now)
    #expect(hands.open(rank: 0) == 2 && !hands.isRetired(2))
  }
}
