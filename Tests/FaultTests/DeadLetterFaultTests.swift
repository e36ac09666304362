import Foundation
import Logging
import MessageQueue
import RedisClient
import Synchronization
import TestSupport
import Testing
import Worker

extension FaultTests {
  /// Dead letters over their bounds: whatever happens between the log and Redis, each is in one of the two.
  @Suite("Dead letters that fall off", .serialized)
  struct DeadLetterFaultTests {
    @Test(
      "The connection is cut at a byte of what Redis says, any of them: each letter that fell off was logged, and once"
    )
    func everyByte() async throws {
      let server = try await RedisServer.shared()
      // Without the right to INFO: its thousands of bytes are asked for once, and no letter depends on them.
      _ = try await server.connection().run(
        RedisCommand("ACL", "SETUSER", Self.user, "on", ">secret", "~*", "&*", "+@all", "-info")
      )
      let length = try await bury(on: server, cutAt: nil)
      #expect((300...2_000).contains(length))
      // A cut costs its reconnection: mostly waiting, so many at once.
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (number, position) in FaultTests.positions(through: length).enumerated() {
          if number >= 24 { try await group.next() }
          group.addTask { _ = try await bury(on: server, cutAt: position) }
        }
        try await group.waitForAll()
      }
    }

    private static let user = "buries-without-info"

    /// A worker's life in which three messages die and one dead letter may stay.
    ///
    /// - Returns: how many bytes Redis said.
    private func bury(on server: RedisServer, cutAt position: Int?) async throws -> Int {
      let what = position.map { "cut at byte \($0)" } ?? "no cut"
      let queue = TestQueue(on: server)
      let proxy = try FaultyProxy(to: server.endpoint)
      guard case .tcp(let host, let port) = proxy.endpoint.address else { throw NeverHappened(description: "no port") }
      if let position { proxy.arm(.cut, afterReplyBytes: position) }
      _ = try await queue.queue.enqueue(["m0", "m1", "m2"].map { OutgoingMessage(payload: [UInt8]($0.utf8)) })
      let log = DroppedLetters()
      var options = WorkerOptions(name: "w")
      options.lease = .milliseconds(1_000)
      options.wakeTimeout = .milliseconds(20)
      options.concurrency = 1
      options.deadLetters = DeadLetterBounds(count: 1, age: nil)
      let worker = Worker(
        queues: [queue.name],
        redis: try RedisEndpoint("redis://\(Self.user):secret@\(host):\(port)"),
        handler: RefusingHandler(),
        options: options,
        logger: Logger(label: "test") { _ in DroppedLetters.Handler(letters: log) }
      )
      let run = Task { await worker.run() }
      try await eventually("two letters fell off, \(what)") {
        try await queue.queue.inspect().counters["dead_dropped"] == 2
      }
      worker.control.stop()
      #expect(await run.value == .clean, "\(what)")
      #expect(log.payloads == ["m0", "m1"], "\(what)")
      let snapshot = try await queue.queue.inspect()
      #expect(snapshot.dead == 1 && snapshot.counters["dead_dropped"] == 2, "\(what)")
      #expect(InvariantCheck(try await queue.dump()).violations() == [], "\(what)")
      return proxy.replyBytes
    }

    @Test("kill -9 of workers, again and again: each letter that fell off is in the log of one of them")
    func kills() async throws {
      let bench = try await FaultBench()
      let kills = 60 / FaultTests.oneIn
      var pushed = 0
      func push(_ count: Int) async throws {
        _ = try await bench.queue.queue.enqueue(
          (pushed..<pushed + count).map { number in
            OutgoingMessage(payload: [UInt8](#"{"to":"+15005550002","text":"hello","id":"m\#(number)"}"#.utf8))
          }
        )
        pushed += count
      }
      let options = ["--concurrency", "10", "--dead-max", "5", "--max-crashes", "1000"]
      var workers: [ChildProcess] = []
      for _ in 0..<kills {
        try await push(100)
        let worker = try ChildProcess(Smsq.path, bench.arguments(name: "one", options))
        workers.append(worker)
        let before = try await bench.snapshot().counters["dead_total", default: 0]
        try await eventually("it buries") {
          try await bench.snapshot().counters["dead_total", default: 0] > before
        }
        usleep(.random(in: 0...10_000))
        try await worker.crash()
      }
      // The last death has what is left over fall off.
      workers.append(try ChildProcess(Smsq.path, bench.arguments(name: "one", options)))
      try await bench.drained(by: workers.suffix(1))
      try await push(1)
      try await eventually("no more letters than there may be, the last one among them") {
        let snapshot = try await bench.snapshot()
        return snapshot.waiting == 0 && snapshot.claimed == 0 && snapshot.dead <= 5
      }
      #expect(try await workers[kills].stop() == 0)

      var logged: [String: Int] = [:]
      for worker in workers {
        for line in worker.log("dead-dropped") { logged[line["payload"] ?? "", default: 0] += 1 }
      }
      let dead = Set(try await bench.dead().map { String(decoding: $0.payload, as: UTF8.self) })
      #expect(dead.count == 5)
      let gone = Set(logged.keys).union(dead).count
      #expect(gone == pushed, "\(pushed - gone) letters are neither dead nor in a log")
      let snapshot = try await bench.snapshot()
      #expect(snapshot.counters["dead_dropped"] == pushed - 5)
      #expect(try await bench.violations() == [])
      print("\(pushed) died, \(kills) kills: \(logged.values.reduce(0, +) - logged.count) letters were logged again")
    }
  }
}

/// Everything that it is given is dead.
private struct RefusingHandler: MessageHandler {
  func handle(_ message: ClaimedMessage, during tenure: Tenure) async -> HandledMessage {
    HandledMessage(.refused(reason: "refused"), id: String(decoding: message.payload, as: UTF8.self))
  }

  var startFields: Logger.Metadata { [:] }

  func describe(_ message: ClaimedMessage) -> Logger.Metadata { [:] }
}

/// Of a log, the letters that fell off.
private final class DroppedLetters: Sendable {
  struct Handler: LogHandler {
    let letters: DroppedLetters
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.error

    func log(event: LogEvent) {
      guard event.message == "dead-dropped", let payload = event.metadata?["payload"] else { return }
      letters.lines.withLock { $0.append("\(payload)") }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
  }

  private let lines = Mutex<[String]>([])

  var payloads: [String] { lines.withLock { $0 } }
}
