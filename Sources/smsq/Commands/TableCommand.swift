import ArgumentParser
import ProcessTable
import Wire

struct TableCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "table",
    abstract: "The process table: add rows, look at them, try them again, remove them.",
    discussion: """
      The table is a SQLite file, worked off by smsq cron. Any application may add rows with SQL of its own, in the \
      transaction of whatever the message is about; docs/cron.md describes the columns.
      """,
    subcommands: [
      TableInitCommand.self, TableAddCommand.self, TableListCommand.self, TableShowCommand.self,
      TableRetryCommand.self, TableRemoveCommand.self, TableStatsCommand.self,
    ]
  )
}

struct TableInitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "init",
    abstract: "Make the database, or bring its tables up to date."
  )

  @OptionGroup var databaseOptions: DatabaseOptions

  func run() async throws {
    let path = try databaseOptions.open(.create).path
    try Terminal.print(path, done: "the database \(path) is ready")
  }
}

struct TableListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Show rows, the newest first.",
    discussion: "With --json, one object a line with all columns, texts and numbers included."
  )

  @OptionGroup var databaseOptions: DatabaseOptions

  @Option(help: "Only rows in this state.")
  var state: RowState?

  @Option(name: .shortAndLong, help: ArgumentHelp("How many.", valueName: "number"))
  var number = 20

  @Flag(help: "Write one JSON object a line for each row.")
  var json = false

  func validate() throws {
    if number < 1 { throw ValidationError("--number is \(number): write 1 or more.") }
  }

  func run() async throws {
    let table = try databaseOptions.table(.readOnly)
    let rows = try await tabled { () throws(TableError) in try await table.list(state, limit: number) }
    if rows.isEmpty && !json { Terminal.note("no\(state.map { " \($0.rawValue)" } ?? "") rows") }
    for row in rows { try Terminal.print(json ? JSONLine.encode(row) : row.line) }
  }
}

struct TableShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "show", abstract: "Show all that is known of a row.")

  @OptionGroup var databaseOptions: DatabaseOptions

  @Argument(help: "The row's id.")
  var id: Int64

  @Flag(help: "Write one JSON object.")
  var json = false

  func run() async throws {
    let table = try databaseOptions.table(.readOnly)
    guard let row = try await tabled({ () throws(TableError) in try await table.row(id) }) else {
      throw Failure("there is no row \(id)", .dataError)
    }
    try Terminal.print(json ? JSONLine.encode(row) : row.text)
  }
}

/// Which rows `retry` and `remove` are about.
struct RowSelection: ParsableArguments {
  @Argument(help: "Ids of rows.")
  var ids: [Int64] = []

  @Option(help: "All rows in this state.")
  var state: RowState?

  func validate() throws {
    if ids.isEmpty == (state == nil) { throw ValidationError("Give ids of rows, or --state.") }
  }

  /// Says which of the ids were left out, and fails if any was.
  func report(_ changed: [Int64], _ done: String, _ why: String) throws {
    let result = "\(changed.count) rows \(done)"
    try Terminal.print(result, done: result)
    let left = ids.filter { !changed.contains($0) }
    if !left.isEmpty {
      throw Failure("left as they are: \(left.map(String.init).joined(separator: ", ")); \(why)", .dataError)
    }
  }
}

struct TableRetryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry",
    abstract: "Have dead or expired rows tried again, and waiting ones at once."
  )

  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var selection: RowSelection

  func run() async throws {
    let table = try databaseOptions.table(.readWrite)
    let which = selection.state.map(ProcessTable.Selection.state) ?? .ids(selection.ids)
    let ids = try await tabled { () throws(TableError) in try await table.retry(which) }
    try selection.report(ids, "wait again", "there is no such row, or it is running or done")
  }
}

struct TableRemoveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Remove rows for good, running ones excepted.",
    discussion: "To keep the table small, once a day:\n  smsq table remove --state done --older-than 30d"
  )

  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var selection: RowSelection

  @Option(help: ArgumentHelp("Of those in --state, rows that ended longer ago than this.", valueName: "time"))
  var olderThan: Duration?

  func validate() throws {
    if olderThan != nil && ![.done, .expired, .dead].contains(selection.state) {
      throw ValidationError("--older-than goes with --state done, expired or dead.")
    }
  }

  func run() async throws {
    let table = try databaseOptions.table(.readWrite)
    let which: ProcessTable.Selection =
      switch (selection.state, olderThan) {
      case (let state?, let age?): .finished(state, before: ProcessDatabase.now() - age.milliseconds)
      case (let state?, nil): .state(state)
      case (nil, _): .ids(selection.ids)
      }
    let ids = try await tabled { () throws(TableError) in try await table.remove(which) }
    try selection.report(ids, "removed", "there is no such row, or it is running")
  }
}

struct TableStatsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "stats", abstract: "Count the rows by their states.")

  @OptionGroup var databaseOptions: DatabaseOptions

  @Flag(help: "Write one JSON object.")
  var json = false

  func run() async throws {
    let table = try databaseOptions.table(.readOnly)
    let stats = try await tabled { () throws(TableError) in try await table.stats() }
    if json { return try Terminal.print(JSONLine.encode(stats)) }
    let next = stats.nextDueAt.map { ", the first of them at \(Timestamp.rfc3339($0))" } ?? ""
    try Terminal.print(
      """
      waiting  \(stats.waiting)\(next); due now: \(stats.due)
      running  \(stats.running)
      done     \(stats.done)
      expired  \(stats.expired)
      dead     \(stats.dead)
      crashes  \(stats.crashes)
      """
    )
  }
}

extension RowState: ExpressibleByArgument {}

extension ProcessRow {
  /// One line, without numbers and texts.
  fileprivate var line: String {
    var parts = ["\(id) \(state.rawValue) \(action.rawValue)", "attempts=\(attempts)"]
    if crashes > 0 { parts.append("crashes=\(crashes)") }
    if let exitCode { parts.append("exit=\(exitCode)") }
    switch state {
    case .waiting: parts.append("due=\(Timestamp.rfc3339(dueAt))")
    case .running: parts.append("lease_until=\(leaseUntil.map(Timestamp.rfc3339) ?? "-")")
    case .done, .expired, .dead: parts.append("finished=\(finishedAt.map(Timestamp.rfc3339) ?? "-")")
    }
    if state != .done, let lastError { parts.append("error=\(lastError.prefix(120))") }
    return parts.joined(separator: " ").printable
  }

  fileprivate var text: String {
    let times = [
      ("due", dueAt), ("created", createdAt), ("started", startedAt), ("finished", finishedAt),
      ("lease until", leaseUntil),
    ]
    var lines = ["row \(id)", "  state        \(state.rawValue)", "  action       \(action.rawValue)"]
    lines.append("  key          \(idempotencyKey)")
    lines.append("  parameters   \(parameters)")
    lines.append("  attempts     \(attempts), crashes \(crashes)")
    for (name, time) in times {
      guard let time else { continue }
      lines.append("  \(name.padded(to: 12)) \(Timestamp.rfc3339(time))")
    }
    if let owner { lines.append("  owner        \(owner)") }
    if let exitCode { lines.append("  exit code    \(exitCode)") }
    if let lastError { lines.append("  last error   \(lastError)") }
    if let output, !output.isEmpty {
      // The one that has lines of its own.
      lines.append("  output")
      lines += output.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
    }
    return lines.map(\.printable).joined(separator: "\n")
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
