import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Revive and remove")
struct ReviveTests {
  @Test("Revive", arguments: revived)
  func revive(row: ScriptCase) async throws { try await row.check() }

  @Test("Remove", arguments: removed)
  func remove(row: ScriptCase) async throws { try await row.check() }

  private enum Verb { case revive, remove }

  /// Calls the verb for the letters at these ranks, as they are before the first call.
  private static func call(
    _ verb: Verb,
    _ ranks: Int...,
    times: Int = 1
  ) -> @Sendable (MessageQueue) async throws -> String {
    { queue in
      var pages = DeadLetterPages(of: queue)
      let letters = try await pages.next()
      let chosen = ranks.map { letters[$0] }
      var answers: [String] = []
      for _ in 1...times {
        let count =
          switch verb {
          case .revive: try await queue.revive(chosen)
          case .remove: try await queue.remove(chosen)
          }
        answers.append("\(count)")
      }
      return answers.joined(separator: " ")
    }
  }

  private static let threeDead = "ZADD {sms}:dead now-60m a now-5m b now-1m c"

  static let revived: [ScriptCase] =
    [
      ScriptCase(
        "Letters queue behind what waits, the oldest first, and ring",
        before: [threeDead, "LPUSH sms w v"],
        call: call(.revive, 0, 1),
        answer: "2",
        after: ["sms: b a v w", "{sms}:dead: c@now-1m", "{sms}:stats: revived=2", "{sms}:wake: 1"]
      ),
      ScriptCase(
        "The last one leaves no key behind",
        before: [threeDead],
        call: call(.revive, 0, 1, 2),
        answer: "3",
        after: ["sms: c b a", "{sms}:stats: revived=3", "{sms}:wake: 1"]
      ),
      ScriptCase(
        "A letter is queued once, however often it is asked for",
        before: [threeDead],
        call: call(.revive, 0, 1, times: 3),
        answer: "2 0 0",
        after: ["sms: b a", "{sms}:dead: c@now-1m", "{sms}:stats: revived=2", "{sms}:wake: 1"]
      ),
      ScriptCase(
        "The same letter twice in one call is queued once",
        before: [threeDead],
        call: call(.revive, 1, 1),
        answer: "1",
        after: ["sms: b", "{sms}:dead: a@now-60m c@now-1m", "{sms}:stats: revived=1", "{sms}:wake: 1"]
      ),
      ScriptCase(
        "No letters are no call",
        before: [threeDead],
        call: call(.revive),
        answer: "0"
      ),
      ScriptCase(
        "A wake list that is full stays so",
        before: [threeDead, "RPUSH {sms}:wake 1 2 3 4 5 6 7 8"],
        call: call(.revive, 0),
        answer: "1",
        after: [
          "sms: a", "{sms}:dead: b@now-5m c@now-1m", "{sms}:stats: revived=1", "{sms}:wake: 1 2 3 4 5 6 7 8",
        ]
      ),
      ScriptCase(
        "A full Redis lets letters go back",
        before: [threeDead, "LPUSH sms w"],
        isFull: true,
        call: call(.revive, 0, 2),
        answer: "2",
        after: ["sms: c a w", "{sms}:dead: b@now-5m", "{sms}:stats: revived=2", "{sms}:wake: 1"]
      ),
    ]
    + ["sms", "{sms}:wake", "{sms}:stats"].map { key in
      ScriptCase(
        "A wrong type of \(key) leaves the letters where they are",
        before: [threeDead, "SET \(key) x"],
        call: call(.revive, 0, 1),
        answer: "WRONGTYPE"
      )
    }

  static let removed: [ScriptCase] = [
    ScriptCase(
      "Letters are gone, and counted",
      before: [threeDead, "LPUSH sms w"],
      call: call(.remove, 0, 2),
      answer: "2",
      after: ["sms: w", "{sms}:dead: b@now-5m", "{sms}:stats: dead_removed=2"]
    ),
    ScriptCase(
      "A letter is counted once, however often it is asked for",
      before: [threeDead],
      call: call(.remove, 0, 1, 2, times: 2),
      answer: "3 0",
      after: ["{sms}:stats: dead_removed=3"]
    ),
    ScriptCase(
      "No letters are no call",
      before: [threeDead],
      call: call(.remove),
      answer: "0"
    ),
    ScriptCase(
      "A full Redis lets letters be removed",
      before: [threeDead],
      isFull: true,
      call: call(.remove, 1),
      answer: "1",
      after: ["{sms}:dead: a@now-60m c@now-1m", "{sms}:stats: dead_removed=1"]
    ),
    ScriptCase(
      "A wrong type of the counters leaves the letters where they are",
      before: [threeDead, "SET {sms}:stats x"],
      call: call(.remove, 0),
      answer: "WRONGTYPE"
    ),
  ]

  /// Removes the letters at these ranks, each of which has its payload for an id.
  private static func removeFreeing(
    _ ranks: Int...,
    times: Int = 1
  ) -> @Sendable (MessageQueue) async throws -> String {
    { queue in
      var pages = DeadLetterPages(of: queue)
      let letters = try await pages.next()
      var answers: [String] = []
      for _ in 1...times {
        let count = try await queue.remove(ranks.map { letters[$0] }) { letter in
          letter.element.payload == bytes("c") ? nil : String(decoding: letter.element.payload, as: UTF8.self)
        }
        answers.append("\(count)")
      }
      return answers.joined(separator: " ")
    }
  }

  private static let threeSeen = ["a", "b", "c"].map { "SET {sms}:seen:\($0) 1 PX 1800000" }

  static let freed: [ScriptCase] = [
    ScriptCase(
      "Ids of letters that go are free, the others stay taken",
      before: [threeDead] + threeSeen,
      call: removeFreeing(0, 2),
      answer: "2",
      after: [
        "{sms}:dead: b@now-5m", "{sms}:seen:b: 1 for 30m", "{sms}:seen:c: 1 for 30m", "{sms}:stats: dead_removed=2",
      ]
    ),
    ScriptCase(
      "An id that is not remembered any more is no mistake",
      before: [threeDead],
      call: removeFreeing(0, 1, 2),
      answer: "3",
      after: ["{sms}:stats: dead_removed=3"]
    ),
    ScriptCase(
      "The same letter twice in one call is removed once",
      before: [threeDead] + threeSeen,
      call: removeFreeing(1, 1, 2, 0),
      answer: "3",
      after: ["{sms}:seen:c: 1 for 30m", "{sms}:stats: dead_removed=3"]
    ),
    ScriptCase(
      "A full Redis lets ids be freed",
      before: [threeDead] + threeSeen,
      isFull: true,
      call: removeFreeing(0, 1),
      answer: "2",
      after: ["{sms}:dead: c@now-1m", "{sms}:seen:c: 1 for 30m", "{sms}:stats: dead_removed=2"]
    ),
    ScriptCase(
      "A wrong type of the counters leaves letters and ids",
      before: [threeDead, "SET {sms}:stats x"] + threeSeen,
      call: removeFreeing(0),
      answer: "WRONGTYPE"
    ),
  ]

  @Test("Freed ids", arguments: freed)
  func free(row: ScriptCase) async throws { try await row.check() }

  @Test("A letter that another has put back, or removed, frees no id: its message may have been pushed anew")
  func freedOnce() async throws {
    let (test, letters) = try await dead("ZADD {sms}:dead now-5m a now-1m b")
    for id in ["a", "b"] { try await test.run("SET {sms}:seen:\(id) 1 PX 1800000") }
    #expect(try await test.queue.revive([letters[0]]) == 1)
    func remove() async throws -> Int {
      try await test.queue.remove(letters) { String(decoding: $0.element.payload, as: UTF8.self) }
    }
    #expect(try await remove() == 1)
    #expect(
      try await test.queue.enqueue(["a", "b"].map { .init(payload: bytes($0), callerID: $0) })
        == .queued(count: 1, waiting: 2, duplicates: [0])
    )
    #expect(try await remove() == 0)
    #expect(
      try await test.queue.enqueue(["b"].map { .init(payload: bytes($0), callerID: $0) })
        == .queued(count: 0, waiting: 2, duplicates: [0])
    )
    #expect(InvariantCheck(try await test.dump()).violations(plainPushes: 2) == [])
  }

  @Test("500 letters, the most of a call, go with their ids")
  func freedAtOnce() async throws {
    let test = TestQueue(on: try await .shared())
    let batch = (1...500).map { OutgoingMessage(payload: bytes("\($0)"), callerID: "\($0)") }
    #expect(try await test.queue.enqueue(batch) == .queued(count: 500, waiting: 500, duplicates: []))
    try await test.run("DEL sms")
    for number in 1...500 { try await test.run("ZADD {sms}:dead now-5m \(number)") }
    var pages = DeadLetterPages(of: test.queue)
    let letters = try await pages.next()
    #expect(try await test.queue.remove(letters) { String(decoding: $0.element.payload, as: UTF8.self) } == 500)
    #expect(try await test.dump().lines == ["{sms}:stats: dead_removed=500 pushed=500", "{sms}:wake: 1"])
  }

  @Test("A wrong type of the dead letters, made meanwhile, changes nothing")
  func wrongType() async throws {
    let (test, letters) = try await dead("ZADD {sms}:dead now-1m a")
    try await test.run("SET {sms}:dead x")
    let before = try await test.dump().lines
    for verb in [test.queue.revive, test.queue.remove] {
      let error = await #expect(throws: RedisError.self) { try await verb(letters) }
      #expect(error?.message.contains("WRONGTYPE") == true)
    }
    #expect(try await test.dump().lines == before)
  }

  @Test("What is gone meanwhile is neither queued nor counted")
  func goneMeanwhile() async throws {
    let (test, letters) = try await dead("ZADD {sms}:dead now-5m a now-1m b")
    try await test.run("ZREM {sms}:dead a")
    #expect(try await test.queue.revive(letters) == 1)
    #expect(try await test.queue.remove(letters) == 0)
    #expect(try await test.dump().lines == ["sms: b", "{sms}:stats: revived=1", "{sms}:wake: 1"])
  }

  @Test("A message keeps its id and payload, and counts its failures and crashes from 0 again")
  func history() async throws {
    let test = TestQueue(on: try await .shared())
    let payload = [UInt8](0...255)
    var letter = Element(history: .init(id: "x", failures: 5, crashes: 3), reason: "poison", payload: payload)
    var bury = RedisCommand("ZADD", QueueKeys(test.name).dead, "1000")
    bury.append(letter.sealed)
    _ = try await test.redis.run(bury)
    var pages = DeadLetterPages(of: test.queue)
    #expect(try await test.queue.revive(try await pages.next()) == 1)
    letter.history = .init(id: "x")
    letter.reason = nil
    #expect(try await test.queue.peek(1) == [letter])
  }

  @Test("A header that another wrote is matched as it is stored")
  func foreignHeader() async throws {
    let test = TestQueue(on: try await .shared())
    var bury = RedisCommand("ZADD", QueueKeys(test.name).dead, "1000.5")
    bury.append("smsq1 { \"id\" : \"x\", \"mine\":1}\nhi")
    _ = try await test.redis.run(bury)
    var pages = DeadLetterPages(of: test.queue)
    #expect(try await test.queue.revive(try await pages.next()) == 1)
    #expect(try await test.dump().lines == ["sms: hi<x>", "{sms}:stats: revived=1", "{sms}:wake: 1"])
  }

  private func dead(_ command: String) async throws -> (TestQueue, [DeadLetter]) {
    let test = TestQueue(on: try await .shared())
    try await test.run(command)
    var pages = DeadLetterPages(of: test.queue)
    return (test, try await pages.next())
  }
}
