import Foundation

/// The real `smsq` binary, as it was built next to the tests.
package enum Smsq {
  /// SwiftPM puts executables and the tests' own one into the same folder. `SMSQ_TEST_BINARY` names another one, such as
  /// the optimized one of a release.
  package static let path: String = {
    if let named = ProcessInfo.processInfo.environment["SMSQ_TEST_BINARY"] { return named }
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let beside = (tests as NSString).deletingLastPathComponent + "/smsq"
    return FileManager.default.isExecutableFile(atPath: beside)
      ? beside : Bundle.main.bundleURL.appendingPathComponent("smsq").path
  }()

  /// Runs a command to its end.
  package static func run(
    _ arguments: [String],
    environment: [String: String] = [:],
    input: ChildProcess.Input = .none,
    within deadline: Duration = .seconds(40)
  ) async throws -> ChildProcess.Result {
    try await ChildProcess(path, arguments, environment: environment, input: input).end(within: deadline)
  }

  /// A shell that starts smsq, as in `exec "$@" > /dev/full`.
  ///
  /// - Parameter script: finds the program and the arguments in `"$@"`.
  package static func shell(
    _ script: String,
    _ arguments: [String] = [],
    environment: [String: String] = [:]
  ) throws -> ChildProcess {
    try ChildProcess("/bin/sh", ["-c", script, "sh", path] + arguments, environment: environment)
  }
}

/// One line of a worker's log in its text format, read by the rules of logfmt.
package struct LogLine: Sendable {
  package let time: String
  package let level: String
  package let fields: [String: String]

  package var event: String { fields["event"] ?? "" }
  package subscript(name: String) -> String? { fields[name] }

  /// Nil for a line that is not a time, a level and `name=value` pairs.
  package init?(_ line: String) {
    let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    time = String(parts[0])
    level = String(parts[1])
    var fields: [String: String] = [:]
    var rest = parts[2]
    while !rest.isEmpty {
      guard let equals = rest.firstIndex(of: "="), equals != rest.startIndex else { return nil }
      let name = rest[..<equals]
      rest = rest[rest.index(after: equals)...]
      guard let (value, end) = Self.value(rest), fields.updateValue(value, forKey: String(name)) == nil else {
        return nil
      }
      rest = rest[end...]
      if !rest.isEmpty {
        guard rest.removeFirst() == " ", !rest.isEmpty else { return nil }
      }
    }
    guard name(fields["event"]) else { return nil }
    self.fields = fields

    func name(_ event: String?) -> Bool { event?.isEmpty == false }
  }

  /// The value that `text` begins with, and where it ends.
  private static func value(_ text: Substring) -> (String, String.Index)? {
    guard text.first == "\"" else {
      let end = text.firstIndex(of: " ") ?? text.endIndex
      return text[..<end].contains("\"") || text.startIndex == end ? nil : (String(text[..<end]), end)
    }
    var index = text.index(after: text.startIndex)
    while index < text.endIndex, text[index] != "\"" {
      index = text.index(index, offsetBy: text[index] == "\\" ? 2 : 1, limitedBy: text.endIndex) ?? text.endIndex
    }
    guard index < text.endIndex else { return nil }
    let end = text.index(after: index)
    // The escapes are JSON's.
    let value = try? JSONDecoder().decode(String.self, from: Data(text[..<end].utf8))
    return value.map { ($0, end) }
  }
}

extension ChildProcess {
  /// The lines of a worker's log so far, those left out that cannot be read.
  package var log: [LogLine] { lines.compactMap(LogLine.init) }

  package func log(_ event: String) -> [LogLine] { log.filter { $0.event == event } }

  /// Waits for so many lines of an event, and returns the last of them.
  @discardableResult
  package func logs(_ event: String, times: Int = 1, within deadline: Duration = .seconds(60)) async throws -> LogLine {
    try await eventually(within: deadline, "event=\(event) \(times) times") {
      let found = log(event).count
      if found < times && !isRunning {
        throw NeverHappened(description: "ended with \(found) event=\(event): \(stdout.suffix(2_000)) \(stderr)")
      }
      return found >= times
    }
    return log(event)[times - 1]
  }
}
