import Foundation
import TestSupport

/// The real binary, which the build has put beside the tests.
final class SmsqProcess: Sendable {
  struct Result: Equatable {
    /// The exit code; a signal's number below zero.
    var status: Int32
    var output: String
    var errors: String
  }

  static let binary: String = {
    let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let folders = [own ?? "", CommandLine.arguments[0]].map { URL(fileURLWithPath: $0).deletingLastPathComponent() }
    let candidates = folders.map { $0.appendingPathComponent("smsq").path } + [".build/debug/smsq"]
    return candidates.first(where: FileManager.default.isExecutableFile) ?? "smsq"
  }()

  private let process = Process()
  private let directory = "/tmp/smsq-run-\(UUID().uuidString)"

  /// Starts it. Options from the environment of whoever tests do not reach it.
  ///
  /// - Parameter through: a program and its arguments that start it, such as `setpriv`.
  init(
    _ arguments: [String],
    through launcher: [String] = [],
    binary: String = SmsqProcess.binary,
    input: String = ""
  ) throws {
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    for name in ["in", "out", "err"] {
      _ = FileManager.default.createFile(
        atPath: "\(directory)/\(name)",
        contents: Data(name == "in" ? Array(input.utf8) : [])
      )
    }
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = launcher + [binary] + arguments
    process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SMSQ_") }
    process.standardInput = FileHandle(forReadingAtPath: "\(directory)/in")
    process.standardOutput = FileHandle(forWritingAtPath: "\(directory)/out")
    process.standardError = FileHandle(forWritingAtPath: "\(directory)/err")
    try startLock.withLock { try process.run() }
  }

  deinit {
    if process.isRunning { kill(SIGKILL) }
    try? FileManager.default.removeItem(atPath: directory)
  }

  func kill(_ signal: Int32) { _ = Foundation.kill(process.processIdentifier, signal) }

  /// Waits until this stands in its standard output.
  func says(_ words: String) async throws {
    try await eventually("smsq says '\(words)'") { text("out").contains(words) }
  }

  func end(within deadline: Duration = .seconds(120)) async throws -> Result {
    try await eventually(within: deadline, "smsq ends") { !process.isRunning }
    return Result(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: text("out"),
      errors: text("err")
    )
  }

  static func run(
    _ arguments: String...,
    through launcher: [String] = [],
    binary: String = SmsqProcess.binary,
    input: String = ""
  ) async throws -> Result {
    try await SmsqProcess(arguments, through: launcher, binary: binary, input: input).end()
  }

  private func text(_ name: String) -> String {
    String(decoding: FileManager.default.contents(atPath: "\(directory)/\(name)") ?? Data(), as: UTF8.self)
  }
}
