import MessageQueue
import Synchronization
import TestSupport
import Testing

@testable import Worker

@Suite struct WorkerTurnTests {
  @Test("Messages are handled in the order in which they were pushed")
  func order() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let payloads = (1...50).map { "m\($0)" }
    try await queue.push(payloads)
    let handler = TestHandler()
    let worker = RunningWorker([queue], on: server, handler) { $0.concurrency = 1 }
    try await queue.drained()
    #expect(await worker.stop() == .clean)
    #expect(handler.handled == payloads)
    #expect(try await queue.lines() == ["{sms}:stats: pushed=50 sent=50"])
  }

  @Test("A message is settled when it is finished, while others are still in hand")
  func settlesAtOnce() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let gate = Gate()
    try await queue.push("slow", "fast")
    let handler = TestHandler { message in
      if message.text == "slow" { _ = await gate.pass() }
      return .sent
    }
    let worker = RunningWorker([queue], on: server, handler) { $0.concurrency = 2 }
    try await eventually("the fast one is settled") { try await queue.counter("sent") == 1 }
    #expect(try await queue.queue.inspect().claimed == 1)
    gate.open()
    try await queue.drained()
    await worker.stop()
  }

  @Test("Never more messages are in hand than the concurrency says, and a full worker keeps its pipe full")
  func concurrency() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let inHand = Mutex((now: 0, most: 0))
    let full = Gate()
    try await queue.push((1...500).map { "m\($0)" })
    let handler = TestHandler { _ in
      let most = inHand.withLock {
        $0.now += 1
        $0.most = max($0.most, $0.now)
        return $0.most
      }
      // None ends before all that may be are in hand, however slowly they start.
      if most == 20 { full.open() }
      _ = await full.pass()
      try? await Task.sleep(for: .milliseconds(5))
      inHand.withLock { $0.now -= 1 }
      return .sent
    }
    let worker = RunningWorker([queue], on: server, handler) { $0.concurrency = 20 }
    try await queue.drained()
    await worker.stop()
    #expect(inHand.withLock(\.most) == 20)
  }

  @Test("The first queue is emptied before the second one is touched")
  func priority() async throws {
    // A queue whose loop is held up for long, by a busy host, holds up no other: then the test says nothing, and is done anew.
    for _ in 1...5 {
      let handled = try await handledByPriority()
      #expect(handled.count == 40)
      if handled.prefix(20).allSatisfy({ $0.hasPrefix("urgent") }) { return }
    }
    Issue.record("five times messages of the second queue came before the first one was empty")
  }

  /// What a worker of two queues with 20 messages each has handled, in that order.
  private func handledByPriority() async throws -> [String] {
    let server = try await RedisServer.shared()
    let (urgent, other) = (TestQueue(on: server), TestQueue(on: server))
    try await other.push((1...20).map { "other\($0)" })
    try await urgent.push((1...20).map { "urgent\($0)" })
    let handler = TestHandler()
    let worker = RunningWorker([urgent, other], on: server, handler) { $0.concurrency = 5 }
    try await urgent.drained()
    try await other.drained()
    await worker.stop()
    return handler.handled
  }

  @Test("A message for a more urgent queue does not wait until another queue is empty")
  func urgent() async throws {
    let server = try await RedisServer.shared()
    let (urgent, other) = (TestQueue(on: server), TestQueue(on: server))
    let count = 30_000
    try await other.push((1...count).map { "other\($0)" })
    let handler = TestHandler()
    let worker = RunningWorker([urgent, other], on: server, handler) { $0.concurrency = 5 }
    try await eventually("it is at work") { handler.handled.count > 100 }
    try await urgent.push("urgent")
    let pushed = handler.handled.count
    try await urgent.drained()
    await worker.stop()
    let place = try #require(handler.handled.firstIndex(of: "urgent"))
    #expect(place < pushed + count / 10, "pushed when \(pushed) had been handled")
  }

  @Test("With several queues, messages come with the bell of each, and there is never more in hand than may be")
  func severalBells() async throws {
    let server = try await RedisServer.shared()
    let queues = (0..<3).map { _ in TestQueue(on: server) }
    let inHand = Mutex((now: 0, most: 0))
    let handler = TestHandler { _ in
      inHand.withLock {
        $0.now += 1
        $0.most = max($0.most, $0.now)
      }
      try? await Task.sleep(for: .milliseconds(5))
      inHand.withLock { $0.now -= 1 }
      return .sent
    }
    let worker = RunningWorker(queues, on: server, handler) {
      $0.wakeTimeout = .seconds(3600)
      $0.concurrency = 10
    }
    for round in 0..<20 {
      for queue in queues { try await queue.listenedFor() }
      try await withThrowingTaskGroup { group in
        for queue in queues { group.addTask { try await queue.push((0..<30).map { "\(round) \($0)" }) } }
        try await group.waitForAll()
      }
      for queue in queues { try await queue.drained() }
    }
    #expect(await worker.stop() == .clean)
    #expect(inHand.withLock(\.most) <= 10)
    for queue in queues {
      #expect(try await queue.counter("sent") == 600)
      #expect(InvariantCheck(try await queue.dump()).violations() == [])
    }
  }

  @Test("A scheduled message is sent when it is due, though nobody rings then")
  func scheduled() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let message = OutgoingMessage(payload: [UInt8]("later".utf8), due: .after(.milliseconds(300)))
    _ = try await queue.queue.enqueue([message])
    let worker = RunningWorker([queue], on: server, TestHandler())
    try await eventually("it is sent") { try await queue.counter("sent") == 1 }
    await worker.stop()
  }

  @Test("While a queue is paused nothing is claimed from it")
  func paused() async throws {
    let server = try await RedisServer.shared()
    let (pausedQueue, other) = (TestQueue(on: server), TestQueue(on: server))
    try await pausedQueue.queue.pause()
    try await pausedQueue.push("held")
    let worker = RunningWorker([pausedQueue, other], on: server, TestHandler())
    try await other.push("m")
    try await eventually("the other queue's is sent") { try await other.counter("sent") == 1 }
    #expect(try await pausedQueue.queue.inspect().waiting == 1)
    try await pausedQueue.queue.resume()
    try await eventually("it goes on") { try await pausedQueue.counter("sent") == 1 }
    await worker.stop()
  }

  @Test("Several workers share a queue, and each message is handled once")
  func several() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let payloads = (1...3000).map { "m\($0)" }
    let handler = TestHandler()
    let workers = (1...4).map { RunningWorker([queue], on: server, handler, name: "w\($0)") { $0.concurrency = 16 } }
    try await queue.push(payloads)
    try await queue.drained()
    for worker in workers { #expect(await worker.stop() == .clean) }
    #expect(handler.handled.sorted() == payloads.sorted())
    #expect(InvariantCheck(try await queue.dump()).violations() == [])
  }
}
