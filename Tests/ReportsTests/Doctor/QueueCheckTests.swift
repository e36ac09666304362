@testable import MessageQueue
import RedisClient
import Testing

@testable import Reports

@Suite("Queue check")
struct QueueCheckTests {
  private func snapshot(
    waiting: Int = 0,
    paused: Bool = false,
    queuedAt: String? = nil,
    to: String = "+8613800138000",
    workers: [QueueSnapshot.Worker] = [worker()]
  ) -> QueueSnapshot {
    let payload = #"{"to":"\#(to)","text":"hi","queued_at":"\#(queuedAt ?? "")"}"#
    return QueueSnapshot(
      queue: QueueName("sms")!,
      now: 1_700_000_000_000,
      waiting: waiting,
      scheduled: 0,
      dead: 0,
      paused: paused,
      oldest: queuedAt.map { _ in Element(Array(payload.utf8)) },
      counters: [:],
      workers: workers
    )
  }

  private static func worker(
    _ id: String = "w@5f",
    leaseLeft: Duration? = .seconds(5),
    lastClaim: Duration? = .seconds(1)
  ) -> QueueSnapshot.Worker {
    .init(life: WorkerLife(id: id)!, leaseLeft: leaseLeft, claimed: 3, lastClaim: lastClaim)
  }

  private func complaints(_ snapshot: QueueSnapshot) -> [String] {
    QueueCheck.findings(snapshot).filter { $0.level > .ok }.map { "\($0.level) \($0.check)" }
  }

  @Test("A queue at work is well, and each thing that holds it up is named")
  func states() {
    #expect(complaints(snapshot()) == [])
    #expect(complaints(snapshot(waiting: 9, queuedAt: "2023-11-14T22:12:00Z")) == [])
    #expect(complaints(snapshot(waiting: 9, queuedAt: "2023-11-14T20:00:00Z")) == ["warning sms waiting"])
    #expect(
      complaints(snapshot(waiting: 9, queuedAt: "2023-11-14T20:00:00Z", to: "13800138000")) == ["warning sms waiting"]
    )
    #expect(complaints(snapshot(paused: true)) == ["warning sms paused"])
    #expect(complaints(snapshot(workers: [])) == ["warning sms workers"])
    #expect(complaints(snapshot(workers: [Self.worker(lastClaim: nil)])) == [])
    #expect(complaints(snapshot(workers: [Self.worker(lastClaim: .seconds(31))])) == ["warning sms worker w"])
    // With a lease of 2 min, claims of nothing and renewals come every 40 s.
    #expect(complaints(snapshot(workers: [Self.worker(leaseLeft: .seconds(80), lastClaim: .seconds(80))])) == [])
    #expect(
      complaints(snapshot(workers: [Self.worker(leaseLeft: .seconds(120), lastClaim: .seconds(241))]))
        == ["warning sms worker w"]
    )
    #expect(
      complaints(snapshot(workers: [Self.worker(leaseLeft: .seconds(-9)), Self.worker("v@0a", leaseLeft: nil)]))
        == ["warning sms workers", "warning sms worker w", "warning sms worker v"]
    )
  }

  @Test("What the audit found is said in words, with what to do")
  func audit() {
    let audit = QueueAudit(
      plain: 0,
      faults: [
        .strayClaims(key: "{sms}:claimed:w@5f", life: "w@5f", claims: 2), .missing(3),
        .wrongType(key: "{sms}:later", found: "string", wanted: "zset"),
        .endlessLease(life: "w@5f", left: .seconds(90_000)), .leftover(key: "{sms}:turns", life: "w@5f"),
      ]
    )
    let findings = QueueCheck.findings(audit, QueueKeys(QueueName("sms")!))
    #expect(findings.map(\.check) == ["sms owners", "sms books", "sms types", "sms leases", "sms leftovers"])
    #expect(findings.map(\.level) == [.problem, .problem, .problem, .problem, .warning])
    #expect(findings[0].hint?.contains("ZADD '{sms}:workers' 1 'w@5f'") == true)
    let clean = QueueCheck.findings(QueueAudit(plain: 7, faults: []), QueueKeys(QueueName("sms")!))
    #expect(clean == [Finding("sms books", .ok, "balance, with 7 plain pushes")])
  }

  @Test("A probe passes for a worker that claimed within the time, whatever becomes of its earlier lives")
  func probe() {
    func complaint(_ workers: QueueSnapshot.Worker...) -> String? {
      WorkerProbe.complaint(of: "w", in: snapshot(workers: workers), within: .seconds(30))
    }
    #expect(complaint(Self.worker()) == nil)
    #expect(complaint(Self.worker(lastClaim: .seconds(30))) == nil)
    #expect(complaint(Self.worker(lastClaim: .seconds(31))) == "last claimed 31s ago")
    #expect(complaint(Self.worker("w@01", leaseLeft: nil, lastClaim: .seconds(99)), Self.worker()) == nil)
    #expect(complaint(Self.worker(lastClaim: nil)) == "has not claimed yet")
    #expect(complaint(Self.worker("ww@5f")) == "not there")
    #expect(complaint() == "not there")
  }

  @Test(
    "Clocks that differ by more than the way explains are named",
    arguments: [
      (1_000, Finding.Level.ok, "as this host's"), (5_000, .ok, "as this host's"),
      (6_000, .ok, "1s ahead of this host's"),
      (6_001, .warning, "1.001s ahead of this host's"), (-1, .warning, "1.001s behind this host's"),
    ] as [(Int64, Finding.Level, String)]
  )
  func clock(redis: Int64, level: Finding.Level, found: String) {
    let finding = RedisCheck.clock(before: 1_000, redis: redis, after: 5_000)
    #expect(finding.level == level)
    #expect(finding.found == found)
  }
}
