import MessageQueue
import RedisClient
import TestSupport
import Testing

/// Each script of cancel, purge and move, as a table.
@Suite("Take")
struct TakeTests {
  @Test("Take", arguments: cancelled + deep + full + moved)
  func table(row: ScriptCase) async throws { try await row.check() }

  /// - Parameter messages: each as an element, a place of it, and what its caller calls it.
  private static func cancel(
    _ messages: (String, Taking.Place)...,
    ids: Bool = false,
    standIn: String? = nil,
    deepest: Int = 10
  ) -> @Sendable (MessageQueue) async throws -> String {
    let takings = messages.map { element, place in
      var taking = Taking(bytes(element), at: place)
      if ids { (taking.callerID, taking.record) = (element, (element, MessageEnd(.cancelled, attempts: 0))) }
      taking.standIn = standIn.map(bytes)
      return taking
    }
    return { queue in
      let taken = try await queue.take(
        takings,
        for: .cancelled,
        keepingRecords: ids ? .seconds(60) : .zero,
        deepest: deepest
      )
      return taken.map { "\($0)" }.joined(separator: " ")
    }
  }

  static let cancelled: [ScriptCase] = [
    ScriptCase(
      "What waits and what is scheduled goes, and is counted",
      before: ["LPUSH sms a b c d", "ZADD {sms}:later now+1m e now+2m f"],
      call: cancel(("b", .list(newer: 2)), ("f", .later), ("a", .oldest)),
      answer: "out out out",
      after: ["sms: d c", "{sms}:later: e@now+1m", "{sms}:stats: cancelled=3"]
    ),
    ScriptCase(
      "What was pushed meanwhile has moved it further from where it was found",
      before: ["LPUSH sms a b c d e f g h i j k l m n o p q r s t u v w x y z"],
      call: cancel(("b", .list(newer: 2))),
      answer: "out",
      after: ["sms: z y x w v u t s r q p o n m l k j i h g f e d c a", "{sms}:stats: cancelled=1"]
    ),
    ScriptCase(
      "What is in a hand, dead, or gone is not taken, whatever it was taken for",
      before: [
        "LPUSH sms w", "ZADD {sms}:dead now-1m a", "ZADD {sms}:workers now+1m w@5f",
        "HSET {sms}:claimed:w@5f 5f-0000000000 b",
      ],
      call: cancel(("a", .later), ("b", .list(newer: 0)), ("c", .oldest), ("w", .list(newer: 1))),
      answer: "notThere notThere notThere notThere"
    ),
    ScriptCase(
      "Of two that are alike one goes for each that is asked for",
      before: ["LPUSH sms a a b a"],
      call: cancel(("a", .list(newer: 2)), ("a", .list(newer: 1))),
      answer: "out out",
      after: ["sms: a b", "{sms}:stats: cancelled=2"]
    ),
    ScriptCase(
      "A key of a wrong type is found before anything is taken",
      before: ["LPUSH sms a", "SET {sms}:stats x"],
      call: cancel(("a", .oldest)),
      answer: "WRONGTYPE"
    ),
  ]

  static let deep: [ScriptCase] = [
    ScriptCase(
      "Too deep in the list, it stays",
      before: ["LPUSH sms a b c d e"],
      call: cancel(("c", .list(newer: 2)), deepest: 1),
      answer: "tooDeep"
    ),
    ScriptCase(
      "or another lies in its place, which counts for it",
      before: ["LPUSH sms a b c d e"],
      call: cancel(("c", .list(newer: 2)), standIn: "x", deepest: 1),
      answer: "replaced",
      after: ["sms: e d x b a"]
    ),
    ScriptCase(
      "near to an end it goes",
      before: ["LPUSH sms a b c d e"],
      call: cancel(("b", .list(newer: 3)), ("d", .list(newer: 1)), standIn: "x", deepest: 1),
      answer: "out out",
      after: ["sms: e c a", "{sms}:stats: cancelled=2"]
    ),
  ]

  static let full: [ScriptCase] = [
    ScriptCase(
      "A full Redis can be emptied",
      before: ["LPUSH sms a b c", "ZADD {sms}:later now+1m d"],
      isFull: true,
      call: cancel(("a", .oldest), ("b", .list(newer: 1)), ("d", .later)),
      answer: "out out out",
      after: ["sms: c", "{sms}:stats: cancelled=3"]
    )
  ]

  private static func take(
    _ messages: [Taking],
    _ then: @escaping @Sendable (MessageQueue, MovingBatch) async throws -> Void = { _, _ in }
  ) -> @Sendable (MessageQueue) async throws -> String {
    { queue in
      guard let taken = try await queue.take(messages, toMoveTo: queue.name) else { return "another first" }
      if let batch = try await queue.movingBatch() { try await then(queue, batch) }
      return taken.map { "\($0)" }.joined(separator: " ")
    }
  }

  private static let oldest = ["a", "b"].map { Taking(bytes($0), at: .oldest) }

  static let moved: [ScriptCase] = [
    ScriptCase(
      "A batch arrives once and departs once, however often it is said",
      before: ["LPUSH sms a b c"],
      call: take(oldest) { queue, batch in
        for _ in 1...3 { try await queue.arrive(batch) }
        for _ in 1...3 { try await queue.depart(batch) }
        try await queue.arrive(batch)
        _ = try await queue.connection.run(RedisCommand("DEL", queue.keys.arrived(batch.name)))
      },
      answer: "out out",
      after: ["sms: b a c", "{sms}:stats: moved_in=2 moved_out=2", "{sms}:wake: 1"]
    ),
    ScriptCase(
      "None is taken while another batch is on its way",
      before: ["LPUSH sms a b c", "HSET {sms}:moving 1 x to otp batch 5 gone 1"],
      call: take(oldest),
      answer: "another first"
    ),
    ScriptCase(
      "What is not there is not on its way",
      before: ["LPUSH sms c"],
      call: take(oldest),
      answer: "notThere notThere"
    ),
    ScriptCase(
      "A late call forgets no other batch",
      before: ["HSET {sms}:moving 1 x to otp batch 5 gone 1"],
      call: { queue in
        try await queue.depart(MovingBatch(to: queue.name, name: "4", elements: []))
        return "done"
      },
      answer: "done"
    ),
  ]

  @Test("Only the ids of those that went are free, and only of them it is kept")
  func ids() async throws {
    let test = TestQueue(on: try await .shared())
    for command in ["LPUSH sms a", "SET {sms}:seen:a 1 PX 1800000", "SET {sms}:seen:b 1 PX 1800000"] {
      try await test.run(command)
    }
    #expect(try await Self.cancel(("a", .list(newer: 0)), ("b", .later), ids: true)(test.queue) == "out notThere")
    let known = try await test.queue.known(of: ["a", "b"])
    #expect(known.map(\.end?.outcome) == [.cancelled, nil])
    #expect(known[0].takenUntil == nil && known[1].takenUntil != nil)
  }

  @Test("A call looks at no more than it has the time for, and says which it left")
  func bounds() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("LPUSH sms " + (0..<400).map { "m\($0)" }.joined(separator: " "))
    let messages = (150..<250).map { Taking(bytes("m\($0)"), at: .list(newer: 399 - $0)) }
    let taken = try await test.queue.take(messages, for: .cancelled, deepest: 200)
    #expect(taken.first == .out && taken.last == .notTried)
    let out = taken.count { $0 == .out }
    #expect(try await test.queue.waiting() == 400 - out)
    #expect(taken == Array(repeating: .out, count: out) + Array(repeating: .notTried, count: 100 - out))
  }
}
