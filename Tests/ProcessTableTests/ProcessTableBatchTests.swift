@testable import ProcessTable
import Testing

@Suite struct ProcessTableBatchTests {
  let database: TestDatabase
  var table: ProcessTable { database.table }

  init() throws { database = try TestDatabase() }

  private func batch(_ owner: String, at now: Int64 = Self.later, claim: Int = 0) -> Batch {
    var batch = Batch(owner: owner, now: now, lease: .seconds(60))
    batch.claim = claim
    return batch
  }

  /// A time at which all rows are due.
  private static let later = ProcessDatabase.now() + 1_000_000

  @Test func `Rows are claimed by their due time, then by their id`() async throws {
    try await database.addSends(4)
    try await database.execute("UPDATE process SET due_at = 100 - (id = 3) WHERE id > 1")
    let first = try await table.take(batch("a", claim: 2))
    #expect(first.claimed.map(\.id) == [2, 3])
    let second = try await table.take(batch("a", claim: 2))
    #expect(second.claimed.map(\.id) == [1, 4])
    #expect(second.held == [1, 2, 3, 4])
    #expect(try await table.take(batch("b", claim: 2)).claimed.isEmpty)
  }

  @Test func `A row is not claimed before it is due`() async throws {
    try await database.addSends(1)
    #expect(try await table.take(batch("a", at: 1000, claim: 1)).claimed.isEmpty)
  }

  @Test func `An action that is not asked for is left to others`() async throws {
    try await database.addSends(1, action: .queue)
    try await database.addCommand(["true"])
    var batch = batch("a", claim: 10)
    batch.actions = [.send, .command]
    #expect(try await table.take(batch).claimed.map(\.action) == [.command])
  }

  @Test func `A key that is no text is known by its bytes, and stops nobody`() async throws {
    try await database.execute("PRAGMA ignore_check_constraints = ON")
    try await database.execute(
      "INSERT INTO process (parameters, idempotency_key) VALUES ('{}', x'0aff'), ('{}', 'plain')"
    )
    #expect(try await table.take(batch("a", claim: 2)).claimed.map(\.idempotencyKey) == ["0aff", "plain"])
  }

  @Test func `A record ends the row, and says what became of it`() async throws {
    try await database.addSends(1)
    _ = try await table.take(batch("a", claim: 1))
    var ending = batch("a")
    var record = Batch.Record(id: 1, state: .dead)
    (record.exitCode, record.error, record.output) = (64, "no such option", "usage: ...")
    ending.records = [record]
    let result = try await table.take(ending)
    #expect(result == BatchResult())
    let row = try #require(try await table.row(1))
    #expect(row.state == .dead && row.owner == nil && row.leaseUntil == nil && row.attempts == 1)
    #expect(row.exitCode == 64 && row.lastError == "no such option" && row.output == "usage: ...")
    #expect(row.finishedAt == Self.later)
  }

  @Test func `A row that was not tried goes back as it was`() async throws {
    try await database.addSends(1)
    let before = try await table.row(1)
    _ = try await table.take(batch("a", claim: 1))
    var ending = batch("a")
    var record = Batch.Record(id: 1, state: .waiting)
    record.wasTried = false
    ending.records = [record]
    _ = try await table.take(ending)
    var after = try await table.row(1)
    after?.startedAt = nil
    #expect(after == before)
  }

  @Test func `The row of a killed run waits again when the lease ends, and counts a crash`() async throws {
    try await database.addSends(1)
    _ = try await table.take(batch("killed", claim: 1))
    let early = try await table.take(batch("next", at: Self.later + 60_000, claim: 1))
    #expect(early == BatchResult())
    let result = try await table.take(batch("next", at: Self.later + 60_001, claim: 1))
    #expect(result.recovered == [.init(id: 1, action: .send, crashes: 1, isDead: false)])
    #expect(result.claimed.map(\.attempt) == [2])
  }

  @Test func `A row that was in hand in three killed runs is dead`() async throws {
    try await database.addSends(1)
    for crash in 0..<3 {
      _ = try await table.take(batch("run \(crash)", at: Self.later + Int64(crash) * 100_000, claim: 1))
    }
    let result = try await table.take(batch("next", at: Self.later + 300_000, claim: 1))
    #expect(result.recovered == [.init(id: 1, action: .send, crashes: 3, isDead: true)])
    #expect(result.claimed.isEmpty)
    #expect(try await table.row(1)?.state == .dead)
  }

  @Test func `Any batch renews the lease on all that is in hand`() async throws {
    try await database.addSends(1)
    _ = try await table.take(batch("a", claim: 1))
    _ = try await table.take(batch("a", at: Self.later + 50_000))
    #expect(try await table.take(batch("b", at: Self.later + 100_000, claim: 1)) == BatchResult())
  }

  @Test func `A record that comes after the lease was taken over changes nothing`() async throws {
    try await database.addSends(1)
    _ = try await table.take(batch("asleep", claim: 1))
    _ = try await table.take(batch("next", at: Self.later + 100_000, claim: 1))
    var late = batch("asleep", at: Self.later + 100_001)
    late.records = [Batch.Record(id: 1, state: .done)]
    let result = try await table.take(late)
    #expect(result.lost == [1] && result.held.isEmpty)
    #expect(try await table.row(1)?.owner == "next")
  }

  @Test func `Retry takes dead and waiting rows, and neither running nor done ones`() async throws {
    try await database.addSends(5)
    for (id, state) in [(1, "waiting"), (2, "running"), (3, "done"), (4, "expired"), (5, "dead")] {
      try await database.execute("UPDATE process SET state = ?, attempts = 9 WHERE id = ?", [state, id])
    }
    #expect(try await table.retry(.ids([1, 2, 3, 4, 5, 6])).sorted() == [1, 4, 5])
    #expect(try await database.count("state = 'waiting' AND attempts = 0") == 3)
  }

  @Test func `Remove takes all but running rows, and old ones only where told so`() async throws {
    try await database.addSends(3)
    try await database.execute("UPDATE process SET state = 'done', finished_at = id * 1000")
    try await database.execute("UPDATE process SET state = 'running' WHERE id = 3")
    #expect(try await table.remove(.finished(.done, before: 2000)) == [1])
    #expect(try await table.remove(.ids([2, 3])) == [2])
    #expect(try await database.values("SELECT id FROM process", as: Int.self) == [3])
  }
}
