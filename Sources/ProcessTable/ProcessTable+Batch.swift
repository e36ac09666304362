import Foundation
import GRDB

// What a run does with the table, in one transaction: it records what its rows became, renews the lease on those it still
// has in hand, takes back what killed runs left, and claims the next rows.
//
// The transaction is IMMEDIATE: from its first statement on no other process can write, so that what it reads stays true
// until it commits, and no two runs claim the same row. It is also the unit of failure: on a full disk nothing of it
// happens, the claim included, so that no row is started whose end could not be recorded a moment before.

/// What a run wants from a batch.
package struct Batch: Sendable {
  /// What became of a row, as it is to be recorded.
  package struct Record: Sendable, Equatable {
    package var id: Int64
    package var state: RowState
    /// When it is due again; nil leaves it as it is.
    package var dueAt: Int64?
    /// False where the row was not tried: the try that its claim counted is taken back.
    package var wasTried = true
    package var exitCode: Int?
    package var error: String?
    package var output: String?

    package init(id: Int64, state: RowState) {
      self.id = id
      self.state = state
    }
  }

  /// Names the run: another one must never have had the same name.
  package var owner: String
  package var now: Int64
  package var lease: Duration
  package var records: [Record] = []
  /// The most rows to claim.
  package var claim = 0
  package var actions = Set(RowAction.allCases)
  /// Killed runs after which a row is given up.
  package var maxCrashes = 3

  package init(owner: String, now: Int64, lease: Duration) {
    self.owner = owner
    self.now = now
    self.lease = lease
  }
}

package struct BatchResult: Sendable, Equatable {
  package struct Recovered: Sendable, Equatable {
    package var id: Int64
    package var action: RowAction
    package var crashes: Int
    package var isDead: Bool
  }

  package var claimed: [ClaimedRow] = []
  /// Rows of runs whose lease had ended; they wait again, or are dead.
  package var recovered: [Recovered] = []
  /// Rows whose records came too late: the lease had ended, and they are somebody else's now.
  package var lost: [Int64] = []
  /// All that this run has in hand, the claimed ones included.
  package var held: Set<Int64> = []
}

extension ProcessTable {
  /// - Throws: ``TableError``; then nothing was recorded, renewed, recovered or claimed.
  package func take(_ batch: Batch) async throws(TableError) -> BatchResult {
    try await database.write { db in
      var result = BatchResult()
      result.lost = try Self.record(batch, db)
      try db.execute(
        sql: "UPDATE process SET lease_until = ? WHERE state = 'running' AND owner = ?",
        arguments: [batch.leaseUntil, batch.owner]
      )
      result.recovered = try Self.recover(batch, db)
      if batch.claim > 0 { result.claimed = try Self.claim(batch, db) }
      result.held = Set(
        try Int64.fetchAll(
          db,
          sql: "SELECT id FROM process WHERE state = 'running' AND owner = ?",
          arguments: [batch.owner]
        )
      )
      return result
    }
  }

  private static func record(_ batch: Batch, _ db: Database) throws -> [Int64] {
    let statement = try db.makeStatement(
      sql: """
        UPDATE process SET state = :state, due_at = coalesce(:due, due_at), attempts = attempts - :untried,
          exit_code = :exit, last_error = coalesce(:error, last_error), output = :output,
          finished_at = CASE WHEN :state = 'waiting' THEN NULL ELSE :now END, owner = NULL, lease_until = NULL
        WHERE id = :id AND state = 'running' AND owner = :owner
        """
    )
    return try batch.records.compactMap { record in
      try statement.execute(arguments: [
        "state": record.state, "due": record.dueAt, "untried": record.wasTried ? 0 : 1, "exit": record.exitCode,
        "error": record.error, "output": record.output, "now": batch.now, "id": record.id, "owner": batch.owner,
      ])
      return db.changesCount == 0 ? record.id : nil
    }
  }

  private static func recover(_ batch: Batch, _ db: Database) throws -> [BatchResult.Recovered] {
    try Row.fetchAll(
      db,
      sql: """
        UPDATE process SET crashes = crashes + 1, owner = NULL, lease_until = NULL,
          state = CASE WHEN crashes + 1 >= :max THEN 'dead' ELSE 'waiting' END,
          finished_at = CASE WHEN crashes + 1 >= :max THEN :now END,
          last_error = 'the run that had it in hand was killed; whether it was done is not known'
        WHERE state = 'running' AND lease_until < :now
        RETURNING id, action, crashes, state
        """,
      arguments: ["max": batch.maxCrashes, "now": batch.now]
    ).map {
      BatchResult.Recovered(
        id: $0["id"],
        action: $0["action"],
        crashes: $0["crashes"],
        isDead: $0["state"] == "dead"
      )
    }
  }

  private static func claim(_ batch: Batch, _ db: Database) throws -> [ClaimedRow] {
    let actions = batch.actions.map(\.rawValue)
    // As bytes: a text that is no UTF-8 would come repaired, with U+FFFD for what was meant. In a database of UTF-16
    // the bytes are others, and SQLite itself has repaired what it was given.
    let isUTF8 = try String.fetchOne(db, sql: "PRAGMA encoding") == "UTF-8"
    let bytes = { (column: String) in isUTF8 ? "CAST(\(column) AS BLOB) AS \(column)" : column }
    let rows = try Row.fetchAll(
      db,
      sql: """
        UPDATE process SET state = 'running', owner = ?, lease_until = ?, started_at = ?, attempts = attempts + 1
        WHERE id IN (
          SELECT id FROM process WHERE state = 'waiting' AND due_at <= ? AND action IN (\(actions.map { _ in "?" }.joined(separator: ", ")))
          ORDER BY due_at, id LIMIT ?
        )
        RETURNING id, \(bytes("idempotency_key")), action, \(bytes("parameters")), attempts
        """,
      arguments: [batch.owner, batch.leaseUntil, batch.now, batch.now] + StatementArguments(actions) + [batch.claim]
    )
    // RETURNING has no order of its own.
    return rows.map {
      ClaimedRow(
        id: $0["id"],
        idempotencyKey: name($0["idempotency_key"]),
        action: $0["action"],
        parameters: Array($0["parameters"] as Data),
        attempt: $0["attempts"]
      )
    }.sorted { $0.id < $1.id }
  }

  /// A key that is no text is known by its bytes in hexadecimal: another for each key, as no repair of it would be.
  private static func name(_ key: Data) -> String {
    String(validating: key, as: UTF8.self) ?? key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

extension Batch {
  fileprivate var leaseUntil: Int64 { now + Int64(lease / .milliseconds(1)) }
}
