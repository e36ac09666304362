import MessageQueue
import RedisClient
import TestSupport
import Testing

/// One worker as Redis sees it: it may forget what it holds, repeat itself, be fenced, and come back.
private struct RandomWorker {
  var life: WorkerLife
  var nextNumber = 0
  var hand: [ClaimedMessage] = []
  /// Dead letters over the bounds that it was handed, and has logged.
  var logged: [[UInt8]] = []
}

/// Calls verbs at random, as workers that crash, stall and repeat themselves would.
private struct RandomWalk {
  let test: TestQueue
  let bounds = DeadLetterBounds(count: 5, age: nil)
  var generator: SeededGenerator
  var workers: [RandomWorker] = (0..<3).map { RandomWorker(life: WorkerLife(name: "w\($0)")) }
  var pushed = 0
  var plainPushes = 0

  mutating func step() async throws {
    let index = Int.random(in: workers.indices, using: &generator)
    switch Int.random(in: 0..<16, using: &generator) {
    case 0: try await pushPlainly()
    case 1...2: try await enqueue()
    case 3...6: try await turn(index)
    case 7: _ = try await test.queue.renew(workers[index].life, lease: .seconds(60), lastClaim: .zero)
    case 8: try await test.queue.leave(workers[index].life)
    case 9: try await recover(index)
    case 10: try await begin(index)
    case 11: _ = try await test.queue.revive(try await someDead())
    case 12: _ = try await test.queue.remove(try await someDead())
    case 13...14: try await drop(index)
    default: try await makeDue()
    }
  }

  private mutating func nextPayload() -> [UInt8] {
    pushed += 1
    // Of all sizes between a few bytes and more than workers take.
    return bytes("m\(pushed) " + String(repeating: "x", count: Int.random(in: 0...30, using: &generator)))
  }

  private mutating func pushPlainly() async throws {
    var push = RedisCommand("LPUSH", test.name.description)
    push.append(nextPayload())
    _ = try await test.redis.run(push)
    plainPushes += 1
  }

  private mutating func enqueue() async throws {
    let due: OutgoingMessage.Due = Bool.random(using: &generator) ? .now : .after(.seconds(600))
    _ = try await test.queue.enqueue((0..<3).map { _ in OutgoingMessage(payload: nextPayload(), due: due) })
  }

  /// A new life; the older one may go on to call, and gets nothing.
  private mutating func begin(_ index: Int) async throws {
    workers[index] = RandomWorker(life: WorkerLife(name: "w\(index)"))
    _ = try await test.queue.join(workers[index].life, lease: .seconds(60))
  }

  private mutating func turn(_ index: Int) async throws {
    var worker = workers[index]
    worker.hand.shuffle(using: &generator)
    let settlements = worker.hand.prefix(Int.random(in: 0...4, using: &generator)).map { settlement(of: $0) }
    let request = ClaimRequest(
      life: worker.life,
      firstNumber: worker.nextNumber,
      limit: Int.random(in: 0...4, using: &generator),
      maxPayload: 25,
      mostBytes: Int.random(in: 1...200, using: &generator)
    )
    var answer = try await test.queue.turn(settling: settlements, claiming: request)
    if Bool.random(using: &generator) {
      answer = try await test.queue.turn(settling: settlements, claiming: request)
    }
    let settled = Set(settlements.map(\.claimID))
    worker.hand.removeAll { settled.contains($0.claimID) }
    worker.hand += (answer.claimed?.messages ?? []) + (answer.claimed?.tooLarge ?? [])
    worker.nextNumber = answer.claimed?.nextNumber ?? worker.nextNumber
    workers[index] = worker
  }

  private mutating func settlement(of message: ClaimedMessage) -> Settlement {
    let verb: Settlement.Verb =
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: .sent
      case 1: .expired
      case 2: .retry(message.element(failures: 1), after: .seconds(600))
      case 3: .dead(message.element(reason: "why"))
      default: .back(message.element())
      }
    return Settlement(claimID: message.claimID, verb)
  }

  /// One step of recovering any life, expired or not, half of it perhaps.
  private mutating func recover(_ index: Int) async throws {
    let lives = try await test.queue.inspect().workers.map(\.life)
    guard let life = lives.randomElement(using: &generator) else { return }
    let mostBytes = Int.random(in: 1...200, using: &generator)
    guard let fenced = try await test.queue.fence(life, isGone: true, limit: 2, mostBytes: mostBytes) else { return }
    #expect(fenced.claims.count <= 2)
    _ = try await test.queue.settle(fenced.claims.map { settlement(of: $0) }, of: .fenced(life))
  }

  /// Removes what it was handed before, or tells nobody and is handed the same again; now and then all a second time.
  private mutating func drop(_ index: Int) async throws {
    let worker = workers[index]
    let logged = Bool.random(using: &generator) ? worker.logged : []
    for _ in 0...Int.random(in: 0...1, using: &generator) {
      let letters = try await test.queue.drop(logged, keeping: bounds, for: worker.life, lease: .milliseconds(5))
      workers[index].logged = letters ?? []
    }
  }

  /// One or two dead letters, and now and then one that is there no more.
  private mutating func someDead() async throws -> [DeadLetter] {
    var pages = DeadLetterPages(of: test.queue)
    let letters = try await pages.next().shuffled(using: &generator).prefix(2)
    if Int.random(in: 0..<4, using: &generator) == 0, let first = letters.first {
      _ = try await test.queue.revive([first])
    }
    return Array(letters)
  }

  /// Time passes for what is scheduled.
  private func makeDue() async throws {
    let scheduled = try await test.run("ZRANGE {sms}:later 0 0").array?.first?.bytes
    guard let scheduled else { return }
    var move = RedisCommand("ZADD", QueueKeys(test.name).later, "1")
    move.append(scheduled)
    _ = try await test.redis.run(move)
  }
}

@Suite("Random walks")
struct RandomWalkTests {
  @Test("Whatever workers do, each message is in one place", arguments: 1...8 as ClosedRange<UInt64>)
  func walk(seed: UInt64) async throws {
    var walk = RandomWalk(test: TestQueue(on: try await .shared()), generator: SeededGenerator(seed: seed))
    for number in 1...150 {
      try await walk.step()
      let check = InvariantCheck(try await walk.test.dump())
      let violations = check.violations(plainPushes: walk.plainPushes)
      try #require(violations == [], "after step \(number)")
      // The audit counts by itself, in Redis.
      let audit = try await walk.test.queue.audit()
      try #require(audit == QueueAudit(plain: walk.plainPushes, faults: []), "after step \(number)")
    }
  }
}
