import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Drop")
struct DropTests {
  @Test("Drop", arguments: handed + dropped + lives + full + refused)
  func table(row: ScriptCase) async throws { try await row.check() }

  /// One call: who makes it, and which letters it names as logged.
  private struct Call {
    let life: WorkerLife
    let logged: [String]

    static func own(_ logged: String...) -> Call { Call(life: .own, logged: logged) }
    static func other(_ logged: String...) -> Call { Call(life: .other, logged: logged) }
  }

  private static func drop(
    _ calls: Call...,
    count: Int? = nil,
    age: Duration? = nil
  ) -> @Sendable (MessageQueue) async throws -> String {
    let calls = calls.map { ($0.life, $0.logged.map(bytes)) }
    return { queue in
      var answers: [String] = []
      for (life, logged) in calls {
        let bounds = DeadLetterBounds(count: count, age: age)
        let letters = try await queue.drop(logged, keeping: bounds, for: life, lease: .seconds(60))
        let names = letters.map { $0.map { Element($0).shown }.joined(separator: " ") }
        answers.append(names.map { $0.isEmpty ? "none" : $0 } ?? "another's")
      }
      return answers.joined(separator: "; ")
    }
  }

  private static let threeDead = "ZADD {sms}:dead now-60m a now-5m b now-1m c"
  private static let three = "{sms}:dead: a@now-60m b@now-5m c@now-1m"

  static let handed: [ScriptCase] = [
    ScriptCase(
      "Letters beyond the count are handed out, the oldest first, and stay",
      before: [threeDead],
      call: drop(.own(), count: 1),
      answer: "a b",
      after: [three, "{sms}:dropping: w@5f for 1m"]
    ),
    ScriptCase(
      "Letters beyond the age are handed out, and stay",
      before: [threeDead],
      call: drop(.own(), age: .seconds(240)),
      answer: "a b",
      after: [three, "{sms}:dropping: w@5f for 1m"]
    ),
    ScriptCase(
      "Of two bounds the narrower one counts, be it the count",
      before: [threeDead],
      call: drop(.own(), count: 1, age: .seconds(1800)),
      answer: "a b",
      after: [three, "{sms}:dropping: w@5f for 1m"]
    ),
    ScriptCase(
      "Of two bounds the narrower one counts, be it the age",
      before: [threeDead],
      call: drop(.own(), count: 2, age: .seconds(240)),
      answer: "a b",
      after: [three, "{sms}:dropping: w@5f for 1m"]
    ),
    ScriptCase(
      "None are handed out within the bounds",
      before: [threeDead],
      call: drop(.own(), count: 3, age: .seconds(7200)),
      answer: "none"
    ),
    ScriptCase("None are handed out without bounds", before: [threeDead], call: drop(.own()), answer: "none"),
    ScriptCase("None are handed out where there are none", call: drop(.own(), count: 1), answer: "none"),
    ScriptCase(
      "What was handed out and not logged is handed out again",
      before: [threeDead],
      call: drop(.own(), .own(), count: 2),
      answer: "a; a",
      after: [three, "{sms}:dropping: w@5f for 1m"]
    ),
  ]

  static let dropped: [ScriptCase] = [
    ScriptCase(
      "What was handed out and logged is removed, and counted",
      before: [threeDead],
      call: drop(.own(), .own("a", "b"), count: 1),
      answer: "a b; none",
      after: ["{sms}:dead: c@now-1m", "{sms}:stats: dead_dropped=2"]
    ),
    ScriptCase(
      "A letter is counted once, however often it is named",
      before: [threeDead],
      call: drop(.own(), .own("a"), .own("a"), .own("a", "a"), count: 2),
      answer: "a; none; none; none",
      after: ["{sms}:dead: b@now-5m c@now-1m", "{sms}:stats: dead_dropped=1"]
    ),
    ScriptCase(
      "What is over the bounds still is handed out with the same call",
      before: [threeDead],
      call: drop(.own("a"), count: 1),
      answer: "b",
      after: [
        "{sms}:dead: b@now-5m c@now-1m", "{sms}:dropping: w@5f for 1m", "{sms}:stats: dead_dropped=1",
      ]
    ),
    ScriptCase(
      "A letter within the bounds stays, though it is named: it was revived and died again",
      before: [threeDead],
      call: drop(.own("c"), count: 2),
      answer: "a",
      after: [three, "{sms}:dropping: w@5f for 1m"]
    ),
    ScriptCase(
      "A letter that is not there any more is not counted",
      before: [threeDead],
      call: drop(.own("x", "a"), count: 2),
      answer: "none",
      after: ["{sms}:dead: b@now-5m c@now-1m", "{sms}:stats: dead_dropped=1"]
    ),
  ]

  static let lives: [ScriptCase] = [
    ScriptCase(
      "While one life has been handed letters, another is handed none",
      before: [threeDead, "ZADD {sms}:workers now+1m w@5f"],
      call: drop(.own(), .other(), count: 2),
      answer: "a; another's",
      after: [three, "{sms}:dropping: w@5f for 1m", "{sms}:workers: w@5f@now+1m"]
    ),
    ScriptCase(
      "A life whose lease has ended, or that is fenced or gone, keeps nobody from being handed them",
      before: [threeDead, "ZADD {sms}:workers now-1m w@5f 0 u@0c", "SET {sms}:dropping u@0c"],
      call: drop(.own(), .other(), .own(), count: 2),
      answer: "a; a; a",
      after: [three, "{sms}:dropping: w@5f for 1m", "{sms}:workers: u@0c@0 w@5f@now-1m"]
    ),
    ScriptCase(
      "What another life has logged is removed all the same",
      before: [threeDead, "ZADD {sms}:workers now+1m w@5f"],
      call: drop(.own(), .other("a"), count: 1),
      answer: "a b; another's",
      after: [
        "{sms}:dead: b@now-5m c@now-1m", "{sms}:dropping: w@5f for 1m", "{sms}:stats: dead_dropped=1",
        "{sms}:workers: w@5f@now+1m",
      ]
    ),
    ScriptCase(
      "Once nothing is over the bounds, nobody is in anybody's way",
      before: [threeDead, "SET {sms}:dropping v@0a PX 60000"],
      call: drop(.own(), count: 3),
      answer: "none",
      after: [three]
    ),
  ]

  static let full: [ScriptCase] = [
    ScriptCase(
      "A full Redis lets letters be handed out and removed",
      before: [threeDead],
      isFull: true,
      call: drop(.own(), .own("a", "b"), count: 1),
      answer: "a b; none",
      after: ["{sms}:dead: c@now-1m", "{sms}:stats: dead_dropped=2"]
    )
  ]

  static let refused: [ScriptCase] =
    [
      ScriptCase(
        "A wrong type of {sms}:dead changes nothing",
        before: ["SET {sms}:dead x"],
        call: drop(.own("a"), count: 1),
        answer: "WRONGTYPE"
      )
    ]
    + ["SET {sms}:stats x", "LPUSH {sms}:dropping x"].map { command in
      ScriptCase(
        "\(command): the letters stay",
        before: [threeDead, command],
        call: drop(.own("a"), count: 1),
        answer: "WRONGTYPE"
      )
    }

  @Test("After a lease, another life is handed what the first one never logged")
  func crashed() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run(Self.threeDead)
    // Its lease holds: a worker may as well be slow.
    try await test.run("ZADD {sms}:workers now+60m w@5f")
    let bounds = DeadLetterBounds(count: 2, age: nil)
    let letters = try await test.queue.drop([], keeping: bounds, for: .own, lease: .milliseconds(50))
    #expect(letters == [bytes("a")])
    try await eventually("the other is handed it") {
      try await test.queue.drop([], keeping: bounds, for: .other, lease: .seconds(60)) == [bytes("a")]
    }
  }

  @Test("What was logged is removed, though hundreds of the same millisecond have come in before it")
  func overtaken() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("ZADD {sms}:dead 1000 z 2000 last")
    let bounds = DeadLetterBounds(count: 1, age: nil)
    let handedOut = try await test.queue.drop([], keeping: bounds, for: .own, lease: .seconds(60))
    #expect(handedOut == [bytes("z")])
    for number in 0..<250 { try await test.run("ZADD {sms}:dead 1000 a\(number)") }
    let next = try await test.queue.drop([bytes("z")], keeping: bounds, for: .own, lease: .seconds(60))
    #expect(next?.count == 100)
    #expect(try await test.run("ZSCORE {sms}:dead z") == .null)
    #expect(try await test.queue.inspect().counters == ["dead_dropped": 1])
  }

  @Test("Large ones are handed out as far as their bytes go, at least one at a time")
  func large() async throws {
    let test = TestQueue(on: try await .shared())
    let sizes = [10, 500_000, 600_000, 3_000_000, 20, 30]
    for (index, size) in sizes.enumerated() {
      var add = RedisCommand("ZADD", test.queue.keys.dead, "\(1_000 + index)")
      add.append([UInt8](repeating: UInt8(97 + index), count: size))
      _ = try await test.redis.run(add)
    }
    var handedOut: [[Int]] = []
    var letters: [[UInt8]] = []
    repeat {
      let bounds = DeadLetterBounds(count: nil, age: .seconds(1))
      letters = try #require(try await test.queue.drop(letters, keeping: bounds, for: .own, lease: .seconds(60)))
      handedOut.append(letters.map(\.count))
    } while !letters.isEmpty
    #expect(handedOut == [[10, 500_000], [600_000], [3_000_000], [20, 30], []])
    #expect(try await test.queue.inspect().counters == ["dead_dropped": 6])
  }

  @Test("Many go a hundred at a time, each one handed out once")
  func many() async throws {
    let test = TestQueue(on: try await .shared())
    for number in 0..<250 { try await test.run("ZADD {sms}:dead \(1_000 + number) m\(number)") }
    let before = InvariantCheck(try await test.dump()).balance
    var (handedOut, calls) = ([[UInt8]](), 0)
    var letters: [[UInt8]] = []
    repeat {
      letters = try #require(
        try await test.queue.drop(letters, keeping: .init(count: 7, age: nil), for: .own, lease: .seconds(60))
      )
      handedOut += letters
      calls += 1
    } while !letters.isEmpty
    #expect(handedOut == (0..<243).map { bytes("m\($0)") })
    #expect(calls == 4)
    let snapshot = try await test.queue.inspect()
    #expect(snapshot.dead == 7 && snapshot.counters == ["dead_dropped": 243])
    #expect(InvariantCheck(try await test.dump()).balance == before)
  }
}
