import MessageQueue
import RedisClient
import Testing

@testable import Worker

/// One queue's decisions, with the world in the test's hand. What chance makes of them is for the simulation.
@Suite struct QueueStateTests {
  /// A state, and what it decides with.
  private struct Bench {
    var state: QueueState
    var hands: Hands
    var now = Instant.now
    var told = WorkerControl.Phase.running
    let life = WorkerLife(id: "w@h.1.1@00000000000000aa")!

    init(_ adjust: (inout WorkerOptions) -> Void = { _ in }) {
      var options = WorkerOptions(name: "w")
      options.deadLetters = DeadLetterBounds(count: nil, age: nil)
      adjust(&options)
      state = QueueState(at: 0, options: options)
      hands = Hands(concurrency: options.concurrency, queues: 1)
    }

    mutating func next() -> QueueState.Action { state.next(.init(now: now, told: told), &hands) }
    mutating func got(_ event: QueueState.Event) { state.got(event, now: now, &hands) }

    /// Takes its first turn, which claims so many messages.
    mutating func begin(claiming count: Int = 0) throws {
      guard case .beginLife = next() else { throw Unexpected.action }
      got(.began(life))
      guard case .join = next() else { throw Unexpected.action }
      got(.joined(older: [], gone: []))
      guard case .checkSafety = next() else { throw Unexpected.action }
      got(.foundUnsafe([]))
      guard case .turn(let turn) = next() else { throw Unexpected.action }
      got(.turned(answer(to: turn, messages: count)))
      if count > 0 {
        guard case .start(let arrived) = next(), arrived.messages.count == count else { throw Unexpected.action }
      }
      try renew(held: count)
    }

    /// Skips what is of no matter to a test, a few actions at most: turns are answered with nothing, and waits go on.
    @discardableResult
    mutating func next<Result>(that isIt: (QueueState.Action) -> Result?) throws -> Result {
      for _ in 0..<4 {
        let action = next()
        if let result = isIt(action) { return result }
        if case .turn(let turn) = action { got(.turned(answer(to: turn))) }
      }
      throw Unexpected.action
    }

    mutating func renew(held: Int) throws {
      try next { if case .renew = $0 { true } else { nil } }
      got(.renewed(RenewAnswer(isRenewed: true, held: held)))
    }

    func message(_ number: Int) -> ClaimedMessage {
      ClaimedMessage(queue: "sms", claimID: life.claimID(number), history: MessageHistory(), payload: [1])
    }

    func answer(to turn: QueueState.Turn, messages count: Int = 0, settled: Int? = nil) -> QueueState.TurnAnswer {
      let first = turn.request.firstNumber
      let claimed = ClaimAnswer(
        messages: (first..<first + count).map(message),
        tooLarge: [],
        nextNumber: first + count,
        now: 0,
        nextDue: nil,
        waiting: 0,
        paused: false,
        isBlocked: false,
        expired: nil,
        isListener: false,
        isAlone: false
      )
      return .init(settled: settled ?? turn.settling.count, refusal: nil, claimed: claimed, jitter: 0)
    }

    func finished(_ number: Int) -> Finished { Finished(.sent, of: message(number), lifeNumber: 0) }

    mutating func finish(_ numbers: Int...) {
      hands.finished(numbers.count, 0)
      got(.finished(numbers.map(finished)))
    }
  }

  private enum Unexpected: Error { case action }

  private let gone = RedisError(code: .disconnected, message: "gone")

  @Test("A turn whose answer is lost is repeated as it was, before anything else, until it is answered")
  func repeats() throws {
    var bench = Bench()
    try bench.begin(claiming: 3)
    bench.finish(0, 1)
    guard case .turn(let turn) = bench.next() else { throw Unexpected.action }
    for _ in 0..<5 {
      bench.got(.failed(gone, jitter: 0.5))
      guard case .rest(.some(let until)) = bench.next() else { throw Unexpected.action }
      bench.finish(2)
      bench.now = until
      guard case .turn(let again) = bench.next() else { throw Unexpected.action }
      #expect(again.request == turn.request && again.settling.map(\.number) == turn.settling.map(\.number))
      bench.hands.started(1, isSuspect: false, 0)
    }
  }

  @Test("Claims that Redis holds and the worker does not know are taken back at the next renewal, as after a crash")
  func unknownClaims() throws {
    var bench = Bench()
    try bench.begin(claiming: 2)
    bench.finish(0)
    guard case .turn(let turn) = bench.next() else { throw Unexpected.action }
    bench.got(.turned(bench.answer(to: turn)))
    // Redis goes back to before the settlement.
    bench.now += .seconds(4)
    try bench.renew(held: 2)
    let known = try bench.next { if case .compare(_, let known, _) = $0 { known } else { nil } }
    #expect(known == [1])
    bench.got(.compared(ReconcileAnswer(lost: [bench.message(0)], count: 1)))
    guard case .settle(let settlements, of: .lost(bench.life)) = bench.next() else { throw Unexpected.action }
    #expect(settlements == [Settlement(claimID: bench.message(0).claimID, .back(bench.message(0).element(crashes: 1)))])
    bench.got(.settled(1))
    let notes = bench.state.takeNotes()
    #expect(notes.contains { if case .claimsUnknown(1) = $0 { true } else { false } })
    #expect(notes.contains { if case .recovered(1, from: bench.life) = $0 { true } else { false } })
  }

  @Test("One that cannot leave, because claims stand in its way, looks for them; if they stay, its end is not clean")
  func leavesClaims() throws {
    var bench = Bench()
    try bench.begin()
    bench.told = .draining
    var (leaves, comparisons) = (0, 0)
    for _ in 0..<30 {
      switch bench.next() {
      case .leave:
        leaves += 1
        bench.got(.left(2))
      case .compare:
        comparisons += 1
        bench.got(.compared(ReconcileAnswer(lost: [], count: 0)))
      case .end(let unfinished):
        #expect(unfinished == 2 && leaves == 3 && comparisons == 2)
        return
      default: break
      }
    }
    Issue.record("it does not end")
  }

  @Test("Dead letters are written out until the lease is to be renewed, and the loop goes on beside that")
  func dropsUntilRenewal() throws {
    var bench = Bench { $0.deadLetters = DeadLetterBounds(count: 1, age: nil) }
    try bench.begin()
    let renewAt = bench.now + .seconds(10) / 3
    let none = try bench.next { if case .drop(let logged, _) = $0 { logged } else { nil } }
    #expect(none.isEmpty)
    bench.got(.dropped([[1], [2], [3]]))
    let (letters, until) = try bench.next {
      if case .writeOut(let letters, let until) = $0 { (letters, until) } else { nil }
    }
    #expect(letters == [[1], [2], [3]] && until == renewAt)
    // Whatever comes meanwhile is found: the loop is not blocked in a wait.
    #expect(bench.state.waiting.current?.isBeside == true)
    bench.now = until
    try bench.renew(held: 0)
    bench.got(.wroteOut(2))
    let logged = try bench.next { if case .drop(let logged, _) = $0 { logged } else { nil } }
    #expect(logged == [[1], [2]])
  }

  @Test("A lease that is over by Redis' clock is renewed at once, not asked for messages over and over")
  func clockJumps() throws {
    var bench = Bench()
    try bench.begin()
    guard case .wait(let wait) = bench.next(), let claim = wait.claim else { throw Unexpected.action }
    var nothing = bench.answer(to: .init(settling: [], request: claim)).claimed!
    nothing.waiting = 5
    bench.got(.heard(.claimed(nothing, refusal: nil)))
    try bench.renew(held: 0)
  }

  @Test("While a suspect waits for an empty hand, and its patience is over, its queue is not asked over and over")
  func overdueSuspect() throws {
    var bench = Bench()
    try bench.begin(claiming: 5)
    try bench.next { if case .wait = $0 { true } else { nil } }
    bench.got(.heard(.rang))
    let turn = try bench.next { if case .turn(let turn) = $0 { turn } else { nil } }
    var blocked = bench.answer(to: turn)
    blocked.claimed?.isBlocked = true
    blocked.claimed?.waiting = 1
    bench.got(.turned(blocked))
    bench.now += .seconds(2)
    bench.finish(0)
    // It settles that one, and claims nothing before the others are done.
    let settling = try bench.next { if case .turn(let turn) = $0 { turn } else { nil } }
    #expect(settling.settling.count == 1 && settling.request.limit == 0)
    for number in 1..<5 { bench.finish(number) }
    let claiming = try bench.next { if case .turn(let turn) = $0, turn.request.limit > 0 { turn } else { nil } }
    #expect(claiming.request.isEmptyHanded)
  }

  @Test("While the limit is used up the loop rests until it lets more through, and waits for a change, not for pushes")
  func limited() throws {
    var bench = Bench()
    try bench.begin()
    func usedUp(_ request: ClaimRequest?) throws -> ClaimAnswer {
      var answer = bench.answer(to: .init(settling: [], request: try #require(request))).claimed
      answer?.waiting = 5
      answer?.limitedFor = .seconds(1)
      return try #require(answer)
    }
    guard case .wait(let bell) = bench.next() else { throw Unexpected.action }
    bench.got(.heard(.claimed(try usedUp(bell.claim), refusal: nil)))
    let until = bench.now + .seconds(1)
    guard case .wait(let change) = bench.next(), change.isAtLimit, change.isBeside, change.claim == nil else {
      throw Unexpected.action
    }
    #expect(change.timeout < .seconds(1))
    guard case .rest(until) = bench.next() else { throw Unexpected.action }
    bench.now += change.timeout
    bench.got(.heard(.limitHolds))
    for _ in 0..<3 { guard case .rest(until) = bench.next() else { throw Unexpected.action } }
    bench.now = until
    guard case .turn(let turn) = bench.next(), turn.request.limit > 0 else { throw Unexpected.action }
    bench.got(.turned(.init(settled: 0, refusal: nil, claimed: try usedUp(turn.request), jitter: 0)))
    guard case .wait(let again) = bench.next(), again.isAtLimit else { throw Unexpected.action }
    bench.got(.heard(.rang))
    guard case .turn(let changed) = bench.next(), changed.request.limit > 0 else { throw Unexpected.action }
  }

  @Test("After an outage claims are compared at once, though nothing else is to be done")
  func comparesAfterOutage() throws {
    var bench = Bench()
    try bench.begin()
    bench.now += .seconds(4)
    try bench.next { if case .renew = $0 { true } else { nil } }
    bench.got(.failed(gone, jitter: 0))
    bench.now += .seconds(1)
    try bench.renew(held: 0)
    try bench.next { if case .compare = $0 { true } else { nil } }
  }

  @Test("A life that cannot be fenced does not keep others from being recovered")
  func nextLife() throws {
    var bench = Bench()
    try bench.begin()
    let dead = (1...3).compactMap { WorkerLife(id: "dead@000000000000000\($0)") }
    bench.got(.joined(older: Set(dead), gone: Set(dead)))
    for life in dead + [dead[0]] {
      let fenced = try bench.next { if case .fence(let life, _) = $0 { life } else { nil } }
      #expect(fenced == life)
      // And another call of the same round.
      for _ in 0..<2 {
        bench.got(.failed(RedisError(code: .init(rawValue: "WRONGTYPE"), message: "WRONGTYPE"), jitter: 0))
      }
      bench.now += .seconds(2)
    }
  }

  @Test("An outcome of a life that is over is told of and counted, and not recorded")
  func lateOutcome() throws {
    var bench = Bench()
    try bench.begin(claiming: 2)
    bench.now += .seconds(20)
    try bench.next { if case .renew = $0 { true } else { nil } }
    bench.got(.renewed(RenewAnswer(isRenewed: false)))
    #expect(bench.state.leaseEnd == nil && bench.state.lifeNumber == 1)
    bench.finish(0)
    let lost = bench.state.takeNotes().compactMap {
      if case .outcomeLost(let finished) = $0 { finished.number } else { nil }
    }
    #expect(lost == [0])
    try bench.next { if case .beginLife = $0 { true } else { nil } }
  }

  // MARK: Shards

  @Test("A renewal that tells of another number of shards is said once")
  func shards() throws {
    var bench = Bench()
    try bench.begin()
    _ = bench.state.takeNotes()
    var said: [Int] = []
    for shards in [1, 8, 8, nil, 8, 3] as [Int?] {
      bench.now += bench.state.options.lease / 3
      try bench.next { if case .renew = $0 { true } else { nil } }
      bench.got(.renewed(RenewAnswer(isRenewed: true, shards: shards)))
      for case .shards(let number) in bench.state.takeNotes() { said.append(number) }
    }
    #expect(said == [8, 3])
  }

  @Test(
    "A shard that is to be no more claims nothing, finishes what it has in hand, and leaves, though the worker goes on"
  )
  func retired() throws {
    var bench = Bench()
    try bench.begin(claiming: 2)
    bench.hands.retire(0)
    for _ in 0..<3 {
      switch bench.next() {
      case .turn(let turn):
        #expect(turn.request.limit == 0)
        bench.got(.turned(bench.answer(to: turn)))
      case .rest: break
      default: throw Unexpected.action
      }
    }
    bench.finish(0, 1)
    guard case .turn(let turn) = bench.next() else { throw Unexpected.action }
    #expect(turn.settling.count == 2 && turn.request.limit == 0)
    bench.got(.turned(bench.answer(to: turn)))
    guard case .leave = bench.next() else { throw Unexpected.action }
    bench.got(.left(0))
    guard case .end(unfinished: 0) = bench.next() else { throw Unexpected.action }
  }
}
