import MessageQueue
import Synchronization
import TestSupport
import Testing

@testable import Worker

/// A worker at a gateway that throttles, fails, or cannot say.
@Suite struct WorkerGatewayTests {
  /// What a handler was given, and how often.
  private final class Counter: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    func count(_ key: String) -> Int {
      counts.withLock { counts in
        counts[key, default: 0] += 1
        return counts[key] ?? 0
      }
    }

    var total: Int { counts.withLock { $0.values.reduce(0, +) } }
  }

  @Test("What is throttled is no failure: with one attempt allowed, all are sent")
  func throttled() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push((0..<200).map { "m-\($0)" })
    let tries = Counter()
    let handler = TestHandler { message in
      // Each third try is refused.
      tries.count("all").isMultiple(of: 3) ? .throttled(reason: "slow down", after: .milliseconds(5)) : .sent
    }
    let worker = RunningWorker([queue], on: server, handler) { $0.maxAttempts = 1 }
    try await queue.drained()
    #expect(await worker.stop() == .clean)
    #expect(try await queue.counter("sent") == 200)
    #expect(try await queue.counter("dead_total") == 0)
    #expect(worker.log.count("gateway-throttled") == 1)
    #expect(Set(worker.log.values("retry", "attempt")) == ["1"])
  }

  @Test("A throttle holds back what has not begun, and that goes back in its old order")
  func heldBack() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let payloads = (0..<300).map { "m-\($0)" }
    try await queue.push(payloads)
    let isRefusing = Mutex(true)
    let handler = TestHandler { _ in
      isRefusing.withLock { $0 } ? .throttled(reason: "slow down", after: .seconds(3_600)) : .sent
    }
    let worker = RunningWorker([queue], on: server, handler) { $0.concurrency = 250 }
    try await eventually("the worker holds nothing") {
      let snapshot = try await queue.queue.inspect()
      return snapshot.claimed == 0 && snapshot.scheduled > 0
    }
    let refused = handler.handled.count
    #expect(refused < 50)
    // In the list the oldest is the last; each stands behind its envelope by now.
    let elements = try await queue.run("LRANGE sms 0 -1").array ?? []
    let waiting = elements.reversed().compactMap { $0.string?.split(separator: "\n").last.map(String.init) }
    #expect(waiting == payloads.filter { !handler.handled.contains($0) })
    #expect(await worker.stop() == .clean)
    #expect(handler.handled.count == refused)
  }

  @Test("A message that is throttled for ever does not hold up the others for ever")
  func oneOfThem() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push(["always"] + (0..<100).map { "m-\($0)" })
    let handler = TestHandler { message in
      message.text == "always" ? .throttled(reason: "queue full", after: .milliseconds(20)) : .sent
    }
    let worker = RunningWorker([queue], on: server, handler) { $0.backoff.max = .seconds(3_600) }
    try await eventually("the others are sent") { try await queue.counter("sent") == 100 }
    await worker.stop()
    #expect(try await queue.queue.inspect().scheduled + queue.queue.inspect().waiting == 1)
    #expect(worker.log.count("dead") == 0)
  }

  @Test("A gateway that fails every try costs no message its attempts, and is probed until it is back")
  func lost() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push((0..<60).map { "m-\($0)" })
    let isDown = Mutex(true)
    let handler = TestHandler { _ in isDown.withLock { $0 } ? .retry(reason: "system_error", after: nil) : .sent }
    let worker = RunningWorker([queue], on: server, handler) { $0.maxAttempts = 2 }
    try await eventually("it is noticed") { worker.log.count("gateway-lost") == 1 }
    let tried = handler.handled.count
    try await eventually("it is probed") { handler.handled.count > tried + 1 }
    isDown.withLock { $0 = false }
    try await queue.drained()
    #expect(await worker.stop() == .clean)
    #expect(worker.log.count("gateway-back") == 1)
    #expect(try await queue.counter("sent") == 60)
    #expect(worker.log.count("dead") == 0)
  }

  @Test("A single message that always fails is given up, and the gateway is not called lost")
  func poison() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push("poison")
    let handler = TestHandler { _ in .retry(reason: "system_error", after: nil) }
    let worker = RunningWorker([queue], on: server, handler) { $0.maxAttempts = 30 }
    try await eventually("it is dead") { try await queue.counter("dead_total") == 1 }
    await worker.stop()
    #expect(handler.handled.count == 30)
    #expect(worker.log.count("gateway-lost") == 0)
  }

  @Test("A few messages that always fail, and look like an outage, do not keep the others from being tried")
  func poisons() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    try await queue.push((0..<6).map { "poison-\($0)" })
    let handler = TestHandler { $0.text.hasPrefix("poison") ? .retry(reason: "system_error", after: nil) : .sent }
    let worker = RunningWorker([queue], on: server, handler) { $0.maxAttempts = 4 }
    try await eventually("it looks lost") { worker.log.count("gateway-lost") == 1 }
    try await queue.push((0..<20).map { "m-\($0)" })
    try await eventually(within: .seconds(120), "the others are sent") { try await queue.counter("sent") == 20 }
    await worker.stop()
    #expect(worker.log.count("gateway-back") >= 1)
  }

  @Test("What may have been sent is sent again, or with onUnknown hold lies among the dead letters")
  func unknown() async throws {
    for onUnknown in WorkerOptions.MayBeSent.allCases {
      let server = try await RedisServer.shared()
      let queue = TestQueue(on: server)
      try await queue.push("once", "sure")
      let tries = Counter()
      let handler = TestHandler { message in
        message.text == "once" && tries.count("once") == 1 ? .unknown(reason: "no_answer: it broke") : .sent
      }
      let worker = RunningWorker([queue], on: server, handler) { $0.onUnknown = onUnknown }
      try await queue.drained()
      await worker.stop()
      #expect(tries.total == (onUnknown == .resend ? 2 : 1))
      #expect(try await queue.counter("sent") == (onUnknown == .resend ? 2 : 1))
      let reasons = worker.log.values("dead", "reason")
      #expect(reasons == (onUnknown == .resend ? [] : ["unknown: it may have been sent: no_answer: it broke"]))
    }
  }
}
