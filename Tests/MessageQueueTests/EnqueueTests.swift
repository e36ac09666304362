import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Enqueue")
struct EnqueueTests {
  @Test("Enqueue", arguments: plain + scheduled + identified + bounded + refused)
  func table(row: ScriptCase) async throws { try await row.check() }

  /// Queues messages given as `payload`, `payload#id`.
  private static func enqueue(
    _ messages: String...,
    due: OutgoingMessage.Due = .now,
    maxWaiting: Int = 0,
    rememberIDs: Duration = .seconds(3600)
  ) -> @Sendable (MessageQueue) async throws -> String {
    let batch = messages.map { message in
      let parts = message.split(separator: "#").map(String.init)
      return OutgoingMessage(payload: bytes(parts[0]), callerID: parts.dropFirst().first, due: due)
    }
    return { "\(try await $0.enqueue(batch, maxWaiting: maxWaiting, rememberIDs: rememberIDs))" }
  }

  static let plain: [ScriptCase] = [
    ScriptCase(
      "A batch enters on the left, the first of it nearest the right end, and rings once",
      before: ["LPUSH sms old"],
      call: enqueue("a", "b", "c"),
      answer: "queued(count: 3, waiting: 4, duplicates: [])",
      after: ["sms: c b a old", "{sms}:stats: pushed=3", "{sms}:wake: 1"]
    ),
    ScriptCase(
      "Nothing queued changes nothing and does not ring",
      call: { "\(try await $0.enqueue([]))" },
      answer: "queued(count: 0, waiting: 0, duplicates: [])"
    ),
    ScriptCase(
      "Two messages with the same payload are two messages",
      call: enqueue("a", "a"),
      answer: "queued(count: 2, waiting: 2, duplicates: [])",
      after: ["sms: a a", "{sms}:stats: pushed=2", "{sms}:wake: 1"]
    ),
    ScriptCase(
      "Eight wake tokens are enough",
      before: ["LPUSH {sms}:wake 1 1 1 1 1 1 1 1"],
      call: enqueue("a"),
      answer: "queued(count: 1, waiting: 1, duplicates: [])",
      after: ["sms: a", "{sms}:stats: pushed=1", "{sms}:wake: 1 1 1 1 1 1 1 1"]
    ),
  ]

  static let scheduled: [ScriptCase] = [
    ScriptCase(
      "A delay is counted from now by Redis' clock, and does not ring",
      call: enqueue("a", due: .after(.seconds(300))),
      answer: "queued(count: 1, waiting: 0, duplicates: [])",
      after: ["{sms}:later: a<id>@now+5m", "{sms}:stats: pushed=1"]
    ),
    ScriptCase(
      "A message that is due already waits at once",
      call: enqueue("a", due: .at(1_700_000_000_000)),
      answer: "queued(count: 1, waiting: 1, duplicates: [])",
      after: ["sms: a<id>", "{sms}:stats: pushed=1", "{sms}:wake: 1"]
    ),
    ScriptCase(
      "A delay that is over before it began is none",
      call: enqueue("a", due: .after(.seconds(-5))),
      answer: "queued(count: 1, waiting: 1, duplicates: [])",
      after: ["sms: a<id>", "{sms}:stats: pushed=1", "{sms}:wake: 1"]
    ),
    ScriptCase(
      "A batch may mix due times",
      call: { queue in
        let dues: [OutgoingMessage.Due] = [.after(.seconds(600)), .now, .after(.seconds(60))]
        return "\(try await queue.enqueue(zip(["a", "b", "c"], dues).map { .init(payload: bytes($0), due: $1) }))"
      },
      answer: "queued(count: 3, waiting: 1, duplicates: [])",
      after: ["sms: b", "{sms}:later: c<id>@now+1m a<id>@now+10m", "{sms}:stats: pushed=3", "{sms}:wake: 1"]
    ),
  ]

  static let identified: [ScriptCase] = [
    ScriptCase(
      "A caller's id is remembered for as long as asked",
      call: enqueue("a#1", "b", "c#3"),
      answer: "queued(count: 3, waiting: 3, duplicates: [])",
      after: [
        "sms: c b a", "{sms}:seen:1: 3600000 for 60m", "{sms}:seen:3: 3600000 for 60m", "{sms}:stats: pushed=3",
        "{sms}:wake: 1",
      ]
    ),
    ScriptCase(
      "An id that was used before is a duplicate, and keeps its term",
      before: ["SET {sms}:seen:1 1 PX 1800000"],
      call: enqueue("a#1", "b#2"),
      answer: "queued(count: 1, waiting: 1, duplicates: [0])",
      after: [
        "sms: b", "{sms}:seen:1: 1 for 30m", "{sms}:seen:2: 3600000 for 60m", "{sms}:stats: pushed=1", "{sms}:wake: 1",
      ]
    ),
    ScriptCase(
      "Of two messages with one id in a batch the first is taken",
      call: enqueue("a", "b#1", "c#1", "d#2", "e#2"),
      answer: "queued(count: 3, waiting: 3, duplicates: [2, 4])",
      after: [
        "sms: d b a", "{sms}:seen:1: 3600000 for 60m", "{sms}:seen:2: 3600000 for 60m", "{sms}:stats: pushed=3",
        "{sms}:wake: 1",
      ]
    ),
    ScriptCase(
      "With and without ids, at once and later, in any order: each goes its way, and duplicates are told by their positions",
      before: ["LPUSH sms old", "SET {sms}:seen:2 1 PX 1800000"],
      call: { queue in
        let later = OutgoingMessage.Due.after(.seconds(60))
        let batch: [OutgoingMessage] = [
          .init(payload: bytes("a")), .init(payload: bytes("b"), callerID: "1"),
          .init(payload: bytes("c"), callerID: "2"),
          .init(payload: bytes("d")), .init(payload: bytes("e")), .init(payload: bytes("f"), callerID: "1"),
          .init(payload: bytes("g"), callerID: "3", due: later), .init(payload: bytes("h"), due: .after(.seconds(120))),
          .init(payload: bytes("i"), callerID: "3", due: later), .init(payload: bytes("j"), callerID: "4"),
        ]
        return "\(try await queue.enqueue(batch, rememberIDs: .seconds(3600)))"
      },
      answer: "queued(count: 7, waiting: 6, duplicates: [2, 5, 8])",
      after: [
        "sms: j e d b a old", "{sms}:later: g<id>@now+1m h<id>@now+2m", "{sms}:seen:1: 3600000 for 60m",
        "{sms}:seen:2: 1 for 30m", "{sms}:seen:3: 3600000 for 60m", "{sms}:seen:4: 3600000 for 60m",
        "{sms}:stats: pushed=7",
        "{sms}:wake: 1",
      ]
    ),
    ScriptCase(
      "A batch of duplicates changes nothing and does not ring",
      before: ["SET {sms}:seen:1 1 PX 1800000"],
      call: enqueue("a#1", "b#1"),
      answer: "queued(count: 0, waiting: 0, duplicates: [0, 1])"
    ),
    ScriptCase(
      "Ids that are not to be remembered are not looked at",
      before: ["SET {sms}:seen:1 1 PX 1800000"],
      call: enqueue("a#1", "b", "c#1", rememberIDs: .zero),
      answer: "queued(count: 3, waiting: 3, duplicates: [])",
      after: ["sms: c b a", "{sms}:seen:1: 1 for 30m", "{sms}:stats: pushed=3", "{sms}:wake: 1"]
    ),
  ]

  static let bounded: [ScriptCase] = [
    ScriptCase(
      "A batch may fill the queue to its bound",
      before: ["LPUSH sms old"],
      call: enqueue("a", "b", maxWaiting: 3),
      answer: "queued(count: 2, waiting: 3, duplicates: [])",
      after: ["sms: b a old", "{sms}:stats: pushed=2", "{sms}:wake: 1"]
    ),
    ScriptCase(
      "Duplicates and what is due later do not count against the bound",
      before: ["LPUSH sms old", "SET {sms}:seen:1 1 PX 1800000"],
      call: { queue in
        let batch: [OutgoingMessage] = [
          .init(payload: bytes("a"), callerID: "1"), .init(payload: bytes("b")),
          .init(payload: bytes("c"), due: .after(.seconds(60))),
        ]
        return "\(try await queue.enqueue(batch, maxWaiting: 2))"
      },
      answer: "queued(count: 2, waiting: 2, duplicates: [0])",
      after: [
        "sms: b old", "{sms}:later: c<id>@now+1m", "{sms}:seen:1: 1 for 30m", "{sms}:stats: pushed=2", "{sms}:wake: 1",
      ]
    ),
  ]

  static let refused: [ScriptCase] =
    // The script has a shorter way for messages without ids.
    ["a", "a#1"].flatMap { message in
      ["sms", "{sms}:wake", "{sms}:later", "{sms}:stats"].map { key in
        ScriptCase(
          "A wrong type of \(key) is found before anything is changed: \(message)",
          before: ["SET \(key) x"],
          call: enqueue(message, due: key == "{sms}:later" ? .after(.seconds(60)) : .now),
          answer: "WRONGTYPE"
        )
      } + [
        ScriptCase(
          "A counter that is no number is found before anything is changed: \(message)",
          before: ["HSET {sms}:stats pushed x"],
          call: enqueue(message),
          answer: "not an integer"
        ),
        ScriptCase(
          "A batch that would exceed the bound is refused whole: \(message)",
          before: ["LPUSH sms old"],
          call: enqueue(message, "b", maxWaiting: 2),
          answer: "full(waiting: 1)"
        ),
        ScriptCase(
          "A full Redis refuses the whole batch: \(message)",
          before: ["LPUSH sms old"],
          isFull: true,
          call: enqueue(message, "b"),
          answer: "OOM"
        ),
      ]
    }
    + [
      ScriptCase(
        "A full Redis refuses a whole batch that is due later, and no id is used up",
        before: ["LPUSH sms old"],
        isFull: true,
        call: enqueue("a#1", "b#2", due: .after(.seconds(60))),
        answer: "OOM"
      )
    ]

  @Test("A large batch is queued in order, and its ids with it")
  func large() async throws {
    let test = TestQueue(on: try await .shared())
    let batch = (1...10_000).map { OutgoingMessage(payload: bytes("\($0)"), callerID: "\($0)") }
    #expect(try await test.queue.enqueue(batch) == .queued(count: 10_000, waiting: 10_000, duplicates: []))
    let next = try await test.queue.peek(10_000)
    #expect(next.map(\.payload) == batch.map(\.payload))
    #expect(
      try await test.queue.enqueue(batch) == .queued(count: 0, waiting: 10_000, duplicates: Array(batch.indices))
    )
  }

  @Test("A large batch without ids is queued in order, and one with ids here and there as well", arguments: [0, 3])
  func largeAndPlain(everyNth: Int) async throws {
    let test = TestQueue(on: try await .shared())
    let batch = (1...10_000).map { number in
      OutgoingMessage(
        payload: bytes("\(number)"),
        callerID: everyNth > 0 && number % everyNth == 0 ? "\(number)" : nil
      )
    }
    #expect(try await test.queue.enqueue(batch) == .queued(count: 10_000, waiting: 10_000, duplicates: []))
    #expect(try await test.queue.peek(10_000).map(\.payload) == batch.map(\.payload))
    #expect(InvariantCheck(try await test.dump()).balance == 0)
  }

  @Test("Batches of one round trip have each its own result")
  func pipelined() async throws {
    let test = TestQueue(on: try await .shared())
    let batches = ["a", "b", "c"].map { text in
      OutgoingBatch([OutgoingMessage(payload: bytes(text), callerID: text == "c" ? "1" : nil)])
    }
    let results = try await test.queue.enqueue(pipelined: batches + [batches[2], batches[0]], maxWaiting: 4)
    #expect(
      try results.map { try $0.get() } == [
        .queued(count: 1, waiting: 1, duplicates: []), .queued(count: 1, waiting: 2, duplicates: []),
        .queued(count: 1, waiting: 3, duplicates: []), .queued(count: 0, waiting: 3, duplicates: [0]),
        .queued(count: 1, waiting: 4, duplicates: []),
      ]
    )
    #expect(InvariantCheck(try await test.dump()).balance == 0)
  }

  @Test("A due time is kept to the millisecond")
  func dueTime() async throws {
    let test = TestQueue(on: try await .shared())
    _ = try await test.queue.enqueue([OutgoingMessage(payload: bytes("a"), due: .at(4_102_444_800_123))])
    #expect(try await test.run("ZRANGE {sms}:later 0 -1 WITHSCORES").array?.last?.integer == 4_102_444_800_123)
  }

  @Test("Two scheduled messages with the same payload are two messages")
  func scheduledTwins() async throws {
    let test = TestQueue(on: try await .shared())
    let message = OutgoingMessage(payload: bytes("twin"), due: .after(.seconds(60)))
    _ = try await test.queue.enqueue([message, message])
    _ = try await test.queue.enqueue([message])
    #expect(try await test.queue.inspect().scheduled == 3)
    #expect(InvariantCheck(try await test.dump()).balance == 0)
  }
}
