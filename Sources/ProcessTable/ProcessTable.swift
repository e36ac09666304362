import GRDB

/// The process table: what people and commands do with its rows. What a run does is in ProcessTable+Batch.swift.
package struct ProcessTable: Sendable {
  package let database: ProcessDatabase

  package init(_ database: ProcessDatabase) {
    self.database = database
  }

  /// What came of adding rows.
  package struct Added: Sendable, Equatable {
    /// In the order given; nil for a row whose idempotency key was there already, and which was not added again.
    package var ids: [Int64?]
    package var count: Int { ids.count { $0 != nil } }
  }

  /// Adds rows, all or none, in one transaction.
  package func add(_ rows: [NewRow]) async throws(TableError) -> Added {
    try await database.write { db in
      let statement = try db.makeStatement(
        sql: """
          INSERT INTO process (action, parameters, idempotency_key, due_at)
          VALUES (?, ?, coalesce(?, lower(hex(randomblob(16)))), coalesce(?, \(Schema.now)))
          ON CONFLICT (idempotency_key) DO NOTHING
          """
      )
      let ids = try rows.map { row -> Int64? in
        try statement.execute(arguments: [row.action, row.parameters, row.idempotencyKey, row.dueAt])
        return db.changesCount == 0 ? nil : db.lastInsertedRowID
      }
      return Added(ids: ids)
    }
  }

  package func row(_ id: Int64) async throws(TableError) -> ProcessRow? {
    try await database.read { db in
      try ProcessRow.fetchOne(db, sql: "SELECT * FROM process WHERE id = ?", arguments: [id])
    }
  }

  /// The newest rows, newest first.
  ///
  /// - Parameter state: only rows in this state; nil for all.
  package func list(_ state: RowState? = nil, limit: Int) async throws(TableError) -> [ProcessRow] {
    try await database.read { db in
      try ProcessRow.fetchAll(
        db,
        sql: "SELECT * FROM process WHERE ?1 IS NULL OR state = ?1 ORDER BY id DESC LIMIT ?2",
        arguments: [state, limit]
      )
    }
  }

  /// Which rows a command is about.
  package enum Selection: Sendable, Equatable {
    case ids([Int64])
    case state(RowState)
    /// Rows in this state that were finished before this time, Unix ms.
    case finished(RowState, before: Int64)
  }

  /// Makes rows due at once, with their counts of tries and crashes at 0. Takes dead, expired and waiting ones: a running
  /// row is in somebody's hands, and a done one would be done twice.
  ///
  /// - Returns: the ids of the rows that now wait.
  package func retry(_ selection: Selection) async throws(TableError) -> [Int64] {
    try await change(
      "UPDATE process SET state = 'waiting', due_at = \(Schema.now), attempts = 0, crashes = 0, finished_at = NULL",
      selection,
      "state IN ('waiting', 'expired', 'dead')"
    )
  }

  /// Removes rows for good, running ones excepted.
  ///
  /// - Returns: the ids of the removed rows.
  package func remove(_ selection: Selection) async throws(TableError) -> [Int64] {
    try await change("DELETE FROM process", selection, "state <> 'running'")
  }

  private func change(
    _ verb: String,
    _ selection: Selection,
    _ allowed: String
  ) async throws(TableError) -> [Int64] {
    try await database.write { db in
      func run(_ condition: String, _ arguments: StatementArguments) throws -> [Int64] {
        try Int64.fetchAll(db, sql: "\(verb) WHERE \(allowed) AND \(condition) RETURNING id", arguments: arguments)
      }
      return switch selection {
      case .ids(let ids): try ids.flatMap { try run("id = ?", [$0]) }
      case .state(let state): try run("state = ?", [state])
      case .finished(let state, let time): try run("state = ? AND finished_at < ?", [state, time])
      }
    }
  }

  package struct Stats: Sendable, Equatable, Codable {
    package var waiting = 0
    /// Of the waiting ones, those that are due.
    package var due = 0
    package var running = 0
    package var done = 0
    package var expired = 0
    package var dead = 0
    /// How often a run was killed with a row in hand, of the rows that are still there.
    package var crashes = 0
    /// When the row that is next was or will be due, Unix ms; nil where none waits.
    package var nextDueAt: Int64?
  }

  package func stats(now: Int64 = ProcessDatabase.now()) async throws(TableError) -> Stats {
    try await database.read { db in
      var stats = Stats()
      let counts = try Row.fetchAll(
        db,
        sql: "SELECT state, count(*) AS n, sum(crashes) AS c FROM process GROUP BY state"
      )
      for count in counts {
        let number: Int = count["n"]
        stats.crashes += count["c"] ?? 0
        switch RowState(rawValue: count["state"]) {
        case .waiting: stats.waiting = number
        case .running: stats.running = number
        case .done: stats.done = number
        case .expired: stats.expired = number
        case .dead: stats.dead = number
        case nil: break
        }
      }
      let due = try Row.fetchOne(
        db,
        sql:
          "SELECT count(*) FILTER (WHERE due_at <= ?) AS n, min(due_at) AS next FROM process WHERE state = 'waiting'",
        arguments: [now]
      )
      stats.due = due?["n"] ?? 0
      stats.nextDueAt = due?["next"]
      return stats
    }
  }
}
