import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Lease")
struct LeaseTests {
  @Test("Join", arguments: join)
  func joins(row: ScriptCase) async throws { try await row.check() }

  @Test("Renew", arguments: renew)
  func renews(row: ScriptCase) async throws { try await row.check() }

  @Test("Leave", arguments: leave)
  func leaves(row: ScriptCase) async throws { try await row.check() }

  @Test("A join that arrives late does not bring a fenced life back")
  func lateJoin() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("ZADD {sms}:workers 0 w@5f")
    try await test.run("HSET {sms}:claimed:w@5f 5f-0000000000 a")
    _ = try await test.queue.join(.own, lease: .seconds(60))
    let answer = try await test.queue.renew(.own, lease: .seconds(60))
    #expect(answer == RenewAnswer(isRenewed: false))
  }

  private static let joining: @Sendable (MessageQueue) async throws -> String = { queue in
    let others = try await queue.join(.own, lease: .seconds(120))
    return others.isEmpty ? "first" : "after " + others.map(\.id).sorted().joined(separator: " ")
  }

  private static let renewing: @Sendable (MessageQueue) async throws -> String = { queue in
    shown(try await queue.renew(.own, lease: .seconds(120)))
  }

  private static let renewingWithHealth: @Sendable (MessageQueue) async throws -> String = { queue in
    shown(try await queue.renew(.own, lease: .seconds(120), lastClaim: .seconds(60)))
  }

  private static func shown(_ answer: RenewAnswer) -> String {
    let others = answer.others.map(\.id).sorted().joined(separator: " ")
    return (answer.isRenewed ? "renewed" : "lost") + (others.isEmpty ? "" : ", beside \(others)")
  }

  private static let leaving: @Sendable (MessageQueue) async throws -> String = { queue in
    try await queue.leave(.own) ? "left" : "holds claims"
  }

  static let join: [ScriptCase] = [
    ScriptCase(
      "A life joins for the length of its lease",
      call: joining,
      answer: "first",
      after: ["{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "Joining again sets the lease anew, and keeps the claims",
      before: ["ZADD {sms}:workers now+1m w@5f", "HSET {sms}:claimed:w@5f 5f-0000000000 a"],
      call: joining,
      answer: "first",
      after: ["{sms}:claimed:w@5f: 5f-0000000000=a", "{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "Other lives of the name are older, whatever became of them, and those of no other name",
      before: ["ZADD {sms}:workers 0 w@01 now-1m w@02 now+1m w@03 now+1m w@p@04 now+1m ww@04 now+1m v@05"],
      call: joining,
      answer: "after w@01 w@02 w@03 w@p@04",
      after: ["{sms}:workers: w@01@0 w@02@now-1m v@05@now+1m w@03@now+1m w@p@04@now+1m ww@04@now+1m w@5f@now+2m"]
    ),
    ScriptCase(
      "A worker can start while Redis is full",
      before: ["ZADD {sms}:workers now+1m w@01"],
      isFull: true,
      call: joining,
      answer: "after w@01",
      after: ["{sms}:workers: w@01@now+1m w@5f@now+2m"]
    ),
    ScriptCase(
      "A wrong type of {sms}:workers is refused",
      before: ["SET {sms}:workers x"],
      call: joining,
      answer: "WRONGTYPE"
    ),
  ]

  static let renew: [ScriptCase] = [
    ScriptCase(
      "A lease is renewed from now, and the life is told which others of its name live",
      before: ["ZADD {sms}:workers now+1m w@5f now+1m w@01 now+1m w@p@02 now-1m w@03 0 w@04 now+1m ww@05"],
      call: renewing,
      answer: "renewed, beside w@01 w@p@02",
      after: ["{sms}:workers: w@04@0 w@03@now-1m w@01@now+1m w@p@02@now+1m ww@05@now+1m w@5f@now+2m"]
    ),
    ScriptCase(
      "A lease that has ended is renewed as long as nobody has fenced it",
      before: ["ZADD {sms}:workers now-1m w@5f"],
      call: renewing,
      answer: "renewed",
      after: ["{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "A life that is fenced does not come back",
      before: ["ZADD {sms}:workers 0 w@5f now+1m v@0a"],
      call: renewing,
      answer: "lost"
    ),
    ScriptCase(
      "A life that was struck off does not come back",
      before: ["ZADD {sms}:workers now+1m v@0a"],
      call: renewing,
      answer: "lost"
    ),
    ScriptCase(
      "A life that lost its lease is told which life of its name lives",
      before: ["ZADD {sms}:workers 0 w@5f 0 w@01 now+1m w@02 now+1m ww@03"],
      call: renewing,
      answer: "lost, beside w@02"
    ),
    ScriptCase(
      "A renewal records when a claim last succeeded, by Redis' clock",
      before: ["ZADD {sms}:workers now+1m w@5f", "HSET {sms}:health w@5f 1 v@0a 2"],
      call: renewingWithHealth,
      answer: "renewed",
      after: ["{sms}:health: v@0a=2 w@5f=time", "{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "A lease that is lost records nothing",
      before: ["ZADD {sms}:workers 0 w@5f"],
      call: renewingWithHealth,
      answer: "lost"
    ),
    ScriptCase(
      "A wrong type of {sms}:health does not cost the lease",
      before: ["ZADD {sms}:workers now+1m w@5f", "SET {sms}:health x"],
      call: renewingWithHealth,
      answer: "renewed",
      after: ["{sms}:health: x", "{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "A lease can be renewed, and health recorded, while Redis is full",
      before: ["ZADD {sms}:workers now+1m w@5f"],
      isFull: true,
      call: renewingWithHealth,
      answer: "renewed",
      after: ["{sms}:health: w@5f=time", "{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "A lease can be renewed while Redis is full",
      before: ["ZADD {sms}:workers now+1m w@5f"],
      isFull: true,
      call: renewing,
      answer: "renewed",
      after: ["{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "A wrong type of {sms}:workers is refused",
      before: ["SET {sms}:workers x"],
      call: renewing,
      answer: "WRONGTYPE"
    ),
  ]

  static let leave: [ScriptCase] = [
    ScriptCase(
      "A life that holds nothing is struck off",
      before: ["ZADD {sms}:workers now+1m w@5f now+1m v@0a", "HSET {sms}:claimed:v@0a 0a-0000000000 a"],
      call: leaving,
      answer: "left",
      after: ["{sms}:claimed:v@0a: 0a-0000000000=a", "{sms}:workers: v@0a@now+1m"]
    ),
    ScriptCase(
      "A life that holds claims stays, so that they are recovered",
      before: ["ZADD {sms}:workers now+1m w@5f", "HSET {sms}:claimed:w@5f 5f-0000000000 a"],
      call: leaving,
      answer: "holds claims"
    ),
    ScriptCase(
      "A life that leaves takes its health and its turns with it",
      before: [
        "ZADD {sms}:workers now+1m w@5f", "HSET {sms}:health w@5f 1 v@0a 2", "HSET {sms}:turns w@5f 1 v@0a 2",
      ],
      call: leaving,
      answer: "left",
      after: ["{sms}:health: v@0a=2", "{sms}:turns: v@0a=2"]
    ),
    ScriptCase("A life that is not there has left", call: leaving, answer: "left"),
    ScriptCase(
      "A worker can stop while Redis is full",
      before: ["ZADD {sms}:workers now+1m w@5f"],
      isFull: true,
      call: leaving,
      answer: "left",
      after: []
    ),
  ]
}
