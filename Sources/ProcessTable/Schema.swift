import GRDB

// The tables, as docs/cron.md describes them to those who write rows with SQL of their own. So a migration that has been
// released is never changed; what comes later is a new one that keeps every statement in docs/cron.md working.

enum Schema {
  /// The present in Unix milliseconds, in SQL that SQLite has known since 3.0: `unixepoch('subsec')` came with 3.42.
  static let now = "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"

  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    // Immediate: a deferred check looks at the whole file, and would find fault with the rows of an application that has
    // never enforced its foreign keys.
    migrator.registerMigration("1 process", foreignKeyChecks: .immediate) { db in
      // AUTOINCREMENT: the id of a removed row is never used again, so that 17 in a log means the same row for ever.
      // due_at must be an integer: a text is greater than any integer to SQLite, and the row would never be due.
      // TEXT keeps a BLOB a BLOB, which is no JSON and no name: hence typeof().
      try db.execute(
        sql: """
          CREATE TABLE process (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            idempotency_key TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(16))))
              CHECK (typeof(idempotency_key) = 'text' AND length(idempotency_key) BETWEEN 1 AND 128),
            action TEXT NOT NULL DEFAULT 'send' CHECK (action IN ('send', 'command', 'queue')),
            parameters TEXT NOT NULL CHECK (typeof(parameters) = 'text' AND json_valid(parameters)),
            state TEXT NOT NULL DEFAULT 'waiting'
              CHECK (state IN ('waiting', 'running', 'done', 'expired', 'dead')),
            due_at INTEGER NOT NULL DEFAULT (\(now)) CHECK (typeof(due_at) = 'integer'),
            attempts INTEGER NOT NULL DEFAULT 0,
            crashes INTEGER NOT NULL DEFAULT 0,
            owner TEXT,
            lease_until INTEGER,
            exit_code INTEGER,
            last_error TEXT,
            output TEXT,
            created_at INTEGER NOT NULL DEFAULT (\(now)),
            started_at INTEGER,
            finished_at INTEGER
          );
          -- Answers both questions of a batch: what is due, in its order, and whose lease has ended.
          CREATE INDEX process_state_due ON process (state, due_at);
          """
      )
    }
    migrator.registerMigration("2 message", foreignKeyChecks: .immediate) { db in
      try db.execute(
        sql: """
          CREATE TABLE message (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            user_id TEXT,
            mobile TEXT NOT NULL,
            content TEXT NOT NULL,
            segments INTEGER NOT NULL,
            sent_at INTEGER NOT NULL,
            repeats INTEGER NOT NULL DEFAULT 0,
            repeated_at INTEGER
          );
          """
      )
    }
    return migrator
  }
}
