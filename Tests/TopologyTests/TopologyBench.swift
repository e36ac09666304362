import Foundation
import MessageQueue
import RedisClient
import Synchronization
import TestSupport

/// A queue of a test's own behind sentinels or in a cluster, workers that send from it, and the books that the simulated
/// gateway keeps of what it took.
final class TopologyBench: Sendable {
  let url: String
  let name = QueueName("test-\(UInt64.random(in: .min ... .max))")!
  let queue: MessageQueue
  let resolver: RedisResolver
  private let connection: RedisConnection
  private let watcher: SentinelWatcher?
  private let ledger = NSTemporaryDirectory() + "/smsq-ledger-\(UUID().uuidString)"

  init(_ url: String) throws {
    self.url = url
    resolver = RedisResolver(try RedisEndpoint(url))
    watcher = SentinelWatcher.start(resolver) { _ in }
    connection = Self.connection(resolver, name)
    queue = MessageQueue(name, on: connection)
  }

  deinit {
    watcher?.stop()
    try? FileManager.default.removeItem(atPath: ledger)
  }

  /// One that follows the server wherever it goes.
  static func connection(_ resolver: RedisResolver, _ name: QueueName) -> RedisConnection {
    RedisConnection(
      to: resolver.route(for: QueueKeys(name).list),
      options: .init(name: "test", connectTimeout: .seconds(1), replyTimeout: .seconds(2), settleTimeout: .seconds(5))
    )
  }

  // MARK: Workers

  func arguments(_ worker: String, _ more: [String]) -> [String] {
    [
      "worker", "--redis", url, "--queue", name.description, "--name", worker, "--sim-ledger", ledger, "--log-level",
      "notice", "--sim-latency", "1ms..9ms", "--concurrency", "50",
    ] + more
  }

  func worker(_ worker: String = "w", _ more: String...) throws -> ChildProcess {
    try ChildProcess(Smsq.path, arguments(worker, more))
  }

  /// - Parameter command: without the options that say where, and of which queue.
  func smsq(_ command: String..., input: ChildProcess.Input = .none) async throws -> ChildProcess.Result {
    try await Smsq.run(command + ["--redis", url, "--queue", name.description], input: input)
  }

  // MARK: Looking

  /// How often the gateway took each message, by id.
  func taken() -> [String: Int] {
    let lines = (try? String(contentsOfFile: ledger, encoding: .utf8)) ?? ""
    var counts: [String: Int] = [:]
    for line in lines.split(separator: "\n") { counts[String(line.prefix { $0 != " " }), default: 0] += 1 }
    return counts
  }

  /// The longest times in which the gateway got nothing, in seconds.
  func pauses(_ count: Int) -> [Double] {
    let lines = (try? String(contentsOfFile: ledger, encoding: .utf8)) ?? ""
    let times = lines.split(separator: "\n").compactMap { Double($0.split(separator: " ").last ?? "") }.sorted()
    let pauses = zip(times, times.dropFirst()).map { ($1 - $0) / 1_000_000 }.sorted(by: >)
    return pauses.prefix(count).map { ($0 * 100).rounded() / 100 }
  }

  /// Nil while nobody serves.
  func snapshot() async -> QueueSnapshot? { try? await queue.inspect() }

  /// Waits until nothing waits, is scheduled or is in hand.
  func drained(by workers: [ChildProcess]) async throws {
    do {
      try await eventually("the queue is empty") {
        guard let now = await snapshot() else { return false }
        return now.waiting + now.scheduled + now.claimed == 0
      }
    } catch {
      let now = await snapshot()
      let words = workers.map { "\($0.isRunning ? "runs" : "ended"): \($0.lines.suffix(8)) \($0.stderr)" }
      throw NeverHappened(description: "\(error): \(String(describing: now)) \(words.joined(separator: "\n"))")
    }
  }

  /// What is wrong with the queue. A server that has gone back to an earlier state has gone back with all of it, so that its
  /// books balance all the same.
  func violations() async throws -> [String] {
    let faults = try await queue.audit().faults.map { "\($0)" }
    let dump = try await RedisDump(of: name, on: connection)
    return InvariantCheck(dump).violations() + faults
  }
}

/// Programs that push one message after the other, each until they are told that it is queued.
final class SteadyProducers: Sendable {
  private struct Books {
    var acknowledged: Set<String> = []
    var errors: [String: Int] = [:]
    var isOver = false
  }

  private final class Shared: Sendable {
    let books = Mutex(Books())
  }

  private let shared = Shared()
  private let tasks: [Task<Void, Never>]
  private let start = ContinuousClock.now

  init(_ bench: TopologyBench, count: Int = 2, every pause: Duration = .milliseconds(2)) {
    tasks = (0..<count).map { [shared] producer in
      Task {
        let queue = MessageQueue(bench.name, on: TopologyBench.connection(bench.resolver, bench.name))
        var number = 0
        while !shared.books.withLock(\.isOver) {
          let id = "p\(producer)-\(number)"
          let payload = [UInt8](#"{"to":"+8613800138000","text":"hi","id":"\#(id)"}"#.utf8)
          do throws(RedisError) {
            // With an id of its own, so that it may be repeated.
            _ = try await queue.enqueue([OutgoingMessage(payload: payload, callerID: id)])
            shared.books.withLock { _ = $0.acknowledged.insert(id) }
            number += 1
            try? await Task.sleep(for: pause)
          } catch {
            shared.books.withLock { $0.errors["\(error.code.rawValue)", default: 0] += 1 }
            try? await Task.sleep(for: .milliseconds(20))
          }
        }
      }
    }
  }

  var acknowledged: Set<String> { shared.books.withLock(\.acknowledged) }
  var errors: [String: Int] { shared.books.withLock(\.errors) }
  /// Messages a second so far.
  var rate: Double { Double(acknowledged.count) / ((ContinuousClock.now - start) / .seconds(1)) }

  /// Waits until so many more are queued.
  func goOn(_ count: Int = 100) async throws {
    let before = acknowledged.count
    try await eventually("producers get on; \(errors)") { acknowledged.count >= before + count }
  }

  func stop() async {
    shared.books.withLock { $0.isOver = true }
    for task in tasks { await task.value }
  }
}

/// What came of a test's messages.
struct Outcome: CustomStringConvertible {
  let acknowledged: Int
  /// Queued, as their producers were told, and never sent.
  let lost: Int
  /// Sent more than once, over and above the once that is due.
  let doubles: Int
  /// The longest times without a message, one for each round.
  let pauses: [Double]

  init(_ producers: SteadyProducers, _ bench: TopologyBench) {
    let taken = bench.taken()
    acknowledged = producers.acknowledged.count
    lost = producers.acknowledged.subtracting(taken.keys).count
    doubles = taken.values.reduce(0) { $0 + $1 - 1 }
    pauses = bench.pauses(TopologyTests.rounds)
  }

  var description: String {
    "\(acknowledged) acknowledged, \(lost) lost, \(doubles) sent twice, longest pauses \(pauses) s"
  }
}

extension ChildProcess {
  /// Drains and waits, and says how it ended.
  func stop() async throws -> Int32 {
    send(SIGTERM)
    return try await end().code
  }

  /// From the fields `after` of its lines of that event, in seconds.
  func times(of event: String) -> [Double] { log(event).compactMap { Double($0["after"]?.dropLast() ?? "") } }
}
