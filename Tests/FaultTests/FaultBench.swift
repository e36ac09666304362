import Foundation
import MessageQueue
import RedisClient
import TestSupport

/// A queue of a test's own, workers that send from it, and the books that the simulated gateway keeps of what it took.
///
/// What counts is what the gateway saw, not what a worker logged or Redis counted: a worker that is killed between the
/// gateway's answer and its own next instruction knows nothing of that message, and the gateway does.
struct FaultBench: Sendable {
  let server: RedisServer
  let queue: TestQueue
  private let ledger: Ledger

  private final class Ledger: Sendable {
    let path = NSTemporaryDirectory() + "/smsq-ledger-\(UUID().uuidString)"
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  /// - Parameter server: nil for the one that all tests share.
  init(on server: RedisServer? = nil) async throws {
    if let server { self.server = server } else { self.server = try await .shared() }
    queue = TestQueue(on: self.server)
    ledger = Ledger()
  }

  // MARK: Pushing

  /// - Parameter count: how many, with ids of the prefix and a number from `first`.
  func push(_ count: Int, from first: Int = 0, prefix: String = "m", text: String = "hello") async throws {
    let messages = (first..<first + count).map { Self.message("\(prefix)\($0)", text: text) }
    for start in stride(from: 0, to: count, by: 500) {
      _ = try await queue.queue.enqueue(Array(messages[start..<min(start + 500, count)]))
    }
  }

  static func message(_ id: String, text: String = "hello") -> OutgoingMessage {
    OutgoingMessage(payload: [UInt8](#"{"to":"+8613800138000","text":"\#(text)","id":"\#(id)"}"#.utf8))
  }

  // MARK: Workers

  /// The arguments of a worker of this queue that keeps books.
  ///
  /// - Parameter url: where it finds Redis, a proxy for one; nil for the server itself.
  func arguments(name: String, url: String? = nil, _ more: [String] = []) -> [String] {
    [
      "worker", "--redis", url ?? server.url, "--queue", queue.name.description, "--name", name, "--sim-ledger",
      ledger.path, "--log-level", "notice",
    ] + more
  }

  func worker(_ name: String = "w", url: String? = nil, _ more: String...) throws -> ChildProcess {
    try ChildProcess(Smsq.path, arguments(name: name, url: url, more))
  }

  // MARK: Looking

  /// How often the gateway took each message, by id.
  func taken() throws -> [String: Int] {
    let lines = (try? String(contentsOfFile: ledger.path, encoding: .utf8)) ?? ""
    var counts: [String: Int] = [:]
    for line in lines.split(separator: "\n") {
      // id, attempt, time: an id may hold spaces.
      counts[line.split(separator: " ").dropLast(2).joined(separator: " "), default: 0] += 1
    }
    return counts
  }

  func snapshot() async throws -> QueueSnapshot { try await queue.queue.inspect() }

  func sent() async throws -> Int { try await snapshot().counters["sent"] ?? 0 }

  /// Waits until nothing waits, is scheduled or is in hand.
  ///
  /// - Parameter workers: whose last words to show if it never happens.
  func drained(within deadline: Duration = .seconds(60), by workers: [ChildProcess] = []) async throws {
    do {
      try await eventually(within: deadline, "queue \(queue.name) is empty") {
        let now = try await snapshot()
        return now.waiting + now.scheduled + now.claimed == 0
      }
    } catch {
      let lines = try await queue.dump().lines.map { String($0.prefix(400)) }
      let words = workers.map { "\($0.isRunning ? "runs" : "ended"): \($0.lines.suffix(6)) \($0.stderr)" }
      throw NeverHappened(description: "\(error): \((lines + words).joined(separator: "\n"))")
    }
  }

  /// What is wrong with the queue: what this package's own audit finds, which `smsq doctor` runs, and the test's check,
  /// which looks at each payload.
  func violations(plainPushes: Int = 0) async throws -> [String] {
    let faults = try await queue.queue.audit().faults.map { "\($0)" }
    return InvariantCheck(try await queue.dump()).violations(plainPushes: plainPushes) + faults
  }

  /// How many messages each life of a worker that was killed holds, by life.
  func held(by name: String) async throws -> [String: Int] {
    // What it had written into its socket, Redis may still carry out: at each answer to somebody else it has read on.
    for _ in 0..<20 { try await queue.run("PING") }
    let lives = try await snapshot().workers.filter { $0.life.name == name }
    return Dictionary(uniqueKeysWithValues: lives.map { ($0.life.id, $0.claimed) })
  }

  /// The dead letters.
  func dead() async throws -> [Element] {
    let reply = try await queue.run("ZRANGE {sms}:dead 0 -1")
    return (reply.array ?? []).map { Element($0.bytes ?? []) }
  }
}

/// How often messages were taken more than once, over and above the once that is due: what was sent twice.
func doubles(_ taken: [String: Int]) -> Int { taken.values.reduce(0) { $0 + $1 - 1 } }

extension ChildProcess {
  /// Drains and waits, and says how it ended.
  @discardableResult
  func stop() async throws -> Int32 {
    send(SIGTERM)
    return try await end().code
  }

  /// Kills it as the kernel's out-of-memory killer would, and waits until it is gone.
  func crash() async throws {
    send(SIGKILL)
    _ = try await end()
  }
}
