import Foundation
import RedisClient
import Synchronization

/// A private redis-server in a directory of its own: the real binary, on a Unix socket unless asked for TCP or TLS.
///
/// With `SMSQ_TEST_TLS=1` in the environment all speak TLS, for suites that are to be run over it once more.
///
/// It ends with the object, and with the test process, however that ends: a watchdog holds the reading end of a pipe, and
/// sees its end when the process that holds the writing end is gone.
package final class RedisServer: Sendable {
  package let url: String
  package let endpoint: RedisEndpoint
  /// Where it keeps its files.
  package var folder: String { directory }
  private let directory: String
  /// Whatever else it listens on.
  private let plainEndpoint: RedisEndpoint
  private let arguments: [String]
  private let running = Mutex<Running?>(nil)

  private struct Running {
    let server: Process
    let watchdog: Pipe
  }

  /// One server for all tests that keep to queue names of their own and leave its configuration alone.
  package static func shared() async throws -> RedisServer { try await sharedServer.value }

  private static let sharedServer = Task { try await RedisServer() }

  /// Starts a server and waits until it answers.
  ///
  /// - Parameters:
  ///   - tcp: listen on a free port of 127.0.0.1 instead of a Unix socket.
  ///   - appendOnly: keep an append-only file that is synced before each answer, so that a restart loses nothing.
  ///   - password: what clients must AUTH with; ``url`` carries it.
  ///   - tls: listen on a free port of 127.0.0.1, and speak TLS there.
  ///   - arguments: more of redis-server's own, such as `--maxmemory`, `1`.
  package convenience init(
    tcp: Bool = false,
    appendOnly: Bool = false,
    password: String? = nil,
    tls: TestTLS? = nil,
    _ arguments: String...
  ) async throws {
    try await self.init(tcp: tcp, appendOnly: appendOnly, password: password, tls: tls, arguments)
  }

  package init(
    tcp: Bool = false,
    appendOnly: Bool = false,
    password: String? = nil,
    tls: TestTLS? = nil,
    _ arguments: [String]
  ) async throws {
    let tls = if let tls { tls } else { try await TestTLS.forAll() }
    // hiredis writes with write(2), and tests cut connections.
    signal(SIGPIPE, SIG_IGN)
    var template = Array("/tmp/smsq-redis-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
    directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)

    let login = password.map { ":\($0)@" } ?? ""
    let port = tcp || tls != nil ? try FreePort.take() : 0
    let socketURL = "unix://\(login)\(directory)/redis.sock"
    plainEndpoint = try RedisEndpoint(socketURL)
    url = port == 0 ? socketURL : "\(tls == nil ? "redis" : "rediss")://\(login)127.0.0.1:\(port)/0"
    var endpoint = try RedisEndpoint(url)
    endpoint.tls = tls?.client
    self.endpoint = endpoint
    self.arguments =
      ["--dir", directory, "--bind", "127.0.0.1", "--save", "", "--logfile", "redis.log"]
      + (tls.map { ["--port", "0", "--tls-port", "\(port)"] + $0.arguments } ?? ["--port", "\(port)"])
      + ["--unixsocket", "\(directory)/redis.sock", "--appendonly", appendOnly ? "yes" : "no"]
      + ["--appendfsync", "always", "--enable-debug-command", "yes"]
      + (password.map { ["--requirepass", $0] } ?? []) + arguments
    try await start()
  }

  deinit {
    end()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// A new connection to this server.
  package func connection(
    name: String = "test",
    replyTimeout: Duration = .seconds(30)
  ) -> RedisConnection {
    RedisConnection(to: endpoint, options: .init(name: name, replyTimeout: replyTimeout))
  }

  /// A new connection beside TLS, for a test to arrange things.
  package func plainConnection(name: String = "plain") -> RedisConnection {
    RedisConnection(to: plainEndpoint, options: .init(name: name, replyTimeout: .seconds(30)))
  }

  /// Has a server that speaks TLS show this certificate from now on.
  package func show(_ identity: TestAuthority.Identity) async throws {
    let command = RedisCommand(
      "CONFIG",
      "SET",
      "tls-cert-file",
      identity.certificateFile,
      "tls-key-file",
      identity.keyFile
    )
    _ = try await plainConnection().run(command)
  }

  /// Sends a Unix signal to the server. Does not wait for anything; SIGSTOP and SIGCONT halt and resume it.
  package func kill(_ signal: Int32) {
    running.withLock { running in
      guard let running, running.server.isRunning else { return }
      _ = Foundation.kill(running.server.processIdentifier, signal)
    }
  }

  /// Kills the server as a power cut would, and waits until it is gone.
  package func stop() async throws {
    guard let server = end() else { return }
    try await eventually("redis-server \(directory) is gone") { !server.isRunning }
  }

  /// Starts the server again, in the same directory and at the same address.
  package func restart() async throws {
    try await stop()
    try await start()
  }

  private func start() async throws {
    let started = try startLock.withLock {
      let pipe = Pipe()
      let server = try launch(RedisNode.program, arguments, input: FileHandle.nullDevice)
      // A line means that all is in order; the end of the pipe, that the test process is gone.
      let script = "read -r _ || { kill -9 \(server.processIdentifier); rm -rf \(directory); }"
      _ = try launch("sh", ["-c", script], input: pipe)
      return Running(server: server, watchdog: pipe)
    }
    running.withLock { $0 = started }

    let connection = plainConnection(name: "start")
    try await eventually("redis-server \(directory) answers") {
      guard started.server.isRunning else { throw NeverHappened(description: "redis-server ended: \(log)") }
      return (try? await connection.run(RedisCommand("PING"))) == .status("PONG")
    }
  }

  @discardableResult
  private func end() -> Process? {
    let ended = running.withLock { running in
      defer { running = nil }
      return running
    }
    guard let ended else { return nil }
    _ = Foundation.kill(ended.server.processIdentifier, SIGKILL)
    try? ended.watchdog.fileHandleForWriting.write(contentsOf: [UInt8(ascii: "\n")])
    return ended.server
  }

  private func launch(_ program: String, _ arguments: [String], input: Any) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.standardInput = input
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    return process
  }

  private var log: String { (try? String(contentsOfFile: "\(directory)/redis.log", encoding: .utf8)) ?? "no log" }
}
