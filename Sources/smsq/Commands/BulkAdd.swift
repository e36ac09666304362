import ArgumentParser
import ProcessTable
import SMS

/// Adds a row for each line of a file, a bounded number of lines at a time.
struct BulkAdd {
  let command: TableAddCommand

  /// Rows of one transaction: enough to share the disk flush, few enough to let a run of cron in between.
  private static let batchSize = 1000

  private struct Summary: Encodable {
    var lines = 0
    var added = 0
    var duplicates = 0
    /// The first lines whose ids are there already; nil where there are none.
    var duplicateLines: [Int]?
    var refused = 0
    var duplicateList = LineList()

    private enum CodingKeys: CodingKey {
      case lines, added, duplicates, duplicateLines, refused
    }

    mutating func noteDuplicate(_ line: Int) {
      duplicates += 1
      duplicateList.append(line)
      duplicateLines = duplicateList.lines
    }
  }

  func run(_ path: String) async throws {
    let maker = try RowMaker(command: command)
    let input = command.strict ? try checked(path, maker) : try open(path, maker)
    let table = try command.databaseOptions.table(.create)

    var summary = Summary()
    var batch: [NewRow] = []
    var lines = LineNumbers()
    let progress = ProgressBar(totalBytes: input.totalBytes)
    func flush() async throws {
      if batch.isEmpty { return }
      do {
        let added = try await table.add(batch)
        summary.added += added.count
        for (position, id) in added.ids.enumerated() where id == nil { summary.noteDuplicate(lines[position]) }
        batch = []
        lines = LineNumbers()
      } catch {
        progress.clear()
        let failure = Failure(error)
        throw Failure(
          "\(failure.description)\n\(text(summary)); line \(lines.first) and all after it were not",
          failure.code
        )
      }
    }
    for line in input {
      summary.lines += 1
      switch maker.row(line) {
      case .success(let row):
        batch.append(row)
        lines.append(line.number)
      case .failure(let error):
        progress.clear()
        Terminal.note("line \(line.number): \(error)")
        summary.refused += 1
      }
      if batch.count == Self.batchSize { try await flush() }
      progress.update(count: summary.lines, bytes: input.bytesConsumed)
    }
    try await flush()
    progress.clear()

    try Terminal.print(
      command.json ? JSONLine.encode(summary) : text(summary),
      done: "\(text(summary)); do not add what was added again"
    )
    if summary.refused > 0 { throw ExitCode.dataError }
  }

  private func open(_ path: String, copyOf original: String? = nil, _ maker: RowMaker) throws -> MessageSource {
    do {
      return try MessageSource(path: path, copyOf: original, format: command.format, columns: maker.columns)
    } catch {
      throw Failure(error.message, error.exitCode)
    }
  }

  /// Reads the whole input once and gives it back only if every line is good.
  ///
  /// One transaction for the whole file would do the same, and keep everybody else from writing for as long as it takes.
  private func checked(_ path: String, _ maker: RowMaker) throws -> MessageSource {
    let copy = try Spool.rereadable(path)
    var refused = 0
    for line in try open(copy, copyOf: path, maker) {
      guard case .failure(let error) = maker.row(line) else { continue }
      Terminal.note("line \(line.number): \(error)")
      refused += 1
    }
    if refused > 0 {
      throw Failure("\(refused) bad lines, and --strict: nothing was added; mend them and add again", .dataError)
    }
    return try open(copy, copyOf: path, maker)
  }

  private func text(_ summary: Summary) -> String {
    var parts = ["\(summary.added) rows added"]
    if summary.duplicates > 0 {
      parts.append("\(summary.duplicates) left out because their ids are there already (\(summary.duplicateList))")
    }
    if summary.refused > 0 { parts.append("\(summary.refused) lines refused") }
    return parts.joined(separator: ", ")
  }
}

/// Makes a row of a line.
private struct RowMaker {
  let command: TableAddCommand
  let text: TextTemplate?
  let program: [TextTemplate]
  /// What the header of a CSV must name.
  let columns: [String]

  init(command: TableAddCommand) throws {
    self.command = command
    text = try command.textTemplate
    program = try command.programTemplate
    let named = (text.map { [$0] } ?? program).flatMap(\.columns)
    columns = program.isEmpty ? ["to"] + (text == nil ? ["text"] : named) : named
  }

  func row(_ line: BulkLine) -> Result<NewRow, Failure> {
    do {
      let fields = try line.result.get()
      // Without a template a JSON line is a whole message and stays as it was written.
      if program.isEmpty, text == nil, case .json(let payload) = fields {
        return .success(try command.row(payload: command.withQueue(payload)))
      }
      let values = try values(fields)
      if !program.isEmpty {
        var stdin: Any = values
        // As it was written, with all its members.
        if case .json(let line) = fields { stdin = String(decoding: line, as: UTF8.self) + "\n" }
        return .success(try command.row(argv: program.map { try $0.filled(with: values) }, stdin: stdin))
      }
      var members = values
      if let text {
        // What is in the file besides is about the user and is no part of the message.
        members = values.filter { ["to", "from", "id", "expires_at", "user_id"].contains($0.key) }
        members["text"] = try text.filled(with: values)
      }
      return .success(
        try command.row(
          payload: command.members(members.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) })
        )
      )
    } catch let error as InputError {
      return .failure(Failure(error.message, error.exitCode))
    } catch {
      return .failure(Failure("\(error)", .dataError))
    }
  }

  private func values(_ fields: PushFields) throws -> [String: String] {
    switch fields {
    case .columns(let values):
      // An empty cell is left out by the reader; to a template it is an empty value of a column that is there.
      return values.merging(columns.map { ($0, "") }) { value, _ in value }
    case .json(let line):
      return try JSONColumns(line).values
    }
  }
}
