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

  @Test("A renewal cuts each lease that ends later than its own length from now: Redis' clock was set back")
  func impossibleLeases() async throws {
    let test = TestQueue(on: try await .shared())
    let health = QueueKeys(test.name).health
    try await test.run(
      "ZADD {sms}:workers now+1m w@5f now+60m a@01 now+60m a@02 inf a@03 now+4m a@04 now+60m a@05 0 a@06"
    )
    for (life, value) in [
      ("a@01", "- 180000"), ("a@02", "1700000000000 300000"), ("a@03", "- 60000"), ("a@04", "5 300000"),
    ] {
      _ = try await test.redis.run(RedisCommand("HSET", health, life, value))
    }
    // Of these the length is not known: an older version wrote the one, and the other is fenced.
    _ = try await test.redis.run(RedisCommand("HSET", health, "a@05", "1700000000000", "a@06", "- 60000"))
    #expect(try await test.queue.renew(.own, lease: .seconds(120)).isRenewed)
    #expect(
      try await test.dump().lines.last
        == "{sms}:workers: a@06@0 a@03@now+1m w@5f@now+2m a@01@now+3m a@04@now+4m a@02@now+5m a@05@now+60m"
    )
    // One that is lost itself cuts nobody's.
    try await test.run("ZADD {sms}:workers 0 w@5f now+60m a@01")
    let before = try await test.dump().values
    #expect(try await !test.queue.renew(.own, lease: .seconds(120)).isRenewed)
    #expect(try await test.dump().values == before)
  }

  @Test("Leases of different lengths stay as they are, whoever renews")
  func lengths() async throws {
    let test = TestQueue(on: try await .shared())
    let lives = [60, 600, 3600].map { (WorkerLife(name: "w\($0)"), Duration.seconds($0)) }
    for (life, lease) in lives { _ = try await test.queue.join(life, lease: lease) }
    for _ in 0..<3 {
      for (life, lease) in lives {
        #expect(try await test.queue.renew(life, lease: lease, lastClaim: .zero).isRenewed)
        let left = try await test.queue.inspect().workers.map(\.leaseLeft)
        for (left, (_, lease)) in zip(left, lives) {
          #expect(try #require(left) > lease - .seconds(50) && #require(left) <= lease)
        }
      }
    }
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
    return (answer.isRenewed ? "renewed" : "lost") + (answer.held == 0 ? "" : ", holds \(answer.held)")
      + (others.isEmpty ? "" : ", beside \(others)")
  }

  private static let leaving: @Sendable (MessageQueue) async throws -> String = { queue in
    let held = try await queue.leave(.own)
    return held == 0 ? "left" : "holds \(held)"
  }

  static let join: [ScriptCase] = [
    ScriptCase(
      "A life joins for the length of its lease",
      call: joining,
      answer: "first",
      after: ["{sms}:health: w@5f=- 120000", "{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "Joining again sets the lease anew, and keeps the claims",
      before: ["ZADD {sms}:workers now+1m w@5f", "HSET {sms}:claimed:w@5f 5f-0000000000 a"],
      call: joining,
      answer: "first",
      after: ["{sms}:claimed:w@5f: 5f-0000000000=a", "{sms}:health: w@5f=- 120000", "{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "A join that arrives after a renewal keeps what that recorded",
      before: ["ZADD {sms}:workers now+1m w@5f", "HSET {sms}:health w@5f now-1m"],
      call: joining,
      answer: "first",
      after: ["{sms}:health: w@5f=time 120000", "{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "A life that is fenced does not join again",
      before: ["ZADD {sms}:workers 0 w@5f", "HSET {sms}:claimed:w@5f 5f-0000000000 a"],
      call: joining,
      answer: "first"
    ),
    ScriptCase(
      "A wrong type of {sms}:health does not keep a worker from its start",
      before: ["SET {sms}:health x"],
      call: joining,
      answer: "first",
      after: ["{sms}:health: x", "{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "Other lives of the name are older, whatever became of them, and those of no other name",
      before: ["ZADD {sms}:workers 0 w@01 now-1m w@02 now+1m w@03 now+1m w@p@04 now+1m ww@04 now+1m v@05"],
      call: joining,
      answer: "after w@01 w@02 w@03 w@p@04",
      after: [
        "{sms}:health: w@5f=- 120000",
        "{sms}:workers: w@01@0 w@02@now-1m v@05@now+1m w@03@now+1m w@p@04@now+1m ww@04@now+1m w@5f@now+2m",
      ]
    ),
    ScriptCase(
      "A worker can start while Redis is full",
      before: ["ZADD {sms}:workers now+1m w@01"],
      isFull: true,
      call: joining,
      answer: "after w@01",
      after: ["{sms}:health: w@5f=- 120000", "{sms}:workers: w@01@now+1m w@5f@now+2m"]
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
      after: [
        "{sms}:health: w@5f=- 120000",
        "{sms}:workers: w@04@0 w@03@now-1m w@01@now+1m w@p@02@now+1m ww@05@now+1m w@5f@now+2m",
      ]
    ),
    ScriptCase(
      "A lease that has ended is renewed as long as nobody has fenced it",
      before: ["ZADD {sms}:workers now-1m w@5f"],
      call: renewing,
      answer: "renewed",
      after: ["{sms}:health: w@5f=- 120000", "{sms}:workers: w@5f@now+2m"]
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
      after: ["{sms}:health: v@0a=2 w@5f=time 120000", "{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "A renewal without a claim keeps the time of the last one",
      before: ["ZADD {sms}:workers now+1m w@5f", "HSET {sms}:health w@5f now-1m"],
      call: renewing,
      answer: "renewed",
      after: ["{sms}:health: w@5f=time 120000", "{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "A life is told how many claims it holds",
      before: [
        "ZADD {sms}:workers now+1m w@5f now+1m v@0a", "HSET {sms}:claimed:w@5f 5f-0000000000 a 5f-0000000001 b",
        "HSET {sms}:claimed:v@0a 0a-0000000000 c",
      ],
      call: renewing,
      answer: "renewed, holds 2",
      after: [
        "{sms}:claimed:v@0a: 0a-0000000000=c", "{sms}:claimed:w@5f: 5f-0000000000=a 5f-0000000001=b",
        "{sms}:health: w@5f=- 120000", "{sms}:workers: v@0a@now+1m w@5f@now+2m",
      ]
    ),
    ScriptCase(
      "A wrong type of the claimed hash does not cost the lease",
      before: ["ZADD {sms}:workers now+1m w@5f", "SET {sms}:claimed:w@5f x"],
      call: renewing,
      answer: "renewed",
      after: ["{sms}:claimed:w@5f: x", "{sms}:health: w@5f=- 120000", "{sms}:workers: w@5f@now+2m"]
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
      after: ["{sms}:health: w@5f=time 120000", "{sms}:workers: w@5f@now+2m"]
    ),
    ScriptCase(
      "A lease can be renewed while Redis is full",
      before: ["ZADD {sms}:workers now+1m w@5f"],
      isFull: true,
      call: renewing,
      answer: "renewed",
      after: ["{sms}:health: w@5f=- 120000", "{sms}:workers: w@5f@now+2m"]
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
      before: ["ZADD {sms}:workers now+1m w@5f", "HSET {sms}:claimed:w@5f 5f-0000000000 a 5f-0000000001 b"],
      call: leaving,
      answer: "holds 2"
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
    ScriptCase(
      "A wrong type of {sms}:turns leaves the life as it was",
      before: ["ZADD {sms}:workers now+1m w@5f", "SET {sms}:turns x"],
      call: leaving,
      answer: "WRONGTYPE"
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
