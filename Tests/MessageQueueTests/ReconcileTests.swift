import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Reconcile")
struct ReconcileTests {
  @Test("Reconcile", arguments: cases)
  func table(row: ScriptCase) async throws { try await row.check() }

  private static func reconcile(
    known: [Int],
    before nextNumber: Int = .max,
    limit: Int = 500,
    mostBytes: Int = 1_000
  ) -> @Sendable (MessageQueue) async throws -> String {
    { queue in
      let answer = try await queue.reconcile(
        .own,
        known: known,
        before: nextNumber,
        limit: limit,
        mostBytes: mostBytes
      )
      return answer.map { "\(shown($0.lost)) of \($0.count)" } ?? "not registered"
    }
  }

  /// The life holds four claims, and another one.
  private static func holding(until: String = "now+1m") -> [String] {
    [
      "ZADD {sms}:workers \(until) w@5f now+1m v@0a", "HSET {sms}:claimed:v@0a 0a-0000000007 x",
      "HSET {sms}:claimed:w@5f 5f-0000000001 b 5f-000000000a cccc 5f-0000000000 a 5f-0000000010 dd",
      "HSET {sms}:turns w@5f 17",
    ]
  }

  static let cases: [ScriptCase] = [
    ScriptCase(
      "What the worker does not know of is handed out newest first, and stays claimed",
      before: holding(),
      call: reconcile(known: [1, 16, 99]),
      answer: "0a=cccc 00=a of 2"
    ),
    ScriptCase(
      "A worker that knows of all has lost nothing",
      before: holding(),
      call: reconcile(known: [0, 1, 10, 16]),
      answer: " of 0"
    ),
    ScriptCase(
      "A worker that knows of nothing has lost all",
      before: holding(),
      call: reconcile(known: []),
      answer: "10=dd 0a=cccc 01=b 00=a of 4"
    ),
    ScriptCase(
      "Claims that are still on their way to the worker are not lost",
      before: holding(),
      call: reconcile(known: [0], before: 10),
      answer: "01=b of 1"
    ),
    ScriptCase(
      "No more are handed out than asked for, and all are counted",
      before: holding(),
      call: reconcile(known: [1], limit: 2),
      answer: "10=dd 0a=cccc of 3"
    ),
    ScriptCase(
      "No more are handed out than their bytes allow",
      before: holding(),
      call: reconcile(known: [1], mostBytes: 5),
      answer: "10=dd of 3"
    ),
    ScriptCase(
      "One is handed out whatever it weighs",
      before: holding(),
      call: reconcile(known: [16], mostBytes: 1),
      answer: "0a=cccc of 3"
    ),
    ScriptCase(
      "A life whose lease has ended asks as long as nobody has fenced it",
      before: holding(until: "now-1m"),
      call: reconcile(known: [1, 10, 16]),
      answer: "00=a of 1"
    ),
    ScriptCase(
      "A fenced life is told nothing: its claims are another's",
      before: holding(until: "0"),
      call: reconcile(known: []),
      answer: "not registered"
    ),
    ScriptCase(
      "A life that is not there is told nothing",
      before: ["ZADD {sms}:workers now+1m v@0a", "HSET {sms}:claimed:w@5f 5f-0000000000 a"],
      call: reconcile(known: []),
      answer: "not registered"
    ),
    ScriptCase(
      "Claims that stand under no numbers of the life are handed out all the same",
      before: [
        "ZADD {sms}:workers now+1m w@5f", "HSET {sms}:claimed:w@5f x c 5f-0000000000 a 5f-xyz b 5f-0000000007 d",
      ],
      call: reconcile(known: [0], before: 5),
      answer: "x=c yz=b of 2"
    ),
    ScriptCase(
      "A full Redis is no reason to keep them",
      before: holding(),
      isFull: true,
      call: reconcile(known: [1, 16]),
      answer: "0a=cccc 00=a of 2"
    ),
    ScriptCase(
      "A wrong type of {sms}:workers is refused",
      before: ["SET {sms}:workers x"],
      call: reconcile(known: []),
      answer: "WRONGTYPE"
    ),
    ScriptCase(
      "A wrong type of the claimed hash is refused",
      before: ["ZADD {sms}:workers now+1m w@5f", "SET {sms}:claimed:w@5f x"],
      call: reconcile(known: []),
      answer: "WRONGTYPE"
    ),
  ]

  @Test("What Redis forgot to have settled goes back to the front in its old order, counted as recovered")
  func rolledBack() async throws {
    let test = TestQueue(on: try await .shared())
    let payloads = (0..<10).map { bytes("\($0)") }
    _ = try await test.queue.enqueue(payloads.map { OutgoingMessage(payload: $0) })
    _ = try await test.queue.join(.own, lease: .seconds(60))
    let request = ClaimRequest(life: .own, firstNumber: 0, limit: 7)
    let claimed = try #require(try await test.queue.turn(settling: [], claiming: request).claimed)
    let inHand = claimed.messages.filter { $0.claimID.hasSuffix("3") }
    let known = inHand.compactMap { WorkerLife.own.number(ofClaim: $0.claimID) }
    #expect(known == [3])
    #expect(try await test.queue.renew(.own, lease: .seconds(60)).held == 7)

    var steps: [Int] = []
    while let answer = try await test.queue.reconcile(.own, known: known, before: 7, limit: 4), answer.count > 0 {
      steps.append(answer.lost.count)
      let back = answer.lost.map { Settlement(claimID: $0.claimID, .back($0.element(crashes: 1))) }
      #expect(try await test.queue.settle(back, of: .lost(.own)) == back.count)
    }
    #expect(steps == [4, 2])
    #expect(try await test.queue.renew(.own, lease: .seconds(60)).held == 1)
    #expect(try await test.queue.leave(.own) == 1)
    #expect(try await test.queue.settle(inHand.map { Settlement(claimID: $0.claimID, .sent) }, of: .own(.own)) == 1)
    #expect(try await test.queue.leave(.own) == 0)
    let waiting = try await test.queue.peek(10)
    #expect(waiting.map(\.payload) == payloads.filter { $0 != bytes("3") })
    #expect(waiting.map(\.history.crashes) == Array(repeating: 1, count: 6) + [0, 0, 0])
    #expect(try await test.queue.inspect().counters == ["pushed": 10, "recovered": 6, "sent": 1])
    #expect(InvariantCheck(try await test.dump()).violations() == [])
  }

  @Test("Of a large payload the header and the size are handed out, and it goes back whole")
  func large() async throws {
    let test = TestQueue(on: try await .shared())
    let payload = [UInt8](repeating: 97, count: 3 << 20)
    var push = RedisCommand("LPUSH", test.name.description)
    push.append(Element(history: .init(id: "x", crashes: 1), payload: payload).sealed)
    _ = try await test.redis.run(push)
    _ = try await test.queue.join(.own, lease: .seconds(60))
    _ = try await test.queue.turn(settling: [], claiming: .init(life: .own, firstNumber: 0, limit: 1))
    let lost = try #require(try await test.queue.reconcile(.own, known: [])).lost
    #expect(lost.map(\.payloadSize) == [payload.count] && lost.first?.isWithheld == true)
    let back = lost.map { Settlement(claimID: $0.claimID, .back($0.element(crashes: 1))) }
    #expect(try await test.queue.settle(back, of: .lost(.own)) == 1)
    let waiting = try await test.queue.peek(1)
    #expect(waiting.map(\.payload) == [payload])
    #expect(waiting.map(\.history) == [.init(id: "x", crashes: 2)])
  }
}
