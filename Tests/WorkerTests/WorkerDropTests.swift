import MessageQueue
import RedisClient
import Synchronization
import TestSupport
import Testing

@testable import Worker

@Suite struct WorkerDropTests {
  /// A log whose reader the test holds up.
  private final class Output: LogOutput {
    struct State {
      var isStalled = false
      var lost = 0
      /// Throws one line away each time it is asked.
      var isFull = false
    }

    let state = Mutex(State())

    func flushed(within timeout: Duration) async -> Int? {
      state.withLock { state in
        if state.isFull { state.lost += 1 }
        return state.isStalled ? nil : state.lost
      }
    }
  }

  /// A log that takes the first hundred letters, and the next when its gate is opened.
  private final class SlowOutput: LogOutput {
    let gate = Gate()
    let calls = Mutex(0)

    func flushed(within timeout: Duration) async -> Int? {
      // Asked before and after each hundred.
      if calls.withLock({ calls in
        calls += 1; return calls
      }) > 2 {
        _ = await gate.pass()
      }
      return 0
    }
  }

  @Test("Dead letters that fall off are logged whole, then removed")
  func dropped() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let worker = RunningWorker([queue], on: server, TestHandler { _ in .refused(reason: "bad") }) {
      $0.deadLetters = DeadLetterBounds(count: 1, age: nil)
      $0.concurrency = 1
    }
    _ = try await queue.queue.enqueue(
      [[UInt8]("first".utf8), [0xFF, 0x00, 0x41], [UInt8]("last".utf8)].map { OutgoingMessage(payload: $0) }
    )
    try await eventually("two fell off") { try await queue.counter("dead_dropped") == 2 }
    await worker.stop()
    #expect(worker.log.values("dead-dropped", "payload") == ["first", ""])
    // Bytes that are no text would not be whole as one.
    #expect(worker.log.values("dead-dropped", "payload_base64") == ["", "/wBB"])
    #expect(worker.log.values("dead-dropped", "reason") == ["bad", "bad"])
    #expect(worker.log.values("dead-dropped", "id").allSatisfy { !$0.isEmpty })
    #expect(try await queue.queue.inspect().dead == 1)
    #expect(InvariantCheck(try await queue.dump()).violations() == [])
  }

  @Test("What is too old falls off where nothing dies: as a worker starts, and later")
  func old() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let grave = RunningWorker([queue], on: server, TestHandler { _ in .refused(reason: "bad") })
    try await queue.push("first")
    try await eventually("it is dead") { try await queue.queue.inspect().dead == 1 }
    await grave.stop()
    let worker = RunningWorker([queue], on: server, TestHandler()) {
      $0.deadLetters = DeadLetterBounds(count: nil, age: .milliseconds(1))
      $0.lease = .milliseconds(900)
    }
    try await eventually("it fell off") { try await queue.counter("dead_dropped") == 1 }
    let other = RunningWorker([queue], on: server, TestHandler { _ in .refused(reason: "bad") }, name: "other") {
      $0.deadLetters = DeadLetterBounds(count: nil, age: nil)
    }
    worker.control.advance(to: .quiet)
    try await queue.push("second")
    try await eventually("it is dead") { try await queue.counter("dead_total") == 2 }
    await other.stop()
    try await eventually("it fell off") { try await queue.counter("dead_dropped") == 2 }
    await worker.stop()
    #expect(worker.log.values("dead-dropped", "payload") == ["first", "second"])
  }

  @Test("While the log takes no lines, letters over the bounds stay; when it does again, they fall off")
  func stalled() async throws {
    let server = try await RedisServer.shared()
    for isFull in [false, true] {
      let queue = TestQueue(on: server)
      let output = Output()
      output.state.withLock { ($0.isStalled, $0.isFull) = (!isFull, isFull) }
      let handler = TestHandler { _ in .refused(reason: "bad") }
      let worker = RunningWorker([queue], on: server, handler, output: output) {
        $0.deadLetters = DeadLetterBounds(count: 1, age: nil)
        $0.lease = .milliseconds(400)
      }
      try await queue.push("a", "b", "c")
      try await queue.drained()
      // It goes on with all else, and tries again after two leases.
      try await Task.sleep(for: .milliseconds(1_500))
      #expect(try await queue.queue.inspect().dead == 3)
      output.state.withLock { ($0.isStalled, $0.isFull) = (false, false) }
      try await eventually("they fall off") { try await queue.counter("dead_dropped") == 2 }
      await worker.stop()
      #expect(Set(worker.log.values("dead-dropped", "payload")) == ["a", "b"])
      #expect(isFull || worker.log.count("dead-dropped") == 2)
    }
  }

  @Test(
    "While letters fall off by the hundred, and while they cannot, a push wakes an idle worker",
    arguments: [true, false]
  )
  func pushed(canDrop: Bool) async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let grave = RunningWorker([queue], on: server, TestHandler { _ in .refused(reason: "bad") })
    try await queue.push((0..<250).map { "dead\($0)" })
    try await eventually("all are dead") { try await queue.queue.inspect().dead == 250 }
    await grave.stop()

    if !canDrop { try await queue.run("HSET {sms}:dropping not a-string") }
    let output = SlowOutput()
    let handler = TestHandler()
    let worker = RunningWorker([queue], on: server, handler, output: output) {
      $0.deadLetters = DeadLetterBounds(count: 1, age: nil)
      $0.wakeTimeout = .seconds(3600)
      $0.lease = .seconds(3600)
    }
    if canDrop {
      try await eventually("the log is slow") { output.calls.withLock { $0 } == 3 }
    } else {
      try await eventually("it has failed") { worker.log.count("queue-error") == 1 }
    }
    try await queue.listenedFor()
    try await queue.run("LPUSH sms m")
    try await eventually("it is handled") { handler.handled == ["m"] }
    #expect(try await queue.queue.inspect().dead > 1)
    output.gate.open()
    if !canDrop { try await queue.run("DEL {sms}:dropping") }
    try await eventually("they fell off") { try await queue.queue.inspect().dead == 1 }
    await worker.stop()
  }

  @Test("Of workers that bury at once, one logs what falls off: each letter is logged once")
  func several() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let workers = (0..<3).map { number in
      RunningWorker([queue], on: server, TestHandler { _ in .refused(reason: "bad") }, name: "w\(number)") {
        $0.deadLetters = DeadLetterBounds(count: 10, age: nil)
        $0.concurrency = 20
      }
    }
    let payloads = (0..<5_000).map { "m\($0)" }
    for start in stride(from: 0, to: payloads.count, by: 250) {
      try await queue.push(Array(payloads[start..<start + 250]))
    }
    try await eventually("none is over the bound") {
      let snapshot = try await queue.queue.inspect()
      return snapshot.dead == 10 && snapshot.counters["dead_total"] == payloads.count
    }
    for worker in workers { await worker.stop() }
    let logged = workers.flatMap { $0.log.values("dead-dropped", "payload") }
    #expect(logged.count == payloads.count - 10)
    #expect(Set(logged).count == logged.count)
    #expect(InvariantCheck(try await queue.dump()).violations() == [])
  }
}
