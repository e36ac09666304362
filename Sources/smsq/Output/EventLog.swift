import Glibc
import Logging
import SMS
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
    writer = LineWriter(descriptor: descriptor) { count in
      let fields: Logger.Metadata = [
        "lines": "\(count)", "hint": "whatever reads this log is too slow; the messages themselves are not affected",
      ]
      return Self.line(format, .warning, "log-dropped", fields)
    }
  }

  /// Waits, for a twentieth of a second at most, until the lines are out.
  func flushed() async -> Int? { await writer.flushed(within: .milliseconds(50)) }

  /// Waits, for a second at most, until the lines are out.
  func flush() { writer.flush(timeout: .seconds(1)) }

  func log(event: LogEvent) {
    var fields = event.metadata ?? [:]
    if !metadata.isEmpty { fields.merge(metadata) { own, _ in own } }
    writer.write(Self.line(format, event.level, event.message.description, fields))
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  // MARK: Lines

  /// The fields that people look for first, in the order they look for them; others follow by name.
  private static let order = [
    "id", "queue", "to", "segments", "attempt", "ms", "gateway", "provider_id", "code", "reason", "setting", "value",
  ]

  static func line(
    _ format: Format,
    _ level: Logger.Level,
    _ event: String,
    _ fields: Logger.Metadata,
    time: Int64 = now()
  ) -> [UInt8] {
    var names = order.filter { fields[$0] != nil }
    if names.count < fields.count { names += fields.keys.filter { !order.contains($0) }.sorted() }

    var line: [UInt8] = []
    line.reserveCapacity(256)
    switch format {
    case .text:
      line += timestamp(time).utf8
      line += " \(level) event=".utf8
      appendText(event, to: &line)
      for name in names {
        line.append(UInt8(ascii: " "))
        line += name.utf8
        line.append(UInt8(ascii: "="))
        appendText("\(fields[name]!)", to: &line)
      }
    case .json:
      line += "{\"time\":\"".utf8
      line += timestamp(time).utf8
      line += "\",\"level\":\"\(level)\",\"event\":".utf8
      JSONText.append(event, to: &line)
      for name in names {
        line.append(UInt8(ascii: ","))
        JSONText.append(name, to: &line)
        line.append(UInt8(ascii: ":"))
        let value = "\(fields[name]!)"
        if numbers.contains(name), Int64(value) != nil {
          line += value.utf8
        } else {
          JSONText.append(value, to: &line)
        }
      }
      line.append(UInt8(ascii: "}"))
    }
    line.append(UInt8(ascii: "\n"))
    return line
  }

  /// Fields that JSON shows as numbers. By name, so that an id that happens to be all digits stays a string.
  private static let numbers: Set<String> = [
    "segments", "attempt", "ms", "retry_in_ms", "in_hand", "messages", "missing", "lines", "concurrency", "pid",
    "unfinished", "unanswered", "restart_in_ms",
  ]

  /// logfmt: bare where that is clear, in quotes with backslash escapes elsewhere. Never a line feed: one event, one line.
  private static func appendText(_ value: String, to line: inout [UInt8]) {
    let isBare =
      !value.isEmpty
      && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") }
    if isBare {
      line += value.utf8
    } else {
      JSONText.append(value, to: &line)
    }
  }

  /// RFC 3339 with milliseconds always, so that the columns of a log line up.
  private static func timestamp(_ time: Int64) -> String {
    let seconds = Timestamp.rfc3339(time - time % 1000).dropLast()
    let fraction = String(time % 1000 + 1000).dropFirst()
    return "\(seconds).\(fraction)Z"
  }

  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}
