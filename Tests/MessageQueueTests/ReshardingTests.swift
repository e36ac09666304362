import RedisClient
import TestSupport
import Testing

@testable import MessageQueue

@Suite("Another number of shards")
struct ReshardingTests {
  private let test: TestQueue
  private let queue: ShardedQueue

  init() async throws {
    test = TestQueue(on: try await .shared())
    queue = test.sharded
  }

  private func refusal(_ shards: Int, patience: Duration? = nil) async throws -> Resharding.Refusal? {
    do {
      _ = try await Resharding(queue, to: shards, patience: patience).run()
      return nil
    } catch let refusal as Resharding.Refusal {
      return refusal
    }
  }

  private func join(_ shards: Range<Int>, name: String = "w") async throws {
    for shard in shards {
      _ = try await queue.shard(shard).join(WorkerLife(name: name), lease: .seconds(1))
    }
  }

  private func push(_ payload: String, to shard: Int, due: OutgoingMessage.Due = .now) async throws {
    let spread = try await queue.first.shardNumbers().spread
    _ = try await queue.shard(shard).enqueue([OutgoingMessage(payload: bytes(payload), due: due)], spread: spread)
  }

  @Test("Without workers nobody is waited for, and the queue is used as it was when there is one shard again")
  func thereAndBack() async throws {
    let grown = try await Resharding(queue, to: 8).run()
    #expect(grown.numbers.served == 8 && grown.numbers.spread.shards == 8 && grown.late == [] && grown.strays == [])
    #expect(try await Resharding(queue, to: 8).run().numbers == grown.numbers)
    let shrunk = try await Resharding(queue, to: 1).run()
    #expect(shrunk.numbers.all == 1)
    #expect(
      try await queue.first.enqueue([OutgoingMessage(payload: bytes("a"))])
        == .queued(count: 1, waiting: 1, duplicates: [])
    )
    // They were shards, and so may be again, whatever is left of that.
    #expect(try await Resharding(queue, to: 3).run().numbers.all == 3)
  }

  @Test("A queue that was never sharded and is given one shard is as it was")
  func one() async throws {
    #expect(try await Resharding(queue, to: 1).run().numbers == .unsharded)
    #expect(try await test.dump().lines == [])
  }

  @Test("Pushes go to new shards when the workers have joined them, and not before")
  func waitsForWorkers() async throws {
    try await join(0..<1)
    let change = Task { try await Resharding(queue, to: 3).run() }
    try await eventually("workers are told") { try await queue.first.shardNumbers().served == 3 }
    #expect(try await queue.first.shardNumbers().spread.shards == 1)
    try await join(0..<3)
    let outcome = try await change.value
    #expect(outcome.numbers.spread.shards == 3 && outcome.late == [])
  }

  @Test("Where there are workers and none serves a shard, nothing is pushed there; a late one alone is named")
  func late() async throws {
    let keepAlive = Task { [self] in
      while !Task.isCancelled {
        try await join(0..<1, name: "old")
        try await Task.sleep(for: .milliseconds(100))
      }
    }
    #expect(try await refusal(2) == .notServed(queue.name.shard(1)))
    #expect(try await queue.first.shardNumbers().spread.shards == 1)
    let other = Task { [self] in
      while !Task.isCancelled {
        try await join(0..<2, name: "new")
        try await Task.sleep(for: .milliseconds(100))
      }
    }
    let outcome = try await Resharding(queue, to: 2).run()
    #expect(outcome.late == ["old"] && outcome.numbers.spread.shards == 2)
    keepAlive.cancel()
    other.cancel()
  }

  @Test("The last shards are served until they are empty, scheduled messages included; an interrupted change goes on")
  func shrink() async throws {
    _ = try await Resharding(queue, to: 4).run()
    try await push("a", to: 2)
    try await push("b", to: 3, due: .after(.seconds(600)))
    let names = [queue.name.shard(2), queue.name.shard(3)]
    #expect(try await refusal(2, patience: .zero) == .notEmpty(names, 2))
    let between = try await queue.first.shardNumbers()
    #expect(between.served == 4 && between.spread.shards == 2)
    // Nothing more gets there.
    let late = try await queue.shard(3).enqueue(
      [OutgoingMessage(payload: bytes("c"))],
      spread: Spread(generation: 2, shards: 4)
    )
    #expect(late == .stale(between.spread))
    for shard in 2..<4 {
      _ = try await test.redis.run(RedisCommand("DEL", queue.shard(shard).keys.list, queue.shard(shard).keys.later))
    }
    #expect(try await Resharding(queue, to: 2).run().numbers.all == 2)
  }

  @Test("A change that is wanted no more is taken back from where it is")
  func takenBack() async throws {
    _ = try await Resharding(queue, to: 4).run()
    try await push("a", to: 3)
    #expect(try await refusal(1, patience: .zero) == .notEmpty([queue.name.shard(3)], 1))
    let outcome = try await Resharding(queue, to: 4).run()
    #expect(outcome.numbers.served == 4 && outcome.numbers.spread.shards == 4)
    try await push("b", to: 3)
    #expect(try await queue.shard(3).inspect().waiting == 2)
  }

  @Test("Dead letters are not left behind: the change is refused before anything is changed")
  func deadLetters() async throws {
    _ = try await Resharding(queue, to: 3).run()
    let before = try await queue.first.shardNumbers()
    _ = try await test.redis.run(RedisCommand("ZADD", queue.shard(2).keys.dead, "1", "x"))
    #expect(try await refusal(2) == .deadLetters([queue.name.shard(2)], 1, isUnchanged: true))
    #expect(try await queue.first.shardNumbers() == before)
  }

  @Test(
    "A queue that works by itself does not become a shard of another",
    arguments: ["workers", "counters", "shards"]
  )
  func otherQueue(sign: String) async throws {
    let other = MessageQueue(queue.name.shard(2), on: test.redis)
    switch sign {
    case "workers": _ = try await other.join(WorkerLife(name: "w"), lease: .seconds(60))
    case "counters": _ = try await other.enqueue([OutgoingMessage(payload: bytes("a"))])
    default: _ = try await Resharding(ShardedQueue(other.name) { _ in test.redis }, to: 2).run()
    }
    #expect(try await refusal(4) == .isQueue(other.name, has: sign))
    #expect(try await queue.first.shardNumbers() == .unsharded)
    #expect(try await refusal(2) == nil)
  }

  @Test("A list that was only ever pushed to may become a shard; a shard has none of its own; names stay short")
  func names() async throws {
    _ = try await test.redis.run(RedisCommand("LPUSH", "\(queue.name.shard(1))", "early"))
    #expect(try await refusal(2) == nil)
    let shard = ShardedQueue(queue.name.shard(1)) { _ in test.redis }
    await #expect(throws: Resharding.Refusal.isShard(of: queue.name)) { try await Resharding(shard, to: 2).run() }
    let long = ShardedQueue(try #require(QueueName(String(repeating: "x", count: 62)))) { _ in test.redis }
    await #expect(throws: Resharding.Refusal.nameTooLong) { try await Resharding(long, to: 11).run() }
    _ = try await Resharding(long, to: 10).run()
  }

  @Test("New shards of a queue that is paused are paused")
  func paused() async throws {
    try await queue.pause()
    _ = try await Resharding(queue, to: 3).run()
    for shard in try await queue.shards() { #expect(try await shard.inspect().paused) }
    try await queue.resume()
    for shard in try await queue.shards() { #expect(try await !shard.inspect().paused) }
  }

  @Test("Pushers that go on while the number changes lose nothing and leave nothing where nobody works")
  func concurrent() async throws {
    let stop = Task { try await Task.sleep(for: .seconds(60)) }
    let pushers = (0..<4).map { pusher in
      Task { [test] in
        var own = Pusher(to: test.sharded)
        var count = 0
        while !stop.isCancelled {
          let id = "\(pusher)-\(count)"
          let message = OutgoingMessage(payload: bytes(id), callerID: count.isMultiple(of: 2) ? id : nil)
          guard case (.queued(1, _, _), _) = try await own.enqueue(message, rememberIDs: .seconds(600)) else {
            return -1
          }
          count += 1
          // Tasks that never rest leave no thread to the others.
          try await Task.sleep(for: .milliseconds(1))
        }
        return count
      }
    }
    // What workers would do: empties the shards that are to be no more, and remembers what was in them.
    let drainer = Task { [test] in
      var taken: [String] = []
      let shards = test.sharded
      while !stop.isCancelled {
        for shard in 0..<6 {
          // A bounded part: pushers may be as fast as this, and the others are to have their turn.
          let pop = RedisCommand("RPOP", shards.shard(shard).name.description, "1000")
          let popped = try await shards.shard(shard).connection.run(pop).array ?? []
          taken += popped.compactMap(\.string)
        }
        try await Task.sleep(for: .milliseconds(2))
      }
      return taken
    }
    for number in [6, 2, 5, 1, 3, 6, 1] { _ = try await Resharding(queue, to: number).run() }
    stop.cancel()
    let counts = try await pushers.map(\.self).asyncMap { try await $0.value }
    var all = try await drainer.value
    for shard in 1..<6 { #expect(try await queue.shard(shard).inspect().waiting == 0) }
    all += try await queue.first.peek(100_000).map { String(decoding: $0.payload, as: UTF8.self) }
    #expect(counts.allSatisfy { $0 > 0 })
    #expect(all.count == counts.reduce(0, +))
    #expect(Set(all).count == all.count)
  }
}

extension Array {
  fileprivate func asyncMap<Value>(_ transform: (Element) async throws -> Value) async rethrows -> [Value] {
    var values: [Value] = []
    for element in self { values.append(try await transform(element)) }
    return values
  }
}
