import Foundation
import Synchronization

/// A program that a test runs, with what it writes kept line by line.
///
/// It ends with the object, and with the test process, however that ends: a watchdog holds the reading end of a pipe, and
/// sees its end when the process that holds the writing end is gone. What the program itself has started goes with it.
package final class ChildProcess: Sendable {
  package enum Input: Sendable {
    case none
    /// Written by a thread, so that a program that does not read is no trouble.
    case bytes([UInt8])
    /// Open until ``ChildProcess/closeInput()``.
    case open
  }

  package struct Result: Sendable {
    package let stdout: String
    package let stderr: String
    /// The exit code; a signal is 128 and its number, as shells say it.
    package let code: Int32

    /// Standard error without the line feeds at its ends.
    package var note: String { stderr.trimmingCharacters(in: .newlines) }
    /// Standard output without the line feeds at its ends.
    package var output: String { stdout.trimmingCharacters(in: .newlines) }
  }

  /// What a pipe has brought so far.
  private final class Capture: Sendable {
    private let state = Mutex<(bytes: [UInt8], ended: Bool)>(([], false))
    private let pipe: Pipe

    init(_ pipe: Pipe) { self.pipe = pipe }

    var text: String { String(decoding: state.withLock { $0.bytes }, as: UTF8.self) }
    var hasEnded: Bool { state.withLock { $0.ended } }

    func read() {
      // Blocking reads belong on a thread of their own and not on Swift's pool.
      Thread.detachNewThread { [self] in
        while case let data = pipe.fileHandleForReading.availableData, !data.isEmpty {
          state.withLock { $0.bytes += data }
        }
        // By hand: Foundation's Process holds its pipes for longer than it is needed.
        try? pipe.fileHandleForReading.close()
        state.withLock { $0.ended = true }
      }
    }
  }

  private let name: String
  private let process = Process()
  private let watchdog = Process()
  private let watchdogPipe: Pipe
  private let inputPipe: Pipe?
  private let out: Capture
  private let error: Capture

  /// Starts the program.
  ///
  /// - Parameters:
  ///   - environment: on top of the test's own, without its SMSQ_ variables, which would act as options. Where all servers speak
  ///     TLS, `SMSQ_REDIS_CA` says whom to trust.
  ///   - readsOutput: false for a reader that stalls: nothing of standard output is read until ``readOutput()``.
  package init(
    _ program: String,
    _ arguments: [String],
    environment: [String: String] = [:],
    input: Input = .none,
    readsOutput: Bool = true
  ) throws {
    signal(SIGPIPE, SIG_IGN)
    startLock.lock()
    defer { startLock.unlock() }
    let (outPipe, errorPipe) = (Pipe(), Pipe())
    watchdogPipe = Pipe()
    name = "\((program as NSString).lastPathComponent) \(arguments.joined(separator: " "))"
    out = Capture(outPipe)
    error = Capture(errorPipe)
    let inherited = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SMSQ_") }
    process.executableURL = URL(fileURLWithPath: program.hasPrefix("/") ? program : "/usr/bin/env")
    process.arguments = program.hasPrefix("/") ? arguments : [program] + arguments
    let authority = TestTLS.caFileOfAll.map { ["SMSQ_REDIS_CA": $0] } ?? [:]
    process.environment = inherited.merging(authority) { $1 }.merging(environment) { $1 }
    process.standardOutput = outPipe
    process.standardError = errorPipe
    if case .none = input {
      inputPipe = nil
      process.standardInput = FileHandle.nullDevice
    } else {
      inputPipe = Pipe()
      process.standardInput = inputPipe
    }
    try process.run()

    watchdog.executableURL = URL(fileURLWithPath: "/bin/sh")
    watchdog.arguments = ["-c", #"read -r _ || kill -9 "$0" $(cat "/proc/$0/task/$0/children")"#, "\(pid)"]
    watchdog.standardInput = watchdogPipe
    watchdog.standardOutput = FileHandle.nullDevice
    watchdog.standardError = FileHandle.nullDevice
    try watchdog.run()

    error.read()
    if readsOutput { out.read() }
    if case .bytes(let bytes) = input {
      Thread.detachNewThread { [inputPipe] in
        try? inputPipe?.fileHandleForWriting.write(contentsOf: bytes)
        try? inputPipe?.fileHandleForWriting.close()
      }
    }
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    try? watchdogPipe.fileHandleForWriting.write(contentsOf: [UInt8(ascii: "\n")])
    try? watchdogPipe.fileHandleForWriting.close()
    try? inputPipe?.fileHandleForWriting.close()
  }

  package var pid: Int32 { process.processIdentifier }
  package var isRunning: Bool { process.isRunning }
  package var stdout: String { out.text }
  package var stderr: String { error.text }

  /// Whole lines of standard output so far.
  package var lines: [String] {
    stdout.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  }

  package func readOutput() { out.read() }

  package func write(_ text: String) throws {
    try inputPipe?.fileHandleForWriting.write(contentsOf: [UInt8](text.utf8))
  }

  package func closeInput() throws { try inputPipe?.fileHandleForWriting.close() }

  package func send(_ signal: Int32) {
    if process.isRunning { kill(process.processIdentifier, signal) }
  }

  /// The most memory that the running program has used so far, in KiB.
  package var peakMemory: Int {
    get throws {
      let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
      let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
      return Int(line.filter(\.isNumber)) ?? 0
    }
  }

  /// Waits for the end of the program and of what it writes, and kills it at the deadline.
  package func end(within deadline: Duration = .seconds(40)) async throws -> Result {
    do {
      try await eventually(within: deadline, "it ends") { !process.isRunning && out.hasEnded && error.hasEnded }
    } catch {
      let state = "running: \(isRunning), pipes open: \(!out.hasEnded), \(!self.error.hasEnded)"
      send(SIGKILL)
      throw NeverHappened(description: "\(name): \(error), \(state): \(stdout.suffix(2_000)) \(stderr)")
    }
    let code = process.terminationStatus + (process.terminationReason == .exit ? 0 : 128)
    return Result(stdout: stdout, stderr: stderr, code: code)
  }
}
