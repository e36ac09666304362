import MessageQueue
import RedisClient
import TestSupport
import Testing

/// One kind of damage, and what the audit says of it.
private struct Damage: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let commands: [String]
  let found: [String]
  let plain: Int

  init(_ name: String, _ commands: String..., found: [String], plain: Int = 0) {
    testDescription = name
    self.commands = commands
    self.found = found
    self.plain = plain
  }
}

@Suite("Audit")
struct AuditTests {
  private static let damages: [Damage] = [
    Damage("A queue that was never used", found: []),
    Damage(
      "Messages in every place, and the books balance",
      "LPUSH sms a b",
      "ZADD {sms}:later now+1m c",
      "ZADD {sms}:dead now-1m d",
      "ZADD {sms}:workers now+1m w@5f 0 v@0a",
      "HSET {sms}:claimed:w@5f 5f-0000000000 e",
      "HSET {sms}:claimed:v@0a 0a-0000000000 f",
      "HSET {sms}:turns w@5f 1 v@0a 1",
      "HSET {sms}:health w@5f 1",
      "HSET {sms}:stats pushed 10 sent 1 expired 1 dead_dropped 1 dead_removed 1 retried 7",
      found: []
    ),
    Damage("Plain pushes", "LPUSH sms a b c", "HSET {sms}:stats pushed 1 sent 1", found: [], plain: 3),
    Damage(
      "Claims without an owner, which are counted as messages all the same",
      "HSET {sms}:claimed:w@5f 5f-0000000000 a 5f-0000000001 b",
      "HSET {sms}:stats pushed 2",
      found: ["2 stray claims of w@5f"]
    ),
    Damage("Messages that vanished", "LPUSH sms a", "HSET {sms}:stats pushed 3", found: ["2 missing"]),
    Damage("Turns without a worker", "HSET {sms}:turns w@5f 1", found: ["w@5f left over in {sms}:turns"]),
    Damage("Health without a worker", "HSET {sms}:health w@5f 1", found: ["w@5f left over in {sms}:health"]),
    Damage("A lease without an end", "ZADD {sms}:workers inf w@5f", found: ["endless lease of w@5f"]),
    Damage("A lease far in the future", "ZADD {sms}:workers now+9999m w@5f", found: ["endless lease of w@5f"]),
    Damage("A lease of an hour", "ZADD {sms}:workers now+60m w@5f", found: []),
    Damage(
      "Keys of wrong types, all at once",
      "SET sms x",
      "SET {sms}:claimed:w@5f x",
      "LPUSH {sms}:health x",
      "HSET {sms}:stats pushed 5",
      found: ["sms is string, not list", "{sms}:health is list, not hash", "{sms}:claimed:w@5f is string, not hash"]
    ),
    Damage("A counter that is no number", "HSET {sms}:stats pushed x sent 2", found: [], plain: 2),
  ]

  @Test("Each kind of damage is found, and nothing is changed", arguments: damages)
  fileprivate func finds(damage: Damage) async throws {
    let test = TestQueue(on: try await .shared())
    // A neighbour whose keys look alike is none of this queue's business.
    let neighbour = TestQueue(on: try await .shared())
    try await neighbour.run("HSET {sms}:claimed:w@5f 5f-0000000000 a")
    for command in damage.commands { try await test.run(command) }
    let before = try await test.dump()
    let audit = try await test.queue.audit()
    #expect(audit.faults.map { shown($0, in: test) } == damage.found)
    #expect(audit.plain == damage.plain)
    #expect(try await test.dump().values == before.values)
  }

  @Test("Claims are found among more keys than one SCAN returns")
  func manyKeys() async throws {
    let test = TestQueue(on: try await RedisServer())
    for start in stride(from: 0, to: 5_000, by: 500) {
      _ = try await test.redis.run((start..<start + 500).map { RedisCommand("SET", "other:\($0)", "") })
    }
    for number in 0..<50 { try await test.run("HSET {sms}:claimed:w@\(number) 5f-0000000000 m\(number)") }
    let audit = try await test.queue.audit()
    #expect(audit.faults.count == 50)
    #expect(audit.plain == 50)
  }

  @Test("Claims whose life another program named are found, too")
  func strangeLife() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("HSET {sms}:claimed: a b")
    try await test.run("HSET {sms}:claimed:no-life a b")
    let found = Set(try await test.queue.audit().faults.map { shown($0, in: test) })
    #expect(found == ["1 stray claims of ", "1 stray claims of no-life"])
  }

  private func shown(_ fault: QueueAudit.Fault, in test: TestQueue) -> String {
    func short(_ key: String) -> String {
      key == test.name.description ? "sms" : "{sms}" + key.dropFirst("{\(test.name)}".count)
    }
    return switch fault {
    case .wrongType(let key, let found, let wanted): "\(short(key)) is \(found), not \(wanted)"
    case .strayClaims(_, let life, let claims): "\(claims) stray claims of \(life)"
    case .missing(let count): "\(count) missing"
    case .endlessLease(let life, _): "endless lease of \(life)"
    case .leftover(let key, let life): "\(life) left over in \(short(key))"
    }
  }
}
