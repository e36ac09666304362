import Logging
import MessageQueue
import RedisClient
import Synchronization
import TestSupport

@testable import Worker

/// A handler whose outcomes the test decides, and which remembers what it was given.
final class TestHandler: MessageHandler {
  private let started = Mutex<[String]>([])
  private let outcome: @Sendable (ClaimedMessage) async -> Outcome

  init(_ outcome: @escaping @Sendable (ClaimedMessage) async -> Outcome = { _ in .sent }) { self.outcome = outcome }

  /// The payloads in the order in which they were handled.
  var handled: [String] { started.withLock { $0 } }

  func handle(_ message: ClaimedMessage, during tenure: Tenure) async -> HandledMessage {
    started.withLock { $0.append(message.text) }
    return HandledMessage(await outcome(message), id: message.text)
  }
}

extension TestHandler {
  var startFields: Logger.Metadata { [:] }

  func describe(_ message: ClaimedMessage) -> Logger.Metadata { ["id": "\(message.text)"] }
}

extension ClaimedMessage {
  var text: String { String(decoding: payload, as: UTF8.self) }
}

/// Holds handlers back until it is opened, or they are cancelled.
final class Gate: Sendable {
  private let isOpen = Mutex(false)

  func open() { isOpen.withLock { $0 = true } }

  /// - Returns: false when cancelled first.
  func pass() async -> Bool {
    while !isOpen.withLock({ $0 }) {
      if (try? await Task.sleep(for: .milliseconds(2))) == nil { return false }
    }
    return true
  }
}

/// Keeps log lines for the test to look at.
final class LogBook: Sendable {
  struct Handler: LogHandler {
    let book: LogBook
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    func log(event: LogEvent) {
      var fields = event.metadata ?? [:]
      if let own = LogFields(fields) { fields = .init(uniqueKeysWithValues: own.list.map { ($0.name, "\($0.value)") }) }
      book.lines.withLock { $0.append((event.message.description, fields)) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
  }

  private let lines = Mutex<[(event: String, fields: Logger.Metadata)]>([])

  var logger: Logger { Logger(label: "test") { _ in Handler(book: self) } }

  func count(_ event: String) -> Int { lines.withLock { $0.filter { $0.event == event }.count } }

  func fields(_ event: String) -> Logger.Metadata? { lines.withLock { $0.last { $0.event == event }?.fields } }

  /// One field of each line of an event.
  func values(_ event: String, _ field: String) -> [String] {
    lines.withLock { $0.filter { $0.event == event }.map { "\($0.fields[field] ?? "")" } }
  }
}

/// A worker on one queue of a test, running until the test ends it.
struct RunningWorker: Sendable {
  let worker: Worker
  let log = LogBook()
  private let task: Task<Worker.End, Never>

  init(
    _ queues: [TestQueue],
    on server: RedisServer,
    _ handler: TestHandler,
    name: String = "worker",
    output: (any LogOutput)? = nil,
    _ adjust: (inout WorkerOptions) -> Void = { _ in }
  ) {
    var options = WorkerOptions(name: name)
    options.wakeTimeout = .milliseconds(50)
    options.backoff = Backoff(base: .milliseconds(1), max: .milliseconds(1))
    adjust(&options)
    let worker = Worker(
      queues: queues.map(\.name),
      redis: server.endpoint,
      handler: handler,
      options: options,
      logger: log.logger,
      output: output
    )
    self.worker = worker
    task = Task { await worker.run() }
  }

  var control: WorkerControl { worker.control }

  /// Waits for the end that somebody has asked for.
  func end() async -> Worker.End { await task.value }

  /// Drains and waits.
  @discardableResult
  func stop() async -> Worker.End {
    if control.phase < .draining { control.stop() }
    return await end()
  }
}

extension TestQueue {
  func push(_ payloads: String...) async throws { try await push(payloads) }

  func push(_ payloads: [String]) async throws {
    let messages = payloads.map { OutgoingMessage(payload: [UInt8]($0.utf8)) }
    for start in stride(from: 0, to: messages.count, by: 500) {
      _ = try await queue.enqueue(Array(messages[start..<min(start + 500, messages.count)]))
    }
  }

  /// Everything that Redis holds, but for wake tokens: how many are left over is chance, and means nothing.
  func lines() async throws -> [String] { try await dump().lines.filter { !$0.hasPrefix("{sms}:wake") } }

  func counter(_ name: String) async throws -> Int { try await queue.inspect().counters[name] ?? 0 }

  /// Waits until a worker blocks on the queue.
  func listenedFor() async throws {
    try await eventually("a worker listens for \(name)") { try await !waits().isEmpty }
  }

  /// The commands in which workers block on the queue: `blpop`, at its bell.
  func waits() async throws -> [String] { try await blocked("smsq-wait") }

  /// The commands that are to end with the next push, for Redis to ring then: `blmove`.
  func ringers() async throws -> [String] { try await blocked("smsq-ring") }

  private func blocked(_ connection: String) async throws -> [String] {
    let clients = try await run("CLIENT LIST").string ?? ""
    return clients.split(separator: "\n").compactMap {
      guard $0.contains(" name=\(connection)-\(name) "), $0.contains(" flags=b") else { return nil }
      return $0.firstMatch(of: /\ cmd=(\w+)/).map { String($0.1) }
    }
  }

  /// Waits until nothing waits, is scheduled or is in hand.
  func drained() async throws {
    try await eventually(within: .seconds(60), "queue \(name) is empty") {
      let snapshot = try await queue.inspect()
      return snapshot.waiting + snapshot.scheduled + snapshot.claimed == 0
    }
  }
}
