import Foundation
import RedisClient
import Synchronization

/// One server of several, at a TCP address: a master, a replica, a node of a cluster, a sentinel. It may be killed, stopped and
/// started again. With `SMSQ_TEST_TLS=1` in the environment all speak TLS, to each other as well.
package final class RedisNode: Sendable {
  package let host: String
  package let port: Int
  private let folder: String
  private let command: [String]
  private let process = Mutex<ChildProcess?>(nil)

  package var address: RedisEndpoint.Address { .tcp(host: host, port: port) }
  package var url: String { "\(Self.scheme)://\(address)" }
  /// How the URLs of all of them begin.
  package static let scheme = TestTLS.isForAll ? "rediss" : "redis"

  /// The server's program: `VALKEY_SERVER` names another one.
  package static var program: String { ProcessInfo.processInfo.environment["VALKEY_SERVER"] ?? "redis-server" }

  /// - Parameters:
  ///   - namespace: the network namespace that it runs in; nil for the tests' own.
  ///   - configuration: a file for a sentinel, which writes to it; nil for a server.
  ///   - arguments: as in `["--replicaof", "127.0.0.1 7001"]`.
  package init(
    host: String = "127.0.0.1",
    port: Int? = nil,
    in namespace: String? = nil,
    configuration: String? = nil,
    _ arguments: [String] = []
  ) async throws {
    signal(SIGPIPE, SIG_IGN)
    self.host = host
    self.port = try port ?? FreePort.take(withBus: true)
    folder = NSTemporaryDirectory() + "/smsq-node-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let listening =
      if let tls = try await TestTLS.forAll(host: host) {
        ["--port", "0", "--tls-port", "\(self.port)", "--tls-replication", "yes", "--tls-cluster", "yes"]
          + tls.arguments
      } else {
        ["--port", "\(self.port)"]
      }
    let prefix = namespace.map { ["ip", "netns", "exec", $0] } ?? []
    if let configuration {
      let path = folder + "/sentinel.conf"
      let text = "bind \(host)\ndir \(folder)\n" + configuration
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      command = prefix + [Self.program, path, "--sentinel"] + listening + arguments
    } else {
      command =
        prefix + [Self.program, "--dir", folder, "--bind", host, "--save", "", "--protected-mode", "no"] + listening
        + ["--repl-diskless-sync-delay", "0", "--logfile", folder + "/log"] + arguments
    }
  }

  deinit {
    process.withLock { $0?.send(SIGKILL) }
    try? FileManager.default.removeItem(atPath: folder)
  }

  /// Starts it and waits until it answers.
  ///
  /// - Parameter untilAnswered: a refusal is an answer, too.
  @discardableResult
  package func start(untilAnswered: Bool = false) async throws -> RedisNode {
    let started = try ChildProcess(command[0], Array(command.dropFirst()))
    process.withLock { $0 = started }
    let connection = connection()
    try await eventually("\(address) answers") {
      guard started.isRunning else { throw NeverHappened(description: "\(command) ended: \(log) \(started.stdout)") }
      do throws(RedisError) {
        return try await connection.run(RedisCommand("PING")) == .status("PONG")
      } catch {
        return untilAnswered && error.treatment == .denied
      }
    }
    return self
  }

  package var isRunning: Bool { process.withLock { $0?.isRunning ?? false } }

  /// Sends a signal and waits for nothing.
  package func kill(_ signal: Int32) { process.withLock { $0?.send(signal) } }

  /// Kills it as a power cut would, and waits until it is gone.
  package func crash() async throws {
    guard let running = process.withLock({ $0 }) else { return }
    running.send(SIGKILL)
    try await eventually("\(address) is gone") { !running.isRunning }
  }

  package func connection(password: String? = nil, replyTimeout: Duration = .seconds(10)) -> RedisConnection {
    let login = password.map { ":\($0)@" } ?? ""
    guard let endpoint = try? Self.endpoint("\(Self.scheme)://\(login)\(address)") else {
      preconditionFailure("a host or a password of a test has something special in it")
    }
    let options = RedisConnection.Options(name: "test", connectTimeout: .seconds(1), replyTimeout: replyTimeout)
    return RedisConnection(to: endpoint, options: options)
  }

  /// Runs one command, of words without spaces, on a connection of its own.
  @discardableResult
  package func run(_ words: String...) async throws -> RedisReply {
    try await connection().run(RedisCommand(words: words))
  }

  /// What a URL says, with the authority of the tests' servers.
  package static func endpoint(_ url: String) throws -> RedisEndpoint {
    var endpoint = try RedisEndpoint(url)
    endpoint.tls?.caFile = TestTLS.caFileOfAll
    return endpoint
  }

  private var log: String { (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? "" }
}

extension RedisCommand {
  package init(words: [String]) {
    self.init()
    for word in words { append(word) }
  }
}
