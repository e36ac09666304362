import MessageQueue
import TestSupport
import Testing

@testable import Worker

@Suite(.timeLimit(.minutes(2))) struct WorkerStopTests {
  @Test("A stop finishes what is in hand, claims nothing more, and strikes the worker off")
  func drain() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let gate = Gate()
    try await queue.push("m1", "m2", "m3")
    let handler = TestHandler { _ in await gate.pass() ? .sent : .unfinished }
    let worker = RunningWorker([queue], on: server, handler) { $0.concurrency = 2 }
    try await eventually("two are in hand") { handler.handled.count == 2 }
    worker.control.stop()
    try await eventually("it drains") { worker.log.count("draining") == 1 }
    gate.open()
    #expect(await worker.end() == .clean)
    #expect(try await queue.lines() == ["sms: m3", "{sms}:stats: pushed=3 sent=2"])
  }

  @Test("A second stop gives back what is not finished, next in line and in its order")
  func abort() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push("m1", "m2", "m3")
    let handler = TestHandler { _ in await Gate().pass() ? .sent : .unfinished }
    let worker = RunningWorker([queue], on: server, handler) { $0.concurrency = 2 }
    try await eventually("two are in hand") { handler.handled.count == 2 }
    worker.control.stop()
    worker.control.stop()
    #expect(await worker.end() == .unfinished(2))
    let snapshot = try await queue.queue.inspect()
    #expect(snapshot.waiting == 3 && snapshot.workers.isEmpty)
    #expect(try await queue.queue.peek(3).map { String(decoding: $0.payload, as: UTF8.self) } == ["m1", "m2", "m3"])
  }

  @Test("The end of the drain time gives back, too; with hold, to the dead letters as unknown")
  func drainDeadline() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push("m1")
    let handler = TestHandler { _ in await Gate().pass() ? .sent : .unfinished }
    let worker = RunningWorker([queue], on: server, handler) {
      $0.drain = .milliseconds(50)
      $0.afterCrash = .hold
    }
    try await eventually("it is in hand") { handler.handled.count == 1 }
    #expect(await worker.stop() == .unfinished(1))
    let dead = try await queue.lines()[0]
    #expect(dead.contains("m1<") && dead.contains("reason=unknown: "))
  }

  @Test("A handler that heeds no cancellation cannot hold up the end; its message is recovered later")
  func stubborn() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push("m1")
    let gate = Gate()
    let handler = TestHandler { _ in
      await Task { await gate.pass() }.value ? .sent : .unfinished
    }
    let worker = RunningWorker([queue], on: server, handler)
    try await eventually("it is in hand") { handler.handled.count == 1 }
    worker.control.stop()
    worker.control.stop()
    #expect(await worker.end() == .unfinished(1))
    #expect(try await queue.queue.inspect().claimed == 1)
    gate.open()
  }

  @Test("A quiet worker claims nothing more, finishes what it has, and keeps its lease")
  func quiet() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let gate = Gate()
    try await queue.push("m1")
    let handler = TestHandler { _ in await gate.pass() ? .sent : .unfinished }
    let worker = RunningWorker([queue], on: server, handler) { $0.lease = .seconds(1) }
    try await eventually("it is in hand") { handler.handled.count == 1 }
    worker.control.advance(to: .quiet)
    try await queue.push("m2")
    gate.open()
    try await eventually("the first is sent") { try await queue.counter("sent") == 1 }
    // Each after a third of the lease.
    try await queue.renewed(times: 4)
    let snapshot = try await queue.queue.inspect()
    #expect(snapshot.waiting == 1)
    #expect(snapshot.workers.first?.leaseLeft ?? .zero > .zero)
    #expect(await worker.stop() == .clean)
    #expect(handler.handled == ["m1"])
  }

  @Test("A worker that becomes quiet with empty hands leaves what comes then to others", arguments: [true, false])
  func quietAndIdle(rings: Bool) async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let handler = TestHandler()
    let worker = RunningWorker([queue], on: server, handler) { $0.lease = .seconds(1) }
    try await queue.push("m1")
    try await eventually("it has worked") { try await queue.counter("sent") == 1 }
    // A claim is under way: it stands behind a wait.
    try await queue.listenedFor()
    worker.control.advance(to: .quiet)
    if rings {
      try await queue.push("m2")
    } else {
      try await queue.run("LPUSH \(queue.name) m2")
    }
    // With each renewal its loop looks at all that there may be to do, and takes a turn.
    try await queue.renewed(times: 5)
    #expect(worker.log.count("quiet") == 1)
    #expect(try await queue.waits().isEmpty)
    #expect(try await queue.queue.inspect().waiting == 1)
    #expect(await worker.stop() == .clean)
    #expect(handler.handled == ["m1"])
    #expect(try await queue.queue.inspect().workers.isEmpty)
  }

  @Test("What is claimed in the moment in which a worker stops goes back in its order", arguments: [true, false])
  func claimedTooLate(quiet: Bool) async throws {
    let server = try await RedisServer()
    let queue = TestQueue(on: server)
    // Else Redis would ring at a push. It does so once, when it refuses.
    try await queue.run("ACL SETUSER default -blmove")
    let worker = RunningWorker([queue], on: server, TestHandler()) {
      $0.wakeTimeout = .seconds(3600)
      // A claim that shows health would ring.
      $0.lease = .seconds(3600)
    }
    try await eventually("that is refused") {
      try await queue.run("INFO commandstats").string?.contains(/cmdstat_blmove:.*rejected_calls=[1-9]/) == true
    }
    try await eventually("it waits at the bell") { try await queue.waits() == ["blpop"] }
    // Nobody rings: the claim that stands behind the bell is carried out when the wait is cut short.
    let payloads = (1...20).map { "m\($0)" }
    for payload in payloads { try await queue.run("LPUSH sms \(payload)") }
    if quiet { worker.control.advance(to: .quiet) }
    #expect(await worker.stop() == .clean)
    #expect(try await queue.queue.peek(30).map { String(decoding: $0.payload, as: UTF8.self) } == payloads)
    #expect(try await queue.queue.inspect().claimed == 0)
  }

  @Test(
    "What waits to be begun when all is cut short, or when its lease is over, is not begun",
    arguments: [true, false]
  )
  func notBegun(leaseHolds: Bool) async throws {
    let handler = TestHandler()
    let dispatcher = Dispatcher(handler: handler, options: WorkerOptions(name: "w"), logger: LogBook().logger) {}
    let lease = LeaseClock()
    lease.set(.now + .seconds(3600))
    let inbox = Inbox(wakes: LoopSignal())
    if leaseHolds { dispatcher.cancel() } else { lease.set(nil) }
    let messages = (0..<20).map { number in
      ClaimedMessage(queue: "sms", claimID: "\(number)", history: MessageHistory(id: "m"), payload: [0])
    }
    dispatcher.start(messages, Dispatcher.Claims(lease: lease, lifeNumber: 0, inbox: inbox, now: 0))
    var outcomes: [Finished] = []
    try await eventually("all are given back") {
      outcomes += inbox.take().finished
      return outcomes.count == messages.count
    }
    #expect(outcomes.map(\.settlement.verb) == messages.map { .back($0.element()) })
    #expect(outcomes.allSatisfy { $0.isCutShort == leaseHolds })
    #expect(handler.handled.isEmpty)
  }

  @Test("An idle worker stops at once, however long it waits for the bell")
  func idle() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let worker = RunningWorker([queue], on: server, TestHandler()) {
      $0.wakeTimeout = .seconds(3000)
      // No renewal ends the wait.
      $0.lease = .seconds(9000)
    }
    try await queue.listenedFor()
    #expect(await worker.stop() == .clean)
    #expect(try await queue.lines() == [])
  }

  @Test("A worker that has never reached Redis stops at once and cleanly")
  func neverConnected() async throws {
    let server = try await RedisServer()
    try await server.stop()
    let queue = TestQueue(on: server)
    let worker = RunningWorker([queue], on: server, TestHandler())
    try await eventually("it has tried") { worker.log.count("redis-lost") == 1 }
    #expect(await worker.stop() == .clean)
  }
}
