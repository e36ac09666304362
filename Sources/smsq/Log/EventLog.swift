import Glibc
import Logging
import Wire
import Worker

/// Writes each log entry as one line: `2026-11-22T12:00:00.123Z info event=sent id=... queue=sms` or the same as JSON.
///
/// A worker's log is its only face, so the lines are made for people who tail them and for scripts that split them: the
/// fields come in one order, whatever order the code named them in.
struct EventLog: LogHandler, LogOutput {
  enum Format: String, Sendable, CaseIterable {
    case text, json
  }

  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  private let format: Format
  private let writer: LineWriter

  init(format: Format, level: Logger.Level, descriptor: Int32 = STDOUT_FILENO) {
    self.format = format
    logLevel = level
    writer = LineWriter(descriptor: descriptor, failed: { Self.note($0, of: descriptor) }) { count, error in
      let cause = error.map { "the log could not be written (\($0))" } ?? "whatever reads this log is too slow"
      let hint = "\(cause); the messages themselves are not affected"
      var line: [UInt8] = []
      Self.append(format, .warning, "log-dropped", ["lines": .number(count), "hint": .text(hint)], to: &line)
      return line
    }
  }

  /// The log cannot say it itself. Nothing of a reader that is gone, or never was: whoever took it away knows.
  private static func note(_ error: ErrorNumber, of descriptor: Int32) {
    if descriptor == STDERR_FILENO || [EPIPE, EBADF].contains(error.number) { return }
    Terminal.note("the log cannot be written (\(error)); it goes on when it can be, and says how many lines were lost")
  }

  /// How many lines were dropped, ever.
  var droppedLines: Int { writer.droppedLines }

  func flushed(within timeout: Duration) async -> Int? { await writer.flushed(within: timeout) }

  /// Waits, for a second at most, until the lines are out.
  func flush() { writer.flush(timeout: .seconds(1)) }

  func log(event: LogEvent) {
    let fields = LogFields(event.metadata) ?? Self.inOrder(event.metadata ?? [:], metadata)
    let name = event.message.description
    writer.write { Self.append(format, event.level, name, fields, to: &$0) }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  // MARK: Fields

  /// The fields that people look for first, in the order they look for them; others follow by name.
  private static let order = [
    "id", "queue", "attempt", "to", "segments", "ms", "gateway", "provider_id", "code", "reason", "setting", "value",
  ]

  /// Fields that are numbers. By name, so that an id that happens to be all digits stays a string.
  private static let numbers: Set<String> = [
    "segments", "attempt", "in_hand", "messages", "missing", "concurrency", "pid", "unfinished", "unanswered",
    "restart_in_ms",
  ]

  private static func inOrder(_ own: Logger.Metadata, _ general: Logger.Metadata) -> LogFields {
    let fields = own.merging(general) { own, _ in own }
    let names = order.filter { fields[$0] != nil } + fields.keys.filter { !order.contains($0) }.sorted()
    var list = LogFields()
    for name in names {
      let text = "\(fields[name]!)"
      let number = numbers.contains(name) ? Int(text) : nil
      list.append(name, number.map { .number($0) } ?? .text(text))
    }
    return list
  }

  // MARK: Lines

  private static func append(
    _ format: Format,
    _ level: Logger.Level,
    _ event: String,
    _ fields: LogFields,
    to line: inout [UInt8]
  ) {
    switch format {
    case .text:
      Timestamp.append(Timestamp.now(), alwaysWithFraction: true, to: &line)
      line.append(UInt8(ascii: " "))
      append(level.rawValue, to: &line)
      append(" event=", to: &line)
      appendText(event, to: &line)
      for field in fields.list {
        line.append(UInt8(ascii: " "))
        append(field.name, to: &line)
        line.append(UInt8(ascii: "="))
        switch field.value {
        case .text(let text): appendText(text, to: &line)
        case .number(let number): append(String(number), to: &line)
        }
      }
    case .json:
      append("{\"time\":\"", to: &line)
      Timestamp.append(Timestamp.now(), alwaysWithFraction: true, to: &line)
      append("\",\"level\":\"", to: &line)
      append(level.rawValue, to: &line)
      append("\",\"event\":", to: &line)
      JSONText.append(event, to: &line)
      for field in fields.list {
        line.append(UInt8(ascii: ","))
        JSONText.append(field.name, to: &line)
        line.append(UInt8(ascii: ":"))
        switch field.value {
        case .text(let text): JSONText.append(text, to: &line)
        case .number(let number): append(String(number), to: &line)
        }
      }
      line.append(UInt8(ascii: "}"))
    }
    line.append(UInt8(ascii: "\n"))
  }

  /// logfmt: bare where that is clear, in quotes with backslash escapes elsewhere. Never a line feed: one event, one line.
  private static func appendText(_ value: String, to line: inout [UInt8]) {
    let isBare = value.utf8.span.withUnsafeBufferPointer { bytes in
      !bytes.isEmpty
        && bytes.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") }
    }
    if isBare {
      append(value, to: &line)
    } else {
      JSONText.append(value, to: &line)
    }
  }

  /// In one piece: `+=` with a view of a string takes several times as long, and a line has some twenty pieces.
  private static func append(_ text: String, to line: inout [UInt8]) {
    text.utf8.span.withUnsafeBufferPointer { line.append(contentsOf: $0) }
  }
}
