import Foundation
import Logging
import Synchronization
import TestSupport

@testable import Gateways

/// Keeps what a gateway logs and what its program writes on standard error.
final class GatewayNotes: LogHandler, Sendable {
  struct Entry: Sendable {
    var event: String
    var fields: [String: String]
  }

  /// A shell's answer to the request in `$line`.
  static let shellAnswer =
    #"r=${line#*:}; echo "{\"ref\":${r%%,*},\"outcome\":\"accepted\",\"provider_id\":\"p\"}""#

  private let state = Mutex((entries: [Entry](), errors: [String]()))

  var logLevel: Logger.Level {
    get { .trace }
    set {}
  }
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }

  func log(event: LogEvent) {
    let fields = (event.metadata ?? [:]).mapValues { "\($0)" }
    state.withLock { $0.entries.append(Entry(event: event.message.description, fields: fields)) }
  }

  func note(errorLine: [UInt8]) { state.withLock { $0.errors.append(String(decoding: errorLine, as: UTF8.self)) } }

  func entries(_ event: String) -> [Entry] { state.withLock { $0.entries.filter { $0.event == event } } }
  var errors: [String] { state.withLock { $0.errors } }

  /// The process ids of the program's lives so far.
  var pids: [Int32] { entries("gateway-started").compactMap { $0.fields["pid"].flatMap { Int32($0) } } }
}

extension GatewayAnswer {
  /// Nil where it was accepted.
  var code: String? {
    switch self {
    case .accepted: nil
    case .throttled(let code, _, _), .temporaryFailure(let code, _, _), .permanentFailure(let code, _),
      .unknown(let code, _):
      code
    }
  }
}

/// A gateway whose program is a Python script, for as long as `body` takes, and what it left behind.
func withGateway(
  python script: String,
  timeout: Duration = .seconds(60),
  grace: Duration = .seconds(20),
  pauses: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(20),
  _ body: (ProgramGateway, GatewayNotes) async throws -> Void
) async throws {
  let prelude = "import json, os, sys, time, signal\ndef say(**answer): print(json.dumps(answer), flush=True)\n"
  try await withGateway(
    ["/usr/bin/env", "python3", "-c", prelude + script],
    timeout: timeout,
    grace: grace,
    pauses: pauses,
    body
  )
}

func withGateway(
  _ command: [String],
  timeout: Duration = .seconds(60),
  grace: Duration = .seconds(20),
  pauses: ClosedRange<Duration> = .milliseconds(1) ... .milliseconds(20),
  _ body: (ProgramGateway, GatewayNotes) async throws -> Void
) async throws {
  signal(SIGPIPE, SIG_IGN)
  let notes = GatewayNotes()
  var options = ProgramGateway.Options()
  options.timeout = timeout
  options.grace = grace
  options.pauses = pauses
  let gateway = try ProgramGateway(command: command, options: options, logger: Logger(label: "test") { _ in notes }) {
    notes.note(errorLine: $0)
  }
  do {
    try await body(gateway, notes)
  } catch {
    await gateway.stop()
    throw error
  }
  await gateway.stop()
}

/// Whether a process is there, be it as a zombie.
func exists(_ pid: Int32) -> Bool { FileManager.default.fileExists(atPath: "/proc/\(pid)") }

/// Whether a process is there and not a zombie: those of a group that outlive their parent are init's to reap.
func isAlive(_ pid: Int32) -> Bool {
  guard let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
  return status.split(separator: ")").last?.split(separator: " ").first != "Z"
}
