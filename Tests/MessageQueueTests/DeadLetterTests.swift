import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Dead letters")
struct DeadLetterTests {
  /// Letters `d0`, `d1`, ..., as many of one millisecond as `together` says.
  private func bury(_ count: Int, together: Int = 1, in test: TestQueue) async throws {
    let start = try await test.queue.now() - 3_600_000
    for first in stride(from: 0, to: count, by: 1000) {
      var command = RedisCommand("ZADD", QueueKeys(test.name).dead)
      for number in first..<min(first + 1000, count) {
        let digits = String(1_000_000 + number).dropFirst()
        let element = Element(
          history: .init(id: "\(digits)", failures: 3, crashes: 1),
          reason: "why",
          payload: bytes("d\(digits)")
        )
        command.append(start + Int64(number / together))
        command.append(element.sealed)
      }
      _ = try await test.redis.run(command)
    }
  }

  private func payloads(_ numbers: some Sequence<Int>) -> [[UInt8]] {
    numbers.map { bytes("d\(String(1_000_000 + $0).dropFirst())") }
  }

  @Test("All are read, oldest first, with what is known of them", arguments: [1, 7, 500, 501, 1300])
  func reads(together: Int) async throws {
    let test = TestQueue(on: try await .shared())
    try await bury(1300, together: together, in: test)
    var pages = DeadLetterPages(of: test.queue)
    var letters: [DeadLetter] = []
    while case let page = try await pages.next(), !page.isEmpty {
      #expect(page.count <= DeadLetterPages.mostPerPage)
      letters += page
    }
    #expect(letters.map(\.element.payload) == payloads(0..<1300))
    #expect(letters[0].element.reason == "why")
    #expect(letters[0].element.history == .init(id: "000000", failures: 3, crashes: 1))
    #expect(letters[1299].diedAt - letters[0].diedAt == Int64(1299 / together))
    #expect(try await pages.next() == [])
  }

  @Test("Some are removed between the pages, and the others are each read once", arguments: [1, 7, 501, 1300])
  func removing(together: Int) async throws {
    let test = TestQueue(on: try await .shared())
    try await bury(1300, together: together, in: test)
    var pages = DeadLetterPages(of: test.queue)
    var read: [[UInt8]] = []
    while case let page = try await pages.next(), !page.isEmpty {
      read += page.map(\.element.payload)
      let gone = page.enumerated().filter { $0.offset % 3 == 0 }.map(\.element)
      #expect(try await test.queue.remove(gone) == gone.count)
      pages.forget(gone)
    }
    #expect(read == payloads(0..<1300))
  }

  @Test("Only those that died between two times are read")
  func between() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("ZADD {sms}:dead 1000 a 2000 b 2000 c 3000 d 4000 e")
    for (from, to, expected) in [
      (nil, nil, "abcde"), (2000, nil, "bcde"), (nil, 2000, "abc"), (2001, 3999, "d"), (5000, nil, ""),
    ] as [(Int64?, Int64?, String)] {
      var pages = DeadLetterPages(of: test.queue, from: from, to: to)
      let page = try await pages.next()
      #expect(String(decoding: page.flatMap(\.element.payload), as: UTF8.self) == expected)
      #expect(try await pages.next() == [])
    }
  }

  @Test("A key of the wrong type is an error that says so")
  func wrongType() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("SET {sms}:dead x")
    var pages = DeadLetterPages(of: test.queue)
    let error = await #expect(throws: RedisError.self) { try await pages.next() }
    #expect(error?.message.contains("WRONGTYPE") == true)
  }

  @Test("A hundred thousand go back in their order, in bounded steps")
  func many() async throws {
    let test = TestQueue(on: try await RedisServer())
    try await bury(100_000, together: 300, in: test)
    var pages = DeadLetterPages(of: test.queue)
    var revived = 0
    while case let page = try await pages.next(), !page.isEmpty {
      #expect(page.count <= 500)
      revived += try await test.queue.revive(page)
      pages.forget(page)
    }
    #expect(revived == 100_000)
    // Not all are decoded: other tests run beside this one, some of them with short leases.
    let snapshot = try await test.queue.inspect()
    #expect(snapshot.waiting == 100_000 && snapshot.dead == 0 && snapshot.counters == ["revived": 100_000])
    #expect(try await test.queue.peek(700).map(\.payload) == payloads(0..<700))
    let last = try await test.run("LINDEX sms 0").bytes
    #expect(last.map { Element($0).payload } == payloads(99_999...99_999).first)
    let slow = try await test.redis.run(RedisCommand("SLOWLOG", "GET", "5"))
    #expect(slow.array?.contains { "\($0)".contains("dead") } == false, "some call kept Redis busy for 10 ms: \(slow)")
  }
}
