@testable import MessageQueue
import Testing

@testable import Reports

@Suite("Stats of a queue of several shards")
struct QueueStatsTests {
  private func snapshot(
    _ name: String,
    waiting: Int,
    queuedAt: String? = nil,
    paused: Bool = false,
    _ workers: [QueueSnapshot.Worker]
  ) -> QueueSnapshot {
    QueueSnapshot(
      queue: QueueName(name)!,
      now: 1_700_000_000_000,
      waiting: waiting,
      scheduled: 1,
      dead: 2,
      paused: paused,
      oldest: queuedAt.map { Element(Array(#"{"to":"+8613800138000","text":"hi","queued_at":"\#($0)"}"#.utf8)) },
      counters: ["pushed": waiting, "sent": 10],
      workers: workers
    )
  }

  private func worker(
    _ id: String,
    _ leaseLeft: Duration?,
    claimed: Int,
    lastClaim: Duration?
  ) -> QueueSnapshot.Worker {
    .init(life: WorkerLife(id: id)!, leaseLeft: leaseLeft, claimed: claimed, lastClaim: lastClaim)
  }

  @Test("Numbers add up, the oldest message counts, and each process is there once with what is worst of its shards")
  func sum() throws {
    let snapshots = [
      snapshot(
        "sms",
        waiting: 3,
        queuedAt: "2023-11-14T22:13:10Z",
        paused: true,
        [
          worker("a@h.1@01", .seconds(9), claimed: 1, lastClaim: .seconds(1)),
          worker("b@02", nil, claimed: 5, lastClaim: nil),
        ]
      ),
      snapshot(
        "sms.1",
        waiting: 4,
        queuedAt: "2023-11-14T22:12:20Z",
        [
          worker("a@h.1@03", .seconds(2), claimed: 2, lastClaim: .seconds(7)),
          worker("a@h.2@04", .seconds(5), claimed: 0, lastClaim: nil),
        ]
      ),
    ]
    let stats = QueueStats(snapshots, of: snapshots[0].queue, isSharded: true)
    #expect(stats.queue == "sms" && stats.waiting == 7 && stats.scheduled == 2 && stats.dead == 4 && stats.claimed == 8)
    #expect(stats.pushed == 7 && stats.sent == 20 && stats.oldestSeconds == 60)
    #expect(!stats.paused)
    #expect(stats.workers.map(\.name) == ["a", "b", "a"])
    let first = stats.workers[0]
    #expect(
      first.life == "a@h.1@01" && first.claimed == 3 && first.leaseLeftMs == 2_000 && first.lastClaimMsAgo == 7_000
    )
    #expect(stats.workers[1].leaseLeftMs == nil)
    let shards = try #require(stats.shards)
    #expect(
      shards.map(\.queue) == ["sms", "sms.1"] && shards.map(\.waiting) == [3, 4]
        && shards.map(\.paused) == [true, false]
    )
  }

  @Test("A queue that has no others is as it ever was")
  func alone() {
    let stats = QueueStats(snapshot("sms", waiting: 3, [worker("a@h.1@01", .seconds(9), claimed: 1, lastClaim: nil)]))
    #expect(stats.shards == nil && stats.workers.count == 1 && stats.waiting == 3)
  }
}
