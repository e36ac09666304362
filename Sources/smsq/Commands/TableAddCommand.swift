import ArgumentParser
import Foundation
import MessageQueue
import ProcessTable
import SMS

struct TableAddCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Add rows to the process table.",
    discussion: """
      One message, or one program with its arguments behind --:
        smsq table add --to +8613800138000 --text "Your code is 123456"
        smsq table add -- /usr/local/bin/send_msg +8613800138000 "Your code is 123456"
      A row for each line of a file, .csv, .tsv or .jsonl, with {name} for its columns:
        smsq table add --file users.csv --text "Dear {name}, your order {order} is on its way"
        smsq table add --file users.csv -- /usr/local/bin/send_msg {to} "Dear {name}"

      Without --text, each line of a file is a whole message, as with smsq push. A program is called without a shell, so \
      that no value can become a command; each gets its line on standard input: a JSON line as it is written, a CSV record \
      as a JSON object of its columns. The columns of a JSON line are its strings and numbers. Prints the row's id, or for \
      a file how many rows were added; what is wrong with a line is said on standard error.
      """
  )

  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var queueOption: QueueOption

  @Option(help: "What cron does with the row: send (to the gateway), queue (push into Redis), command. (default: send)")
  var action: RowAction?

  @Option(help: ArgumentHelp("The telephone number, as +8613800138000.", valueName: "number"))
  var to: String?

  @Option(help: "The text; with --file, {name} stands for a column, {{ for a brace.")
  var text: String?

  @OptionGroup var sender: SenderOption

  @Option(help: ArgumentHelp("Your own id for the row and its message: the same id is added once.", valueName: "id"))
  var id: String?

  @Option(help: ArgumentHelp("What a program reads on standard input.", valueName: "text"))
  var stdin: String?

  @Option(name: .customLong("in"), help: ArgumentHelp("Not before so long from now, such as 10m.", valueName: "time"))
  var delay: Duration?

  @Option(
    help: ArgumentHelp("A file of messages or users, .jsonl, .csv or .tsv, or - for standard input.", valueName: "path")
  )
  var file: String?

  @Option(help: "How to read the file: by its name, or as told.")
  var format = InputFormat.auto

  @Flag(help: "Add nothing of a file unless every line of it is good.")
  var strict = false

  @OptionGroup var country: CountryCodeOption
  @OptionGroup var segments: MaxSegmentsOption

  @Flag(help: "Write the result as one JSON object.")
  var json = false

  @Argument(parsing: .postTerminator, help: ArgumentHelp("A program and its arguments.", valueName: "program"))
  var program: [String] = []

  func validate() throws {
    if !program.isEmpty {
      if let action, action != .command {
        throw ValidationError("A program behind -- is a row of --action command, not \(action.rawValue).")
      }
      if to != nil || text != nil || sender.from != nil {
        throw ValidationError("A program gets its arguments behind --: leave out --to, --text and --from.")
      }
    } else {
      if action == .command { throw ValidationError("--action command needs a program and its arguments behind --.") }
      if stdin != nil { throw ValidationError("--stdin is for a program behind --.") }
    }
    if file != nil {
      if to != nil || id != nil || stdin != nil {
        throw ValidationError("--file brings its own rows: leave out --to, --id and --stdin.")
      }
      try sender.checkForFile()
      _ = try textTemplate
      _ = try programTemplate
    } else {
      if program.isEmpty && (to == nil || text == nil) {
        throw ValidationError("A row needs --to and --text, or a program behind --; many come with --file.")
      }
      if strict { throw ValidationError("--strict is about the lines of a --file.") }
    }
  }

  func run() async throws {
    if let file {
      try await BulkAdd(command: self).run(file)
    } else {
      try await addOne()
    }
  }

  // MARK: Rows

  var textTemplate: TextTemplate? { get throws { try text.map { try TextTemplate($0) } } }
  var programTemplate: [TextTemplate] { get throws { try program.map { try TextTemplate($0) } } }

  /// When the rows are due, Unix ms; nil for at once.
  var due: Int64? { delay.map { ProcessDatabase.now() + $0.milliseconds } }

  /// - Throws: `MessageError`.
  func row(payload: [UInt8]) throws -> NewRow {
    let action = action ?? .send
    let prepared = try PreparedMessage(
      payload: payload,
      defaults: .init(
        countryCode: country.defaultCountryCode,
        from: sender.from,
        queuedAt: due ?? ProcessDatabase.now(),
        maxSegments: segments.maxSegments,
        maxPayload: MessageQueue.defaultMaxPayload
      )
    )
    return NewRow(
      action,
      parameters: String(decoding: prepared.payload, as: UTF8.self),
      // One id for the row and its message, so that logs, the queue and the outbox speak of the same thing.
      idempotencyKey: prepared.id,
      dueAt: due
    )
  }

  /// A line's own payload with the queue's name put in front, where the row is for a queue and the line names none. The
  /// other bytes stay as they were written.
  func withQueue(_ payload: [UInt8]) -> [UInt8] {
    guard action == .queue, let brace = payload.firstIndex(of: UInt8(ascii: "{")),
      let object = try? JSONSerialization.jsonObject(with: Data(payload)) as? [String: Any],
      !object.isEmpty, object["queue"] == nil
    else { return payload }
    let member = PreparedMessage.payload([("queue", queueOption.queue.description)]).dropLast()
    return Array(payload[..<brace]) + member + [UInt8(ascii: ",")] + payload[(brace + 1)...]
  }

  /// The members, and the queue's name where the row is for one.
  func members(_ members: [(key: String, value: String)]) -> [UInt8] {
    let queue = action == .queue ? [("queue", queueOption.queue.description)] : []
    return PreparedMessage.payload(members + queue)
  }

  /// - Parameter stdin: what the program reads: a String as it is, anything else as JSON.
  func row(argv: [String], stdin: Any?) throws -> NewRow {
    var object: [String: Any] = ["argv": argv]
    if let stdin { object["stdin"] = stdin }
    let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
    let parameters = String(decoding: data, as: UTF8.self)
    // What could never be run is refused now, when somebody looks, and not by cron at night.
    _ = try CommandParameters(parameters)
    return NewRow(.command, parameters: parameters, idempotencyKey: id, dueAt: due)
  }

  private struct Result: Encodable {
    let id: Int64?
    let status: String
  }

  private func addOne() async throws {
    let row: NewRow
    do {
      if program.isEmpty {
        var members = [(key: "to", value: to ?? ""), (key: "text", value: text ?? "")]
        if let id { members.append((key: "id", value: id)) }
        row = try self.row(payload: self.members(members))
      } else {
        row = try self.row(argv: program, stdin: stdin)
      }
    } catch {
      throw Failure("\(error)", .dataError)
    }
    let table = try databaseOptions.table(.create)
    let id = try await tabled { () throws(TableError) in try await table.add([row]) }.ids[0]
    let repeated = "the id \(row.idempotencyKey ?? "") is in the table already; no row was added"
    let done = id.map { "row \($0) was added, do not add it again" } ?? repeated
    if json {
      try Terminal.print(JSONLine.encode(Result(id: id, status: id == nil ? "duplicate" : "added")), done: done)
    } else if let id {
      try Terminal.print("\(id)", done: done)
    }
    if id == nil { Terminal.note(done) }
  }
}

extension RowAction: ExpressibleByArgument {}
