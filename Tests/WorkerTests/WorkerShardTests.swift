import MessageQueue
import RedisClient
import Synchronization
import TestSupport
import Testing

@testable import Worker

/// Workers of queues with several shards.
@Suite struct WorkerShardTests {
  private func push(_ payloads: [String], to queue: ShardedQueue) async throws {
    var pusher = Pusher(to: queue)
    let messages = payloads.map { OutgoingMessage(payload: [UInt8]($0.utf8), callerID: $0) }
    for error in await pusher.enqueue(messages, rememberIDs: .seconds(600)) { if let error { throw error } }
  }

  private func isEmpty(_ queue: ShardedQueue, shards: Int) async throws -> Bool {
    for shard in 0..<shards {
      let snapshot = try await queue.shard(shard).inspect()
      if snapshot.waiting + snapshot.scheduled + snapshot.claimed > 0 { return false }
    }
    return true
  }

  @Test("One worker serves all shards, those that were there before it and those that come, and leaves those that go")
  func servesAll() async throws {
    let test = TestQueue(on: try await .shared())
    let queue = test.sharded
    _ = try await Resharding(queue, to: 2).run()
    let handler = TestHandler()
    let worker = RunningWorker([test], on: try await .shared(), handler) { $0.lease = .seconds(1) }
    try await push((0..<20).map { "a\($0)" }, to: queue)
    try await eventually("both are served") { handler.handled.count == 20 }
    #expect(try await Resharding(queue, to: 5).run().late == [])
    #expect(worker.log.values("shard-started", "shard") == (1..<5).map { "\(queue.name).\($0)" })
    try await push((0..<50).map { "b\($0)" }, to: queue)
    // Whoever pushes to a shard by its name, as any program can, is served as well.
    _ = try await test.redis.run(RedisCommand("LPUSH", "\(queue.name.shard(4))", "plain"))
    try await eventually("all of them are served") { handler.handled.count == 71 }
    _ = try await Resharding(queue, to: 1).run()
    try await eventually("the others are left") { worker.log.count("shard-stopped") == 4 }
    for shard in 1..<5 { #expect(try await queue.shard(shard).inspect().workers.isEmpty) }
    try await push((0..<20).map { "c\($0)" }, to: queue)
    try await eventually("the last one is served") { handler.handled.count == 91 }
    // And there again.
    #expect(try await Resharding(queue, to: 3).run().late == [])
    try await push((0..<20).map { "d\($0)" }, to: queue)
    try await eventually("all are served again") { handler.handled.count == 111 }
    #expect(await worker.stop() == .clean)
    #expect(worker.log.fields("started")?["queues"] == "\(test.name)")
    #expect(Set(handler.handled).count == 111)
  }

  @Test("From one shard to six and back under load, each message is handled once, in order within its shard")
  func growsUnderLoad() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let queue = test.sharded
    let handler = TestHandler()
    let workers = ["a", "b"].map { name in
      RunningWorker([test], on: server, handler, name: name) { ($0.lease, $0.concurrency) = (.seconds(1), 5) }
    }
    let stop = Task { try await Task.sleep(for: .seconds(120)) }
    let producers = (0..<2).map { producer in
      Task {
        var (pusher, count) = (Pusher(to: test.sharded), 0)
        while !stop.isCancelled {
          let ids = (count..<count + 10).map { "\(producer)-\($0)" }
          let messages = ids.map { OutgoingMessage(payload: [UInt8]($0.utf8), callerID: $0) }
          for error in await pusher.enqueue(messages, rememberIDs: .seconds(600)) { if let error { throw error } }
          count += 10
          // Tasks that never rest leave no thread to the others.
          try await Task.sleep(for: .milliseconds(3))
        }
        return count
      }
    }
    for number in [6, 3, 1] {
      let outcome = try await Resharding(queue, to: number).run()
      #expect(outcome.late == [] && outcome.strays == [])
      let handled = handler.handled.count
      try await eventually("messages are handled") { handler.handled.count > handled + 200 }
    }
    stop.cancel()
    var pushed = 0
    for producer in producers { pushed += try await producer.value }
    try await eventually(within: .seconds(60), "all is done") { try await isEmpty(queue, shards: 6) }
    for worker in workers { #expect(await worker.stop() == .clean) }
    #expect(handler.handled.count == pushed)
    #expect(Set(handler.handled).count == pushed)
    for shard in 0..<6 {
      #expect(InvariantCheck(try await test.dump(shard: shard)).violations() == [])
    }
  }

  @Test("With a concurrency of 1, each shard has its turn, in order within it", arguments: [1, 3])
  func fair(concurrency: Int) async throws {
    let test = TestQueue(on: try await .shared())
    let queue = test.sharded
    _ = try await Resharding(queue, to: 4).run()
    let spread = try await queue.first.shardNumbers().spread
    for shard in 0..<4 {
      let messages = (0..<50).map { OutgoingMessage(payload: [UInt8]("\(shard):\($0)".utf8)) }
      _ = try await queue.shard(shard).enqueue(messages, spread: spread)
    }
    // Held until all shards are served.
    try await queue.pause()
    let handler = TestHandler { _ in
      try? await Task.sleep(for: .milliseconds(1))
      return .sent
    }
    let worker = RunningWorker([test], on: try await .shared(), handler) { $0.concurrency = concurrency }
    try await eventually("all are served") {
      for shard in 0..<4 where try await queue.shard(shard).inspect().workers.isEmpty { return false }
      return true
    }
    try await queue.resume()
    try await eventually("all is done") { try await isEmpty(queue, shards: 4) }
    await worker.stop()
    let order = handler.handled
    for shard in 0..<4 {
      let own = order.filter { $0.hasPrefix("\(shard):") }
      if concurrency == 1 { #expect(own == (0..<50).map { "\(shard):\($0)" }) }
      // Not one behind the other: of the first half each shard has its share.
      let early = order.prefix(100).count { $0.hasPrefix("\(shard):") }
      #expect((15...35).contains(early), "shard \(shard) has \(early) of the first 100")
    }
  }

  @Test("A shard that is named to a worker as a queue is served once, in its own place")
  func named() async throws {
    let test = TestQueue(on: try await .shared())
    let queue = test.sharded
    _ = try await Resharding(queue, to: 3).run()
    let handler = TestHandler()
    let log = LogBook()
    var options = WorkerOptions(name: "w")
    options.wakeTimeout = .milliseconds(50)
    let server = try await RedisServer.shared()
    let worker = Worker(
      queues: [queue.name.shard(2), queue.name],
      redis: server.endpoint,
      handler: handler,
      options: options,
      logger: log.logger
    )
    let end = Task { await worker.run() }
    try await push((0..<30).map { "\($0)" }, to: queue)
    try await eventually("all are handled") { handler.handled.count == 30 }
    #expect(log.values("shard-started", "shard") == ["\(queue.name).1"])
    worker.control.stop()
    #expect(await end.value == .clean)
    #expect(log.count("superseded") == 0)
  }

  /// A queue of so many shards with so many messages in each.
  private func filled(_ shards: Int, _ count: Int) async throws -> (TestQueue, ShardedQueue) {
    let test = TestQueue(on: try await .shared())
    let queue = test.sharded
    _ = try await Resharding(queue, to: shards).run()
    let spread = try await queue.first.shardNumbers().spread
    for shard in 0..<shards {
      let messages = (0..<count).map { OutgoingMessage(payload: [UInt8]("\(shard):\($0)".utf8)) }
      _ = try await queue.shard(shard).enqueue(messages, spread: spread)
    }
    return (test, queue)
  }

  @Test("A shard that is refused stops no other, and is served when it is mended")
  func refused() async throws {
    let (test, queue) = try await filled(3, 10)
    let broken = queue.shard(1).keys.workers
    _ = try await test.redis.run(RedisCommand("SET", broken, "x"))
    let handler = TestHandler()
    let worker = RunningWorker([test], on: try await .shared(), handler) { $0.lease = .seconds(1) }
    try await eventually("the others are served") { handler.handled.count == 20 }
    #expect(!handler.handled.contains { $0.hasPrefix("1:") })
    #expect(worker.log.values("queue-error", "queue") == ["\(queue.name).1"])
    _ = try await test.redis.run(RedisCommand("DEL", broken))
    try await eventually("all are served") { handler.handled.count == 30 }
    #expect(await worker.stop() == .clean)
  }

  @Test("A stop gives back what is in hand of each shard, each to its own")
  func givesBack() async throws {
    let (test, queue) = try await filled(3, 2)
    let handler = TestHandler { _ in
      try? await Task.sleep(for: .seconds(600))
      return .unfinished
    }
    let worker = RunningWorker([test], on: try await .shared(), handler) { $0.drain = .zero }
    try await eventually("all are in hand") { handler.handled.count == 6 }
    #expect(await worker.stop() == .unfinished(6))
    for shard in 0..<3 {
      #expect(
        try await queue.shard(shard).peek(9).map { String(decoding: $0.payload, as: UTF8.self) } == [
          "\(shard):0", "\(shard):1",
        ]
      )
      #expect(try await queue.shard(shard).inspect().workers.isEmpty)
    }
    #expect(worker.log.count("draining") == 1)
  }

  @Test("A newer worker with the same name takes over in all shards, and the older one ends")
  func superseded() async throws {
    let (test, queue) = try await filled(3, 0)
    let older = RunningWorker([test], on: try await .shared(), TestHandler(), name: "same") { $0.lease = .seconds(1) }
    try await eventually("it serves all shards") { older.log.count("shard-started") == 2 }
    let handler = TestHandler()
    let newer = RunningWorker([test], on: try await .shared(), handler, name: "same") { $0.lease = .seconds(1) }
    guard case .superseded(_, unfinished: 0) = await older.end() else {
      throw NeverHappened(description: "not superseded")
    }
    #expect(older.log.count("superseded") == 1)
    try await push((0..<30).map { "\($0)" }, to: queue)
    try await eventually("the newer one serves all") { handler.handled.count == 30 }
    #expect(await newer.stop() == .clean)
  }

  @Test("A message that may be poison is alone in hand, whichever shard it is in")
  func suspect() async throws {
    let (test, queue) = try await filled(3, 20)
    let history = MessageHistory(id: "x", crashes: 2)
    var push = RedisCommand("RPUSH", "\(queue.name.shard(1))")
    push.append(Element(history: history, payload: [UInt8]("suspect".utf8)).sealed)
    _ = try await test.redis.run(push)
    let inHand = Mutex((now: 0, most: 0, beside: 0))
    let handler = TestHandler { message in
      inHand.withLock {
        $0.now += 1
        if message.text == "suspect" { $0.beside = $0.now - 1 }
      }
      try? await Task.sleep(for: .milliseconds(5))
      inHand.withLock {
        if message.text == "suspect" { $0.beside = max($0.beside, $0.now - 1) }
        $0.now -= 1
      }
      return .sent
    }
    let worker = RunningWorker([test], on: try await .shared(), handler) { $0.concurrency = 4 }
    try await eventually("all is done") { handler.handled.count == 61 }
    await worker.stop()
    #expect(inHand.withLock(\.beside) == 0)
  }
}
