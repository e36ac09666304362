import GRDB

/// What a row asks for.
package enum RowAction: String, Sendable, CaseIterable, DatabaseValueConvertible, Codable {
  /// Straight to the gateway.
  case send
  /// An external program.
  case command
  /// Into the Redis queue.
  case queue
}

package enum RowState: String, Sendable, CaseIterable, DatabaseValueConvertible, Codable {
  case waiting, running, done, expired, dead
}

/// A row to be written.
package struct NewRow: Sendable, Equatable {
  package var action: RowAction
  /// JSON: a message for `send` and `queue`, `{"argv":[...],"stdin":...}` for `command`.
  package var parameters: String
  /// Accepted once; nil for a random one.
  package var idempotencyKey: String?
  /// Unix ms; nil for at once.
  package var dueAt: Int64?

  package init(_ action: RowAction, parameters: String, idempotencyKey: String? = nil, dueAt: Int64? = nil) {
    self.action = action
    self.parameters = parameters
    self.idempotencyKey = idempotencyKey
    self.dueAt = dueAt
  }
}

/// A row as it stands in the table; docs/cron.md says what each column means. All times are Unix milliseconds.
package struct ProcessRow: Sendable, Equatable, Codable, FetchableRecord {
  package var id: Int64
  package var idempotencyKey: String
  package var action: RowAction
  package var parameters: String
  package var state: RowState
  package var dueAt: Int64
  package var attempts: Int
  package var crashes: Int
  package var owner: String?
  package var leaseUntil: Int64?
  package var exitCode: Int?
  package var lastError: String?
  package var output: String?
  package var createdAt: Int64
  package var startedAt: Int64?
  package var finishedAt: Int64?

  package static let databaseColumnDecodingStrategy = DatabaseColumnDecodingStrategy.convertFromSnakeCase
}

/// A row in the hands of a run, until its outcome is recorded or its lease ends.
package struct ClaimedRow: Sendable, Equatable {
  package let id: Int64
  package let idempotencyKey: String
  package let action: RowAction
  /// The bytes as they stand in the table: SQLite's json_valid takes what is no UTF-8, and whoever reads them has to look.
  package let parameters: [UInt8]
  /// This try's number, from 1.
  package let attempt: Int
}

/// What became of one try of a row.
package struct RowOutcome: Sendable, Equatable {
  package enum Result: Sendable, Equatable {
    case done
    /// Not done, through no fault of the row's: the try does not count. `after` is the least time to wait.
    case putOff(reason: String, after: Duration)
    /// Too late to be of use, and not done.
    case expired(reason: String)
    /// It may work later. `after` is the least time to wait, where somebody named one.
    case retry(reason: String, after: Duration?)
    /// It will never work.
    case dead(reason: String)
    /// It was not tried, for a reason that all rows of its action share, such as an absent Redis. The row goes back as it
    /// was, and the run takes no more of its kind.
    case unavailable(reason: String)
    /// Cut short because the run has to stop; whether it was done is not known.
    case interrupted
  }

  package var result: Result
  /// The program's, and 128 plus the signal's number if a signal ended it. Nil where no program ran.
  package var exitCode: Int?
  /// The end of what the program wrote.
  package var output: String?

  package init(_ result: Result, exitCode: Int? = nil, output: String? = nil) {
    self.result = result
    self.exitCode = exitCode
    self.output = output
  }
}
