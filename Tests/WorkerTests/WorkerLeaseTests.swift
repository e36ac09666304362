import MessageQueue
import RedisClient
import Synchronization
import TestSupport
import Testing

@testable import Worker

@Suite struct WorkerLeaseTests {
  /// Lets a life claim everything and never come back, as a worker that was killed.
  private func crash(_ life: WorkerLife, on queue: TestQueue, lease: Duration) async throws {
    _ = try await queue.queue.join(life, lease: lease)
    let request = ClaimRequest(life: life, firstNumber: 0, limit: 500)
    let answer = try await queue.queue.turn(settling: [], claiming: request)
    #expect(answer.claimed?.messages.isEmpty == false)
  }

  @Test("What a crashed worker held is sent by another when its lease has ended, the oldest first")
  func recovers() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push("m1", "m2", "m3")
    try await crash(WorkerLife(name: "gone"), on: queue, lease: .seconds(2))
    try await queue.push("m4")
    let handler = TestHandler()
    let worker = RunningWorker([queue], on: server, handler) { $0.concurrency = 1 }
    try await queue.drained()
    await worker.stop()
    #expect(handler.handled == ["m4", "m1", "m2", "m3"])
    #expect(try await queue.lines() == ["{sms}:stats: pushed=4 recovered=3 sent=4"])
    #expect(worker.log.count("recovered") == 1)
  }

  /// The life of a process that was here, and is not any more.
  private func goneLife(_ name: String) throws -> WorkerLife {
    var own = try #require(ProcessIdentity.own).split(separator: ".").map(String.init)
    // This process has begun later, or earlier.
    own[2] = "1"
    return WorkerLife(name: name, process: own.joined(separator: "."))
  }

  @Test("A worker with the same name takes back at once what its earlier life held, where its process is gone")
  func takesBack() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push("m1")
    try await crash(try goneLife("stable"), on: queue, lease: .seconds(3600))
    let worker = RunningWorker([queue], on: server, TestHandler(), name: "stable")
    try await queue.drained()
    await worker.stop()
    #expect(try await queue.counter("recovered") == 1)
  }

  @Test("With hold, what a crashed worker held goes to the dead letters as unknown")
  func hold() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push("m1")
    try await crash(try goneLife("stable"), on: queue, lease: .seconds(3600))
    let handler = TestHandler()
    let worker = RunningWorker([queue], on: server, handler, name: "stable") { $0.afterCrash = .hold }
    try await queue.drained()
    await worker.stop()
    #expect(handler.handled.isEmpty)
    #expect(try await queue.lines()[0].contains("crashes=1 reason=unknown: "))
  }

  @Test("A message in hand in as many crashes as are allowed is poison")
  func poison() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push("m1")
    let handler = TestHandler()
    for _ in 1...2 {
      try await crash(try goneLife("stable"), on: queue, lease: .seconds(3600))
      let worker = RunningWorker([queue], on: server, handler, name: "stable") { $0.maxCrashes = 2 }
      // It takes the message back, and must not get to send it: the next crash is to find it.
      worker.control.advance(to: .quiet)
      try await eventually("it took back") { try await queue.queue.inspect().claimed == 0 }
      await worker.stop()
    }
    #expect(handler.handled.isEmpty)
    #expect(try await queue.lines()[0].contains("m1<"))
    #expect(try await queue.lines()[0].contains("crashes=2 reason=poison: in hand in 2 crashes"))
  }

  @Test(
    "A message that may be poison is handled while nothing else is in hand, of any queue, and the others go on",
    arguments: [1, 3]
  )
  func suspect(queueCount: Int) async throws {
    let server = try await RedisServer.shared()
    let queues = (0..<queueCount).map { _ in TestQueue(on: server) }
    let inHand = Mutex((now: 0, besideSuspect: 0))
    let handler = TestHandler { message in
      let beside = inHand.withLock { inHand in
        inHand.now += 1
        return inHand.now - 1
      }
      try? await Task.sleep(for: .milliseconds(3))
      inHand.withLock {
        if message.history.crashes > 0 { $0.besideSuspect += beside + $0.now - 1 }
        $0.now -= 1
      }
      return .sent
    }
    func push(_ numbers: ClosedRange<Int>) async throws {
      for number in numbers {
        let queue = queues[number % queueCount]
        // Every tenth has been in two crashes.
        let history = MessageHistory(id: "\(number)", crashes: number % 10 == 0 ? 2 : 0)
        var push = RedisCommand("LPUSH", queue.name.description)
        push.append(Element(history: history, payload: [UInt8]("m\(number)".utf8)).sealed)
        _ = try await queue.redis.run(push)
      }
    }
    try await push(1...60)
    let worker = RunningWorker(queues, on: server, handler) { $0.concurrency = 8 }
    for queue in queues { try await queue.drained() }
    // And while it listens for the bells of all of them.
    for number in 7..<27 {
      for queue in queues { try await queue.listenedFor() }
      try await push(number * 10...number * 10)
      try await withThrowingTaskGroup { group in
        for queue in queues { group.addTask { try await queue.push("rings") } }
        try await group.waitForAll()
      }
      for queue in queues { try await queue.drained() }
    }
    await worker.stop()
    #expect(handler.handled.count == 80 + 20 * queueCount)
    #expect(inHand.withLock(\.besideSuspect) == 0)
  }

  @Test("A message that may be poison gets an empty hand in the end, though a more urgent queue is never empty")
  func patientSuspect() async throws {
    let server = try await RedisServer.shared()
    let (urgent, other) = (TestQueue(on: server), TestQueue(on: server))
    let begun = Mutex(0)
    let besideSuspect = Mutex<[Int]>([])
    let inHand = Mutex(0)
    let handler = TestHandler { message in
      let beside = inHand.withLock { inHand in
        inHand += 1
        return inHand - 1
      }
      defer { inHand.withLock { $0 -= 1 } }
      if message.history.crashes > 0 {
        besideSuspect.withLock { $0.append(beside) }
      } else if message.text == "urgent" {
        // Until the next one is in hand as well, or none comes for a while.
        let number = begun.withLock { begun in
          begun += 1
          return begun
        }
        let end = ContinuousClock.now + .milliseconds(1_500)
        while begun.withLock({ $0 }) == number, ContinuousClock.now < end {
          try? await Task.sleep(for: .milliseconds(2))
        }
      }
      return .sent
    }
    try await urgent.push("urgent")
    let worker = RunningWorker([urgent, other], on: server, handler) { $0.concurrency = 10 }
    try await eventually("it is at work") { handler.handled.count == 1 }
    for number in 1...2 {
      var push = RedisCommand("LPUSH", other.name.description)
      push.append(
        Element(history: MessageHistory(id: "\(number)", crashes: 2), payload: [UInt8]("m\(number)".utf8)).sealed
      )
      _ = try await other.redis.run(push)
    }
    try await eventually(within: .seconds(30), "the other queue is empty") {
      try await urgent.push("urgent")
      return try await other.counter("sent") == 2
    }
    try await urgent.drained()
    #expect(await worker.stop() == .clean)
    #expect(besideSuspect.withLock { $0 } == [0, 0])
  }

  @Test("A worker whose claims were taken over records nothing of them, says so, and begins a new life")
  func lost() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let gate = Gate()
    try await queue.push("m1")
    let handler = TestHandler { _ in await gate.pass() ? .sent : .unfinished }
    // It must ask Redis for nothing between the next two calls, or it would notice, and take its own message back first.
    let worker = RunningWorker([queue], on: server, handler) {
      $0.lease = .seconds(30)
      $0.wakeTimeout = .seconds(10)
    }
    try await eventually("it is in hand") { handler.handled.count == 1 }
    try await eventually("its first claim is on record") {
      try await queue.queue.inspect().workers.first?.lastClaim != nil
    }
    try await queue.listenedFor()

    // Another worker finds its lease ended, as after a SIGSTOP, and hands the message to the dead letters.
    let life = try #require(try await queue.queue.inspect().workers.first?.life)
    let claims = try #require(try await queue.queue.fence(life, isGone: true)).claims
    _ = try await queue.queue.settle(
      claims.map { Settlement(claimID: $0.claimID, .dead($0.element(reason: "taken over"))) },
      of: .fenced(life)
    )
    gate.open()
    try await eventually("it noticed") { worker.log.count("lease-lost") == 1 && worker.log.count("outcome-lost") == 1 }
    #expect(worker.log.fields("outcome-lost")?["id"] == "m1")

    try await queue.push("m2")
    try await eventually("it goes on") { try await queue.counter("sent") == 1 }
    await worker.stop()
    let snapshot = try await queue.queue.inspect()
    #expect(snapshot.dead == 1 && snapshot.counters["sent"] == 1 && snapshot.counters["lost"] == 1)
  }

  @Test("Of two workers with one name the older one finishes what it has in hand, and ends; no message counts a crash")
  func superseded() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let gate = Gate()
    try await queue.push("m1", "m2")
    let slow = TestHandler { _ in await gate.pass() ? .sent : .unfinished }
    let old = RunningWorker([queue], on: server, slow, name: "twin") { $0.lease = .seconds(1) }
    try await eventually("both are in hand") { slow.handled.count == 2 }
    let newHandler = TestHandler()
    let new = RunningWorker([queue], on: server, newHandler, name: "twin") { $0.lease = .seconds(1) }
    try await eventually("the older one has noticed") { old.log.count("superseded") == 1 }
    // It keeps what it has, and gets nothing new.
    try await queue.push("m3")
    try await eventually("the newer one works") { try await queue.counter("sent") == 1 }
    gate.open()
    guard case .superseded(let life, unfinished: 0) = await old.end() else {
      Issue.record("the older one did not end as superseded")
      return
    }
    #expect(life.name == "twin")
    #expect(await new.stop() == .clean)
    #expect(slow.handled.count == 2 && newHandler.handled == ["m3"])
    #expect(try await queue.lines() == ["{sms}:stats: pushed=3 sent=3"])
    #expect(old.log.count("lease-lost") == 0 && new.log.count("recovered") == 0 && new.log.count("superseded") == 0)
  }

  @Test("What is still in hand when a superseded worker's drain is over goes back, and counts no crash")
  func supersededGivesBack() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let gate = Gate()
    try await queue.push("m1", "m2")
    let slow = TestHandler { _ in await gate.pass() ? .sent : .unfinished }
    let old = RunningWorker([queue], on: server, slow, name: "twin") {
      ($0.lease, $0.drain, $0.maxCrashes) = (.seconds(1), .milliseconds(100), 1)
    }
    try await eventually("both are in hand") { slow.handled.count == 2 }
    let new = RunningWorker([queue], on: server, TestHandler(), name: "twin") { $0.maxCrashes = 1 }
    guard case .superseded(_, unfinished: 2) = await old.end() else {
      Issue.record("the older one did not end as superseded")
      return
    }
    try await queue.drained()
    #expect(await new.stop() == .clean)
    #expect(try await queue.lines() == ["{sms}:stats: pushed=2 returned=2 sent=2"])
  }

  @Test("A life of the same name whose process may be elsewhere keeps what it holds until its lease ends")
  func elsewhere() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push("m1")
    let life = WorkerLife(name: "twin", process: "00000000.1.1")
    try await crash(life, on: queue, lease: .seconds(3600))
    let handler = TestHandler()
    let worker = RunningWorker([queue], on: server, handler, name: "twin") { $0.lease = .seconds(1) }
    try await queue.push("m2")
    try await eventually("it works") { handler.handled == ["m2"] }
    try await queue.run("ZADD {sms}:workers 1 \(life.id)")
    try await queue.drained()
    await worker.stop()
    // A crash, by then: it has been silent for longer than its lease.
    #expect(handler.handled == ["m2", "m1"])
    #expect(try await queue.counter("recovered") == 1)
  }

  @Test(
    "What a worker says of a lost lease is true: it was silent, a newer one of its name took over, or Redis forgot it"
  )
  func reasonOfLoss() {
    let newer = WorkerLife(name: "w")
    for life in [nil, newer] {
      let hint = QueueState.reasonOfLoss(leaseHeld: false, life, lease: .seconds(10))
      #expect(hint.contains("could not renew its lease for 10"))
    }
    #expect(
      QueueState.reasonOfLoss(leaseHeld: true, newer, lease: .seconds(10)).hasPrefix("\(newer.id), a newer worker")
    )
    #expect(QueueState.reasonOfLoss(leaseHeld: true, nil, lease: .seconds(10)).contains("FLUSHALL"))
  }

  @Test("A worker whose claims a newer one of its name has taken says so, and ends; one that Redis forgot goes on")
  func taken() async throws {
    let server = try await RedisServer.shared()
    for isTaken in [true, false] {
      let queue = TestQueue(on: server)
      let worker = RunningWorker([queue], on: server, TestHandler()) { $0.lease = .seconds(60) }
      try await eventually("it is there") { try await queue.queue.inspect().workers.first?.lastClaim != nil }
      let life = try #require(try await queue.queue.inspect().workers.first?.life)
      let newer = WorkerLife(name: life.name)
      if isTaken { try await queue.run("ZADD {sms}:workers now+60m \(newer.id)") }
      try await queue.run("ZREM {sms}:workers \(life.id)")
      try await eventually("it has noticed") { worker.log.count("lease-lost") == 1 }
      let hint = "\(worker.log.fields("lease-lost")?["hint"] ?? "")"
      if isTaken {
        #expect(hint.hasPrefix(newer.id))
        #expect(await worker.end() == .superseded(by: newer, unfinished: 0))
      } else {
        #expect(hint.contains("FLUSHALL"))
        #expect(await worker.stop() == .clean)
      }
    }
  }

  @Test("After a FLUSHALL a worker registers anew and works on")
  func flushed() async throws {
    let server = try await RedisServer()
    let queue = TestQueue(on: server)
    let worker = RunningWorker([queue], on: server, TestHandler()) { $0.lease = .seconds(1) }
    try await eventually("it is there") { try await queue.queue.inspect().workers.count == 1 }
    try await queue.run("FLUSHALL")
    try await queue.push("m1")
    try await eventually("it goes on") { try await queue.counter("sent") == 1 }
    await worker.stop()
  }

  @Test(
    "What Redis has forgotten to be settled is taken back at the next renewal, as after a crash, and no restart is needed"
  )
  func forgottenSettlement() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let handler = TestHandler()
    let worker = RunningWorker([queue], on: server, handler) { $0.lease = .seconds(2) }
    try await queue.push("m1")
    try await eventually("it is settled") { try await queue.counter("sent") == 1 }
    // As a failover leaves it, or an append-only file whose last second is gone.
    let id = try #require(try await queue.run("ZRANGE {sms}:workers 0 0").array?.first?.string)
    let life = try #require(WorkerLife(id: id))
    try await queue.run("HINCRBY {sms}:stats sent -1")
    try await queue.run("HSET {sms}:claimed:\(id) \(life.claimID(0)) m1")
    try await eventually("it is sent again") { try await queue.counter("sent") == 1 }
    #expect(worker.log.values("claims-unknown", "messages") == ["1"])
    #expect(worker.log.count("recovered") == 1)
    #expect(try await queue.counter("recovered") == 1)
    #expect(await worker.stop() == .clean)
    #expect(handler.handled == ["m1", "m1"])
    #expect(InvariantCheck(try await queue.dump()).violations() == [])
  }

  @Test("A lease holds until its end, and not without one")
  func leaseClock() {
    let clock = LeaseClock()
    #expect(!clock.holds)
    clock.set(.now + .seconds(10))
    #expect(clock.holds)
    clock.set(.now - .seconds(1))
    #expect(!clock.holds)
    clock.set(.now + .seconds(10))
    clock.set(nil)
    #expect(!clock.holds)
  }
}
