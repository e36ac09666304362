import Testing

@testable import Worker

/// What the queues of one worker share, without any of them.
@Suite struct HandsTests {
  private let now = ContinuousClock.now

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
}
