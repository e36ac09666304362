import RedisClient
import TestSupport
import Testing

@testable import MessageQueue

@Suite("Shards")
struct ShardTests {
  private static func numbers(_ served: Int, _ spread: String) -> ShardNumbers {
    ShardNumbers(served: served, spread: Spread(text: spread))
  }

  @Test("Scripts", arguments: enqueues + changes + raises)
  func table(row: ScriptCase) async throws { try await row.check() }

  private static func enqueue(_ spread: String, shard: Int = 0) -> @Sendable (MessageQueue) async throws -> String {
    { queue in
      let queue = MessageQueue(queue.name, on: queue.connection, shard: shard)
      let message = OutgoingMessage(payload: bytes("a"), callerID: "1")
      let result = try await queue.enqueue([message], spread: Spread(text: spread))
      if case .stale(let found) = result { return "stale(\(found.text))" }
      return "\(result)"
    }
  }

  private static let accepted = "queued(count: 1, waiting: 1, duplicates: [])"

  static let enqueues: [ScriptCase] =
    [
      ("{sms}:spread", "2:8", 0, "3:8"), ("{sms}:spread", "2:8", 0, ""), ("{sms}:spread", "3:8", 0, "2:8"),
      ("{sms}:spread", "2:8", 0, "2:4"), ("{sms}:shard", "3:4", 5, "2:8"), ("{sms}:shard", "3:4", 5, ""),
    ].map { key, there, shard, given in
      ScriptCase(
        "What is spread over '\(given)' is refused whole where \(key) is \(there), and no id is used up",
        before: ["SET \(key) \(there)", "LPUSH sms old"],
        call: enqueue(given, shard: shard),
        answer: "stale(\(there))"
      )
    } + [
      ScriptCase(
        "A shard that was never told that it is one takes nothing that is spread over several",
        call: enqueue("2:8", shard: 3),
        answer: "stale()"
      ),
      ScriptCase(
        "Who knows of no shards may push to a queue that has one, whatever it had before",
        before: ["SET {sms}:spread 9:1"],
        call: enqueue(""),
        answer: accepted,
        after: [
          "sms: a", "{sms}:seen:1: 86400000 for 1440m", "{sms}:spread: 9:1", "{sms}:stats: pushed=1", "{sms}:wake: 1",
        ]
      ),
      ScriptCase(
        "A push to a shard by its own name is as good as an LPUSH",
        before: ["SET {sms}:shard 2:8"],
        call: enqueue(""),
        answer: accepted,
        after: [
          "sms: a", "{sms}:seen:1: 86400000 for 1440m", "{sms}:shard: 2:8", "{sms}:stats: pushed=1", "{sms}:wake: 1",
        ]
      ),
      ScriptCase(
        "A wrong type of spread is found before anything is changed",
        before: ["LPUSH {sms}:spread x"],
        call: enqueue(""),
        answer: "WRONGTYPE"
      ),
    ]

  private static func reshard(
    _ known: ShardNumbers,
    _ wanted: ShardNumbers
  ) -> @Sendable (MessageQueue) async throws -> String {
    { queue in
      let numbers = try await queue.reshard(from: known, to: wanted)
      return "\(numbers.served) \(numbers.spread.text)"
    }
  }

  static let changes = [
    ScriptCase(
      "The numbers change together, also in a full Redis",
      isFull: true,
      call: reshard(.unsharded, numbers(8, "1:1")),
      answer: "8 1:1",
      after: ["{sms}:served: 8", "{sms}:spread: 1:1"]
    ),
    ScriptCase(
      "Who takes them for others than they are changes nothing and is told",
      before: ["SET {sms}:served 8", "SET {sms}:spread 2:8"],
      call: reshard(numbers(8, "1:1"), numbers(8, "2:4")),
      answer: "8 2:8"
    ),
    ScriptCase(
      "A wrong type is found before anything is changed",
      before: ["SET {sms}:spread 2:8", "LPUSH {sms}:served 8"],
      call: reshard(numbers(8, "2:8"), numbers(8, "3:4")),
      answer: "WRONGTYPE"
    ),
  ]

  private static func raise(_ spread: String, shard: Int = 0) -> @Sendable (MessageQueue) async throws -> String {
    { queue in
      let queue = MessageQueue(queue.name, on: queue.connection, shard: shard)
      return try await queue.raise(Spread(text: spread)).text
    }
  }

  static let raises = [
    ScriptCase(
      "A shard is told of a change, also in a full Redis",
      before: ["SET {sms}:shard 1:1"],
      isFull: true,
      call: raise("2:8", shard: 3),
      answer: "2:8",
      after: ["{sms}:shard: 2:8"]
    ),
    ScriptCase(
      "It does not go back to an earlier one, and says what it knows",
      before: ["SET {sms}:shard 3:4"],
      call: raise("2:8", shard: 3),
      answer: "3:4"
    ),
    ScriptCase(
      "Nothing of ours is no change",
      before: ["SET {sms}:shard nonsense"],
      call: raise("2:8", shard: 3),
      answer: "2:8",
      after: ["{sms}:shard: 2:8"]
    ),
    ScriptCase(
      "What the first shard learns to be pushed to is served",
      before: ["SET {sms}:served 4", "SET {sms}:spread 1:4"],
      call: raise("2:8"),
      answer: "2:8",
      after: ["{sms}:served: 8", "{sms}:spread: 2:8"]
    ),
    ScriptCase(
      "More that are served stay so",
      before: ["SET {sms}:served 8", "SET {sms}:spread 1:8"],
      call: raise("2:4"),
      answer: "2:4",
      after: ["{sms}:served: 8", "{sms}:spread: 2:4"]
    ),
  ]

  // MARK: Pushers

  private func sharded(_ count: Int) async throws -> (TestQueue, ShardedQueue) {
    let test = TestQueue(on: try await .shared())
    let queue = test.sharded
    _ = try await Resharding(queue, to: count).run()
    return (test, queue)
  }

  private func waiting(_ queue: ShardedQueue) async throws -> [[String]] {
    var waiting: [[String]] = []
    for shard in try await queue.shards() {
      waiting.append(try await shard.peek(1_000).map { String(decoding: $0.payload, as: UTF8.self) })
    }
    return waiting
  }

  @Test("A push that knows of no shards is told of them: ids go where their hash says, others evenly")
  func learns() async throws {
    let (_, queue) = try await sharded(4)
    var pusher = Pusher(to: queue)
    let named = (0..<40).map { OutgoingMessage(payload: bytes("m\($0)"), callerID: "m\($0)") }
    let errors = await pusher.enqueue(named, rememberIDs: .seconds(60))
    #expect(errors.allSatisfy { $0 == nil } && pusher.spread.shards == 4)
    for (shard, payloads) in try await waiting(queue).enumerated() {
      #expect(payloads == (0..<40).map { "m\($0)" }.filter { pusher.spread.shard(of: $0) == shard })
    }
    for number in 0..<40 {
      let (result, _) = try await pusher.enqueue(named[number], rememberIDs: .seconds(60))
      guard case .queued(0, _, [0]) = result else { throw NeverHappened(description: "\(result)") }
    }
    let before = try await waiting(queue).map(\.count)
    for _ in 0..<40 { _ = try await pusher.enqueue(OutgoingMessage(payload: bytes("x")), rememberIDs: .zero) }
    #expect(zip(try await waiting(queue).map(\.count), before).allSatisfy { $0 - $1 == 10 })
  }

  @Test(
    "A pusher that has not asked for long gets nothing into a shard that is no more, nor an id in twice",
    arguments: [1, 2]
  )
  func stale(left: Int) async throws {
    let (test, queue) = try await sharded(6)
    var old = Pusher(to: queue)
    _ = await old.enqueue([OutgoingMessage(payload: bytes("x"), callerID: "x")], rememberIDs: .seconds(60))
    #expect(old.spread.shards == 6)
    for shard in 0..<6 { _ = try await test.redis.run(RedisCommand("DEL", "\(queue.name.shard(shard))")) }
    _ = try await Resharding(test.sharded, to: left).run()
    var new = Pusher(to: test.sharded)
    let messages = (0..<60).map { OutgoingMessage(payload: bytes("n\($0)"), callerID: "n\($0)") }
    #expect(await new.enqueue(messages, rememberIDs: .seconds(60)).allSatisfy { $0 == nil })
    #expect(await old.enqueue(messages, rememberIDs: .seconds(60)).allSatisfy { $0 == nil })
    #expect(try await waiting(queue).flatMap(\.self).count == 60)
    for shard in left..<6 { #expect(try await queue.shard(shard).inspect().waiting == 0) }
  }

  @Test("Shards that a change has not come to are told by who pushes there; one that knows more tells the first")
  func heals() async throws {
    let (test, queue) = try await sharded(3)
    // As where the command was killed behind its first step, or a shard's node was gone.
    for shard in 1..<3 { _ = try await test.redis.run(RedisCommand("DEL", queue.shard(shard).keys.shard)) }
    var pusher = Pusher(to: queue)
    let messages = (0..<30).map { OutgoingMessage(payload: bytes("\($0)"), callerID: "\($0)") }
    #expect(await pusher.enqueue(messages, rememberIDs: .seconds(60)).allSatisfy { $0 == nil })
    #expect(try await waiting(queue).allSatisfy { !$0.isEmpty })
    for shard in 1..<3 { #expect(try await queue.shard(shard).knownSpread() == pusher.spread) }
    // As where the first shard's Redis went back to an earlier state.
    try await test.run("DEL {sms}:spread {sms}:served")
    let again = (30..<60).map { OutgoingMessage(payload: bytes("\($0)"), callerID: "\($0)") }
    #expect(await pusher.enqueue(again, rememberIDs: .seconds(60)).allSatisfy { $0 == nil })
    #expect(try await queue.first.shardNumbers() == ShardNumbers(served: 3, spread: pusher.spread))
  }

  @Test("A message without an id goes to another shard where one's server is gone; one with an id says so")
  func deadShard() async throws {
    let (test, queue) = try await sharded(4)
    let nowhere = try RedisEndpoint("unix:///nowhere/redis.sock")
    let server = try await RedisServer.shared()
    let half = ShardedQueue(test.name) { name in
      name == test.name || name == test.name.shard(2)
        ? server.connection() : RedisConnection(to: nowhere, options: .init(name: "test"))
    }
    var pusher = Pusher(to: half)
    for number in 0..<20 {
      let (result, _) = try await pusher.enqueue(OutgoingMessage(payload: bytes("\(number)")), rememberIDs: .zero)
      guard case .queued(1, _, _) = result else { throw NeverHappened(description: "\(result)") }
    }
    #expect(try await waiting(queue).map(\.count).reduce(0, +) == 20)
    let id = try #require((0..<100).map { "m\($0)" }.first { pusher.spread.shard(of: $0) == 1 })
    let error = await #expect(throws: RedisError.self) {
      _ = try await pusher.enqueue(OutgoingMessage(payload: bytes(id), callerID: id), rememberIDs: .seconds(60))
    }
    #expect(error?.cause == .unreachable)
  }

  @Test("Shards that never agree are an error, and nothing is queued")
  func never() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("SET {sms}:spread nonsense")
    var pusher = Pusher(to: test.sharded)
    let error = await #expect(throws: RedisError.self) {
      _ = try await pusher.enqueue(OutgoingMessage(payload: bytes("a")), rememberIDs: .zero)
    }
    #expect(error?.message.contains("smsq shards --queue") == true)
    #expect(try await test.queue.inspect().waiting == 0)
  }
}
