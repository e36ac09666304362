import MessageQueue
import TestSupport
import Testing

@testable import Worker

@Suite struct WorkerOutcomeTests {
  @Test("A temporary failure comes back until it works, and remembers its tries")
  func retry() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let handler = TestHandler { $0.attempt < 3 ? .retry(reason: "throttled", after: nil) : .sent }
    let worker = RunningWorker([queue], on: server, handler)
    try await queue.push("m")
    try await queue.drained()
    await worker.stop()
    #expect(handler.handled == ["m", "m", "m"])
    #expect(try await queue.lines() == ["{sms}:stats: pushed=1 retried=2 sent=1"])
  }

  @Test("A failure is scheduled no earlier than the gateway asked")
  func retryAfter() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let worker = RunningWorker(
      [queue],
      on: server,
      TestHandler { _ in .retry(reason: "throttled", after: .seconds(290)) }
    )
    try await queue.push("m")
    try await eventually("it is scheduled") { try await queue.queue.inspect().scheduled == 1 }
    await worker.stop()
    let lines = try await queue.lines()
    #expect(lines[0].hasPrefix("{sms}:later: m<") && lines[0].hasSuffix("failures=1>@now+5m"))
  }

  @Test("After the last attempt a message goes to the dead letters, whole, with the last reason")
  func gaveUp() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let handler = TestHandler { _ in .retry(reason: "queue full", after: nil) }
    let worker = RunningWorker([queue], on: server, handler) { $0.maxAttempts = 2 }
    try await queue.push("m")
    try await queue.drained()
    await worker.stop()
    #expect(handler.handled.count == 2)
    let lines = try await queue.lines()
    #expect(lines[0].contains("m<") && lines[0].contains("failures=2 reason=gave up after 2 attempts: queue full"))
    #expect(lines[1] == "{sms}:stats: dead_total=1 pushed=1 retried=1")
  }

  @Test("Expired messages are counted, dead ones kept; neither is tried again")
  func expiredAndDead() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let handler = TestHandler { $0.text == "old" ? .expired : .refused(reason: "invalid number") }
    let worker = RunningWorker([queue], on: server, handler)
    try await queue.push("old", "bad")
    try await queue.drained()
    await worker.stop()
    #expect(handler.handled.count == 2)
    let lines = try await queue.lines()
    #expect(lines[0].hasPrefix("{sms}:dead: bad<") && lines[0].hasSuffix("reason=invalid number>@now"))
    #expect(lines[1] == "{sms}:stats: dead_total=1 expired=1 pushed=2")
  }

  @Test("The back-off doubles up to its bound, and any time below it may be drawn")
  func backoff() {
    let backoff = Backoff(base: .seconds(2), max: .seconds(60))
    #expect((1...7).map { backoff.bound(afterFailures: $0) } == [2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
    #expect(backoff.bound(afterFailures: 1_000_000) == .seconds(60))
    let delays = (0..<1000).map { _ in backoff.delay(afterFailures: 5, jitter: .random(in: 0..<1)) }
    #expect(delays.allSatisfy { $0 >= .zero && $0 <= .seconds(32) })
    #expect(delays.contains { $0 < .seconds(8) } && delays.contains { $0 > .seconds(24) })
  }
}
