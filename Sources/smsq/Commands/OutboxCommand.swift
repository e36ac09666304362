import ArgumentParser
import ProcessTable
import Wire

struct OutboxCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "outbox",
    abstract: "What the simulator sent and recorded because of --outbox.",
    subcommands: [OutboxListCommand.self, OutboxStatsCommand.self]
  )
}

struct OutboxListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "Show sent messages, the newest first, numbers and texts in full."
  )

  @OptionGroup var databaseOptions: DatabaseOptions

  @Option(name: .shortAndLong, help: ArgumentHelp("How many.", valueName: "number"))
  var number = 20

  @Flag(help: "Write one JSON object a line for each message.")
  var json = false

  func validate() throws {
    if number < 1 { throw ValidationError("--number is \(number): write 1 or more.") }
  }

  func run() async throws {
    let outbox = Outbox(try databaseOptions.open(.readOnly))
    let messages = try await tabled { () throws(TableError) in try await outbox.list(limit: number) }
    if messages.isEmpty && !json { Terminal.note("nothing was sent") }
    for message in messages { try Terminal.print(json ? JSONLine.encode(message) : Self.line(message)) }
  }

  private static func line(_ message: SentMessage) -> String {
    var parts = [Timestamp.rfc3339(message.sentAt), message.id, message.mobile]
    if let user = message.userId { parts.append("user=\(user)") }
    if message.repeats > 0 { parts.append("repeats=\(message.repeats)") }
    // A text may have line feeds, and one message is one line.
    parts.append(message.content.map { $0.isNewline ? "⏎" : String($0) }.joined())
    return parts.joined(separator: " ").printable
  }
}

struct OutboxStatsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Count what was sent, and sent twice."
  )

  @OptionGroup var databaseOptions: DatabaseOptions

  @Flag(help: "Write one JSON object.")
  var json = false

  func run() async throws {
    let outbox = Outbox(try databaseOptions.open(.readOnly))
    let stats = try await tabled { () throws(TableError) in try await outbox.stats() }
    if json { return try Terminal.print(JSONLine.encode(stats)) }
    try Terminal.print(
      """
      messages  \(stats.messages)
      segments  \(stats.segments)
      repeated  \(stats.repeated), \(stats.repeats) times in all
      """
    )
  }
}
