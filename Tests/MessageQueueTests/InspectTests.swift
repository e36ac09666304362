import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Inspect")
struct InspectTests {
  @Test("A queue that was never used is empty")
  func empty() async throws {
    let test = TestQueue(on: try await .shared())
    let snapshot = try await test.queue.inspect()
    #expect(snapshot.waiting + snapshot.scheduled + snapshot.dead + snapshot.claimed == 0)
    #expect(snapshot.queue == test.name)
    #expect(!snapshot.paused)
    #expect(snapshot.oldest == nil)
    #expect(snapshot.counters.isEmpty)
    #expect(snapshot.workers.isEmpty)
    #expect(try await test.queue.peek(5) == [])
    #expect(try await test.dump().lines == [])
  }

  @Test("Everything is counted, and nothing is changed")
  func counts() async throws {
    let test = TestQueue(on: try await .shared())
    for command in [
      "LPUSH sms a b c", "ZADD {sms}:later now+1m d now+2m e", "ZADD {sms}:dead now-1m f", "SET {sms}:paused 1",
      "HSET {sms}:stats pushed 9 sent 2", "ZADD {sms}:workers now+1m w@5f now-1m v@0a 0 u@0b",
      "HSET {sms}:claimed:w@5f 5f-0000000000 g 5f-0000000001 h", "HSET {sms}:claimed:u@0b 0b-0000000000 i",
      "HSET {sms}:health w@5f now-2m",
    ] {
      try await test.run(command)
    }
    let before = try await test.dump().lines
    let snapshot = try await test.queue.inspect()
    #expect(snapshot.waiting == 3)
    #expect(snapshot.scheduled == 2)
    #expect(snapshot.dead == 1)
    #expect(snapshot.claimed == 3)
    #expect(snapshot.paused)
    #expect(snapshot.oldest == Element(bytes("a")))
    #expect(snapshot.counters == ["pushed": 9, "sent": 2])
    #expect(snapshot.workers.map(\.life.id) == ["u@0b", "v@0a", "w@5f"])
    #expect(snapshot.workers.map(\.claimed) == [1, 0, 2])
    #expect(snapshot.workers.map { $0.leaseLeft.map { $0 > .zero } } == [nil, false, true])
    #expect(
      snapshot.workers.map { $0.lastClaim.map { $0 >= .seconds(120) && $0 < .seconds(180) } } == [nil, nil, true]
    )
    #expect(try await test.queue.peek(2) == [Element(bytes("a")), Element(bytes("b"))])
    #expect(try await test.queue.peek(0) == [])
    #expect(try await test.dump().lines == before)
  }

  @Test("A look takes as many messages as their bytes allow, at least one, and says how many it leaves out")
  func peekBytes() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("LPUSH sms aaaa bb c dd")
    for (count, mostBytes, shown) in [(4, 9, 4), (4, 8, 3), (4, 1, 1), (2, 100, 2), (9, 100, 4)] {
      let look = try await test.queue.peek(count, mostBytes: mostBytes)
      #expect(look.elements.map(\.payload) == ["aaaa", "bb", "c", "dd"].prefix(shown).map(bytes))
      #expect(look.leftOut == min(count, 4) - shown)
    }
    #expect(try await test.dump().lines == ["sms: dd c bb aaaa"])
  }

  @Test("The message that is next in line is left out where it is large")
  func largeOldest() async throws {
    let test = TestQueue(on: try await .shared())
    var push = RedisCommand("LPUSH", test.name.description)
    push.append([UInt8](repeating: 97, count: 2 << 20))
    _ = try await test.redis.run(push)
    let snapshot = try await test.queue.inspect()
    #expect(snapshot.waiting == 1 && snapshot.oldest == nil)
  }

  @Test("Times that a hand wrote, however large or small, are no reason to end")
  func wildTimes() async throws {
    let test = TestQueue(on: try await .shared())
    for command in [
      "ZADD {sms}:workers inf a@01 1e300 b@02 -5 c@03 9e18 d@04 -9e18 e@05",
      "HSET {sms}:health a@01 inf b@02 -inf c@03 -9e18 d@04 9e18 e@05 5",
    ] {
      try await test.run(command)
    }
    let workers = try await test.queue.inspect().workers
    let endless = workers.filter { $0.leaseLeft.map { $0 > .seconds(86_400) } == true }
    #expect(endless.map(\.life.name).sorted() == ["a", "b", "d"])
    #expect(try await test.queue.audit().faults.count == 3)
    try await test.run("ZADD {sms}:workers -inf a@01")
    #expect(try await test.queue.inspect().workers.count == 5)
    #expect(try await test.queue.audit().faults.count == 2)
  }

  @Test("A life's health is read with the length of its lease behind it, and as older versions wrote it, without")
  func health() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("ZADD {sms}:workers now+1m a@01 now+1m b@02 now+1m c@03 now+1m d@04")
    let now = try await test.queue.now()
    let values = [("a@01", "\(now - 60_000) 60000"), ("b@02", "- 60000"), ("c@03", "\(now - 60_000)"), ("d@04", "")]
    for (life, value) in values {
      _ = try await test.redis.run(RedisCommand("HSET", QueueKeys(test.name).health, life, value))
    }
    let claims = try await test.queue.inspect().workers.map(\.lastClaim)
    #expect(claims.map { $0.map { $0 >= .seconds(60) && $0 < .seconds(120) } } == [true, nil, true, nil])
    #expect(try await test.queue.audit().faults == [])
  }

  @Test("A key of the wrong type is an error that says so")
  func wrongType() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("SET {sms}:later x")
    let error = try #require(await #expect(throws: RedisError.self) { try await test.queue.inspect() })
    #expect(error.treatment == .refused)
    #expect(error.message.contains("WRONGTYPE"))
  }
}
