import Foundation
import RedisClient
import TestSupport

/// A supervisord of a test's own, on a socket in a folder of its own, with the repository's smsq-worker.conf: only paths,
/// user and Redis are replaced.
///
/// It ends with the object, and its workers with it.
final class PrivateSupervisor: Sendable {
  /// The folder of the sources.
  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
    .standardizedFileURL.path

  let server: RedisServer
  let folder: String
  private let daemon: ChildProcess

  /// - Parameter variables: more for the worker's environment, such as `SMSQ_SIM_LATENCY`.
  init(_ variables: [String: String] = [:]) async throws {
    server = try await RedisServer()
    var template = Array("/tmp/smsq-sup-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
    folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)

    let environment = [("SMSQ_REDIS", server.url)] + variables.sorted { $0.key < $1.key }
    let replacements = [
      ("/usr/local/bin/smsq", Smsq.path), ("/var/log/supervisor", folder), ("user=nobody", "user=\(NSUserName())"),
      (#"SMSQ_REDIS="redis://127.0.0.1:6379/0""#, environment.map { "\($0)=\"\($1)\"" }.joined(separator: ",")),
    ]
    var worker = try String(contentsOfFile: Self.repository + "/supervisor/smsq-worker.conf", encoding: .utf8)
    for (old, new) in replacements {
      guard worker.contains(old) else { throw NeverHappened(description: "smsq-worker.conf has no \(old) any more") }
      worker = worker.replacingOccurrences(of: old, with: new)
    }
    let main = """
      [unix_http_server]
      file=\(folder)/s.sock
      [supervisord]
      logfile=\(folder)/supervisord.log
      pidfile=\(folder)/supervisord.pid
      childlogdir=\(folder)
      user=\(NSUserName())
      [rpcinterface:supervisor]
      supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
      [supervisorctl]
      serverurl=unix://\(folder)/s.sock

      """
    try (main + worker).write(toFile: folder + "/supervisord.conf", atomically: false, encoding: .utf8)
    daemon = try ChildProcess("supervisord", ["--nodaemon", "-c", folder + "/supervisord.conf"])
    try await eventually("both workers run") {
      if !daemon.isRunning { throw NeverHappened(description: "supervisord ended: \(daemon.stdout) \(daemon.stderr)") }
      return try await status("sms:*").filter { $0.value.hasPrefix("RUNNING") }.count == 2
    }
  }

  deinit {
    // A supervisord that is killed leaves its workers behind.
    for pid in (try? String(contentsOfFile: "/proc/\(daemon.pid)/task/\(daemon.pid)/children", encoding: .utf8))?
      .split(separator: " ").compactMap({ Int32($0) }) ?? []
    {
      kill(pid, SIGKILL)
    }
    daemon.send(SIGKILL)
    try? FileManager.default.removeItem(atPath: folder)
  }

  static let worker = "sms:smsq-worker-0"

  @discardableResult
  func control(_ arguments: String...) async throws -> ChildProcess.Result {
    try await ChildProcess("supervisorctl", ["-c", folder + "/supervisord.conf"] + arguments).end(within: .seconds(60))
  }

  /// What follows the name in `supervisorctl status`, by name: the state and more.
  func status(_ name: String) async throws -> [String: String] {
    let lines = try await control("status", name).stdout.split(separator: "\n")
    return .init(
      lines.map { line in
        let parts = line.split(separator: " ", maxSplits: 1)
        return (String(parts[0]), parts.count < 2 ? "" : parts[1].trimmingCharacters(in: .whitespaces))
      },
      uniquingKeysWith: { $1 }
    )
  }

  func state(_ name: String = worker) async throws -> String {
    String(try await status(name)[name]?.prefix { $0 != " " } ?? "")
  }

  func pid(_ name: String = worker) async throws -> Int32 {
    Int32(try await control("pid", name).output) ?? 0
  }

  /// A worker's log so far, as supervisord has written it.
  func log(_ number: Int = 0) throws -> [LogLine] {
    let text = try String(contentsOfFile: "\(folder)/smsq-worker-\(number).log", encoding: .utf8)
    return text.split(separator: "\n").compactMap { LogLine(String($0)) }
  }

  func errors(_ number: Int = 0) throws -> String {
    try String(contentsOfFile: "\(folder)/smsq-worker-\(number).err", encoding: .utf8)
  }

  /// What supervisord says of itself.
  var ownLog: String { (try? String(contentsOfFile: folder + "/supervisord.log", encoding: .utf8)) ?? "" }

  /// The queue named `sms`, on this supervisor's Redis.
  func smsq(_ arguments: String..., input: String? = nil) async throws -> ChildProcess.Result {
    try await Smsq.run(
      arguments + ["--redis", server.url],
      input: input.map { .bytes([UInt8]($0.utf8)) } ?? .none
    )
  }

  func push(_ count: Int, prefix: String = "m") async throws {
    let lines = (0..<count).map { #"{"to":"+8613800138000","text":"hi","id":"\#(prefix)\#($0)"}"# }
    let result = try await smsq("push", "--file", "-", input: lines.joined(separator: "\n"))
    if result.code != 0 { throw NeverHappened(description: "push: \(result)") }
  }
}
