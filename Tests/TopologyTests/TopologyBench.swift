import Foundation
import MessageQueue
import RedisClient
import Synchronization
import TestSupport

/// A queue of a test's own behind sentinels or in a cluster, workers that send from it, and the books that the simulated
/// gateway keeps of what it took.
final class TopologyBench: Sendable {
  let url: String
  let name: QueueName
  let queue: MessageQueue
  let sharded: ShardedQueue
  let resolver: RedisResolver
  private let watcher: SentinelWatcher?
  private let ledger = NSTemporaryDirectory() + "/smsq-ledger-\(UUID().uuidString)"

  init(_ url: String, _ name: QueueName = TopologyBench.newName()) throws {
    self.url = url
    self.name = name
    let resolver = RedisResolver(try RedisNode.endpoint(url))
    self.resolver = resolver
    watcher = SentinelWatcher.start(resolver) { _ in }
    sharded = ShardedQueue(name) { Self.connection(resolver, $0) }
    queue = sharded.first
  }

  static func newName() -> QueueName { QueueName("test-\(UInt64.random(in: .min ... .max))")! }

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

  /// Waits until messages go through: what befalls a server before that befalls no worker.
  func goesThrough() async throws {
    try await eventually("the first message is sent") { !taken().isEmpty }
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

  /// Of all shards; nil while one of them is not served.
  func snapshots() async -> [QueueSnapshot]? {
    guard let count = await snapshot()?.shards.all else { return nil }
    return try? await sharded.each(of: 0..<count) { shard throws(RedisError) in try await shard.inspect() }.map {
      try $0.get()
    }
  }

  /// Waits until nothing waits, is scheduled or is in hand.
  func drained(by workers: [ChildProcess]) async throws {
    do {
      try await eventually("the queue is empty") {
        guard let now = await snapshots() else { return false }
        return now.allSatisfy { $0.waiting + $0.scheduled + $0.claimed == 0 }
      }
    } catch {
      let now = await snapshots()
      let words = workers.map { "\($0.isRunning ? "runs" : "ended"): \($0.lines.suffix(8)) \($0.stderr)" }
      throw NeverHappened(description: "\(error): \(String(describing: now)) \(words.joined(separator: "\n"))")
    }
  }

  /// What is wrong with the queue. A server that has gone back to an earlier state has gone back with all of it, so that its
  /// books balance all the same.
  ///
  /// - Parameter shards: how many there are, or were.
  func violations(shards: Int = 1) async throws -> [String] {
    var violations: [String] = []
    for number in 0..<shards {
      let shard = sharded.shard(number)
      violations += try await shard.audit().faults.map { "\($0)" }
      violations += InvariantCheck(try await RedisDump(of: shard.name, on: shard.connection)).violations()
    }
    return violations
  }
}

/// Programs that push one message after the other.
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

  /// - Parameter withIDs: each message is pushed until it is told that it is queued; else none a second time.
  init(_ bench: TopologyBench, count: Int = 2, every pause: Duration = .milliseconds(2), withIDs: Bool = true) {
    tasks = (0..<count).map { [shared] producer in
      Task {
        let queue = ShardedQueue(bench.name) { TopologyBench.connection(bench.resolver, $0) }
        var pusher = Pusher(to: queue)
        var number = 0
        while !shared.books.withLock(\.isOver) {
          let id = "\(withIDs ? "p" : "q")\(producer)-\(number)"
          let payload = [UInt8](#"{"to":"+8613800138000","text":"hi","id":"\#(id)"}"#.utf8)
          do throws(RedisError) {
            let message = OutgoingMessage(payload: payload, callerID: withIDs ? id : nil)
            _ = try await pusher.enqueue(message, rememberIDs: .seconds(86_400))
            shared.books.withLock { _ = $0.acknowledged.insert(id) }
            number += 1
            try? await Task.sleep(for: pause)
          } catch {
            shared.books.withLock { $0.errors["\(error.code.rawValue)", default: 0] += 1 }
            if !withIDs { number += 1 }
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
