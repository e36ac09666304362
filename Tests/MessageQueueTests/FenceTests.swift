import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Fence")
struct FenceTests {
  @Test("Fence", arguments: cases)
  func table(row: ScriptCase) async throws { try await row.check() }

  private static func fence(
    superseded: Bool = false,
    limit: Int = 500
  ) -> @Sendable (MessageQueue) async throws -> String {
    { queue in
      let claims = try await queue.fence(.own, superseded: superseded, limit: limit)
      return claims.map { $0.isEmpty ? "struck off" : shown($0) } ?? "nothing to do"
    }
  }

  private static func holding(until: String) -> [String] {
    [
      "ZADD {sms}:workers \(until) w@5f now+1m v@0a",
      "HSET {sms}:claimed:w@5f 5f-0000000001 b 5f-000000000a c 5f-0000000000 a",
    ]
  }

  private static let fenced = [
    "{sms}:claimed:w@5f: 5f-0000000000=a 5f-0000000001=b 5f-000000000a=c", "{sms}:workers: w@5f@0 v@0a@now+1m",
  ]

  static let cases: [ScriptCase] = [
    ScriptCase(
      "A life whose lease holds is left alone",
      before: holding(until: "now+1m"),
      call: fence(),
      answer: "nothing to do"
    ),
    ScriptCase(
      "A life that is not there is left alone",
      before: ["ZADD {sms}:workers now+1m v@0a", "HSET {sms}:claimed:w@5f 5f-0000000000 a"],
      call: fence(superseded: true),
      answer: "nothing to do"
    ),
    ScriptCase(
      "A life whose lease has ended is fenced, and its claims are handed out newest first",
      before: holding(until: "now-1m"),
      call: fence(),
      answer: "0a=c 01=b 00=a",
      after: fenced
    ),
    ScriptCase(
      "A life that is superseded is fenced while its lease holds",
      before: holding(until: "now+1m"),
      call: fence(superseded: true),
      answer: "0a=c 01=b 00=a",
      after: fenced
    ),
    ScriptCase(
      "Claims are handed out in bounded steps",
      before: holding(until: "now-1m"),
      call: fence(limit: 2),
      answer: "0a=c 01=b",
      after: fenced
    ),
    ScriptCase(
      "A fenced life stays fenced until its claims are settled, and they are handed out again",
      before: holding(until: "0"),
      call: fence(),
      answer: "0a=c 01=b 00=a"
    ),
    ScriptCase(
      "A fenced life without claims is struck off",
      before: ["ZADD {sms}:workers 0 w@5f now+1m v@0a"],
      call: fence(),
      answer: "struck off",
      after: ["{sms}:workers: v@0a@now+1m"]
    ),
    ScriptCase(
      "A life that is struck off takes its health and its turns with it",
      before: [
        "ZADD {sms}:workers 0 w@5f now+1m v@0a", "HSET {sms}:health w@5f 1 v@0a 2", "HSET {sms}:turns w@5f 1 v@0a 2",
      ],
      call: fence(),
      answer: "struck off",
      after: ["{sms}:health: v@0a=2", "{sms}:turns: v@0a=2", "{sms}:workers: v@0a@now+1m"]
    ),
    ScriptCase(
      "A life whose lease has ended, and that holds nothing, is struck off at once",
      before: ["ZADD {sms}:workers now-1m w@5f"],
      call: fence(),
      answer: "struck off",
      after: []
    ),
    ScriptCase(
      "A life can be fenced while Redis is full",
      before: holding(until: "now-1m"),
      isFull: true,
      call: fence(),
      answer: "0a=c 01=b 00=a",
      after: fenced
    ),
    ScriptCase(
      "A wrong type of the claimed hash leaves the life as it was",
      before: ["ZADD {sms}:workers now-1m w@5f", "SET {sms}:claimed:w@5f x"],
      call: fence(),
      answer: "WRONGTYPE"
    ),
  ]

  @Test("What a crashed worker held goes back to the front in its old order, in as many steps as it takes")
  func recovery() async throws {
    let test = TestQueue(on: try await .shared())
    let payloads = (0..<10).map { bytes("\($0)") }
    _ = try await test.queue.enqueue(payloads.map { OutgoingMessage(payload: $0) })
    _ = try await test.queue.join(.own, lease: .seconds(60))
    let request = ClaimRequest(life: .own, firstNumber: 0, limit: 7)
    _ = try await test.queue.turn(settling: [], claiming: request)

    var steps: [Int] = []
    while let claims = try await test.queue.fence(.own, superseded: true, limit: 3) {
      steps.append(claims.count)
      let back = claims.map { Settlement(claimID: $0.claimID, .back($0.element(crashes: 1))) }
      // Two workers may recover the same life at once.
      for settled in [claims.count, 0] {
        let answer = try await test.queue.settle(back, of: .fenced(.own))
        #expect(claims.isEmpty ? answer == nil : answer == settled)
      }
    }
    #expect(steps == [3, 3, 1, 0])
    let waiting = try await test.queue.peek(10)
    #expect(waiting.map(\.payload) == payloads)
    #expect(waiting.map(\.history.crashes) == Array(repeating: 1, count: 7) + [0, 0, 0])
    #expect(try await test.queue.renew(.own, lease: .seconds(60)) == .lost(successor: nil))
    #expect(InvariantCheck(try await test.dump()).violations() == [])
  }
}
