import RedisClient
import TestSupport
import Testing

@testable import MessageQueue

@Suite("Limit")
struct LimitTests {
  private static let hour = Duration.seconds(3600)

  private func claim(_ test: TestQueue, _ limit: Int, from number: Int = 0) async throws -> ClaimAnswer {
    let request = ClaimRequest(life: .own, firstNumber: number, limit: limit)
    return try #require(try await test.queue.turn(settling: [], claiming: request).claimed)
  }

  private func limited(_ rate: Rate, parts: Int = 1) async throws -> TestQueue {
    let test = TestQueue(on: try await .shared())
    try await test.run("ZADD {sms}:workers now+60m w@5f")
    try await test.queue.setLimit(QueueLimit(rate, parts: parts))
    return test
  }

  @Test("A claim takes what the bucket has, says when there is more, and does not ring for it")
  func taking() async throws {
    let test = try await limited(Rate(10, per: Self.hour))
    try await test.run("LPUSH sms a b c")
    let first = try await claim(test, 100)
    #expect(first.messages.count == 1 && first.waiting == 2)
    let wait = try #require(first.limitedFor)
    #expect(wait > .seconds(300) && wait <= .seconds(360))
    #expect(!first.isCutShort)
    let second = try await claim(test, 100, from: first.nextNumber)
    #expect(second.messages.isEmpty && second.waiting == 2 && second.limitedFor != nil && !second.paused)
    #expect(try await test.run("EXISTS {sms}:wake") == .integer(0))
  }

  @Test("A claim that is repeated takes nothing more out of the bucket")
  func repeated() async throws {
    let test = try await limited(Rate(10, per: Self.hour))
    try await test.run("LPUSH sms a b")
    let first = try await claim(test, 5)
    let bucket = try await test.run("GET {sms}:limit")
    let again = try await claim(test, 5)
    #expect(first.messages == again.messages && first.messages.count == 1)
    #expect(try await test.run("GET {sms}:limit") == bucket)
  }

  @Test("What is due and what comes back takes its turn with the rest")
  func returned() async throws {
    let test = try await limited(Rate(10, per: Self.hour))
    try await test.run("LPUSH sms a")
    try await test.run("ZADD {sms}:later now-1m b")
    let first = try await claim(test, 5)
    #expect(first.messages.map { String(decoding: $0.payload, as: UTF8.self) } == ["b"])
    let back = Settlement(claimID: first.messages[0].claimID, .back(first.messages[0].element()))
    #expect(try await test.queue.settle([back], of: .own(.own)) == 1)
    // It was not sent, and yet has had its turn.
    #expect(try await claim(test, 5, from: 1).messages.isEmpty)
    try await test.run("ZADD {sms}:later now-1m c")
    try await test.run("DEL sms")
    // Nothing waits, but something is due.
    #expect(try await claim(test, 5, from: 1).limitedFor != nil)
  }

  @Test("A tenth of a second's messages at once, after however long, but at least one")
  func burst() async throws {
    for (count, most) in [(1, 1), (10, 1), (19, 1), (20, 2), (100, 10), (1000, 100), (5000, 499)] {
      let test = try await limited(Rate(count, per: .seconds(1)))
      // As if the last one had been claimed an hour ago.
      let long = try await test.queue.now() - 3_600_000
      _ = try await test.redis.run(RedisCommand("SET", test.queue.keys.limit, "\(count) 1000 1 0 \(long)"))
      _ = try await test.queue.enqueue((0..<500).map { OutgoingMessage(payload: bytes("m\($0)")) })
      #expect(try await claim(test, 499).messages.count == most, "\(count)/s")
    }
  }

  @Test("A clock that was set back does not stop the queue for so long")
  func clock() async throws {
    let test = try await limited(Rate(100, per: .seconds(1)))
    let ahead = try await test.queue.now() + 3_600_000
    _ = try await test.redis.run(RedisCommand("SET", test.queue.keys.limit, "100 1000 1 0 \(ahead)"))
    _ = try await test.queue.enqueue((0..<50).map { OutgoingMessage(payload: bytes("m\($0)")) })
    let first = try await claim(test, 50)
    #expect(first.messages.isEmpty)
    // Two messages' worth: it does not wait for the hour.
    #expect(first.limitedFor == .milliseconds(20))
    try await eventually("more may be claimed") { try await !claim(test, 50).messages.isEmpty }
  }

  @Test("Each of the shards has an equal part, and all of them the whole")
  func shards() async throws {
    let test = try await limited(Rate(30, per: Self.hour), parts: 3)
    try await test.run("LPUSH sms a b")
    let wait = try #require(try await claim(test, 5).limitedFor)
    #expect(wait > .seconds(350) && wait <= .seconds(360))
    let queue = TestQueue(on: try await .shared())
    _ = try await Resharding(queue.sharded, to: 3).run()
    try await queue.sharded.setLimit(Rate(30, per: Self.hour))
    #expect(try await queue.sharded.limit() == Rate(30, per: Self.hour))
    for number in 0..<3 {
      #expect(try await queue.sharded.shard(number).limit() == QueueLimit(Rate(30, per: Self.hour), parts: 3))
    }
    // Others get their part when there are more, and fewer.
    for count in [5, 2] {
      _ = try await Resharding(queue.sharded, to: count).run()
      for number in 0..<count {
        #expect(try await queue.sharded.shard(number).limit() == QueueLimit(Rate(30, per: Self.hour), parts: count))
      }
    }
    #expect(try await queue.sharded.shard(4).limit() == nil)
  }

  @Test("A limit is set and taken away in a full Redis, and a key of another's is left alone")
  func trouble() async throws {
    let test = TestQueue(on: try await RedisServer())
    try await test.run("CONFIG SET maxmemory 1")
    let limit = QueueLimit(Rate(3, per: .seconds(1)))
    try await test.queue.setLimit(limit)
    #expect(try await test.queue.limit() == limit)
    try await test.queue.setLimit(nil)
    #expect(try await test.queue.limit() == nil)
    try await test.run("CONFIG SET maxmemory 0")
    try await test.run("LPUSH {sms}:limit x")
    await #expect(throws: RedisError.self) { try await test.queue.setLimit(limit) }
    #expect(try await test.run("LLEN {sms}:limit") == .integer(1))
  }

  @Test("A change rings for all who wait, and for a moment for those who come later")
  func rings() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let waits = (0..<3).map { _ in
      Task { try await MessageQueue(test.name, on: server.connection()).waitForLimit(atMost: .seconds(60)) }
    }
    try await eventually("all wait") {
      let clients = try await test.run("CLIENT LIST").string ?? ""
      return clients.split(separator: "\n").count { $0.contains(" cmd=blmove ") } >= 3
    }
    try await test.queue.setLimit(QueueLimit(Rate(1, per: Self.hour)))
    for wait in waits { #expect(try await wait.value) }
    #expect(try await test.queue.waitForLimit(atMost: .seconds(60)))
    try await eventually("it is over") { try await test.run("EXISTS {sms}:rest") == .integer(0) }
    #expect(try await !test.queue.waitForLimit(atMost: .milliseconds(1)))
  }

  @Test(
    "What is no limit is none",
    arguments: ["", "x", "0 1000 1", "5 0 1", "5 1000 0", "-5 1000 1", "5"]
  )
  func nonsense(text: String) async throws {
    let test = try await limited(Rate(1, per: Self.hour))
    _ = try await test.redis.run(RedisCommand("SET", test.queue.keys.limit, text))
    try await test.run("LPUSH sms a b c")
    #expect(try await claim(test, 5).messages.count == 3)
    #expect(try await test.queue.limit() == nil)
  }
}
