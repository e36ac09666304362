import Logging
import MessageQueue
import RedisClient
import Synchronization
import TestSupport
import Testing
import Worker

extension FaultTests {
  @Suite("A connection that fails at every byte of a reply", .serialized)
  struct EveryByteTests {
    @Test("A turn that is cut at any byte of its replies and repeated claims and settles as if nothing had been")
    func turn() async throws {
      let server = try await RedisServer.shared()
      var length = 0
      while true {
        let queue = TestQueue(on: server)
        let proxy = try FaultyProxy(to: server.endpoint)
        let connection = RedisConnection(to: proxy.endpoint, options: .init(name: "cut"))
        let cut = MessageQueue(queue.name, on: connection)
        _ = try await queue.queue.enqueue((0..<5).map { FaultBench.message("m\($0)") })

        let life = WorkerLife(name: "w")
        _ = try await cut.join(life, lease: .seconds(60))
        let first = try await cut.turn(
          settling: [],
          claiming: .init(life: life, firstNumber: 0, limit: 2)
        )
        let claimed = try #require(first.claimed).messages
        let settlements = [
          Settlement(claimID: claimed[0].claimID, .sent),
          Settlement(claimID: claimed[1].claimID, .retry(claimed[1].element(failures: 1), after: .seconds(60))),
        ]
        // From here on every byte: the scripts are loaded, so these are the replies of settle and claim alone.
        let second = ClaimRequest(life: life, firstNumber: 2, limit: 2)
        _ = try await cut.settle([], of: .own(life))
        proxy.arm(.cut, afterReplyBytes: length)
        var answer: (settled: Int?, refusal: RedisError?, claimed: ClaimAnswer?)?
        for _ in 0..<3 where answer == nil {
          answer = try? await cut.turn(settling: settlements, claiming: second)
        }
        #expect(answer?.claimed?.messages.count == 2, "cut at byte \(length)")
        #expect(answer?.claimed?.messages.map(\.claimID) == [2, 3].map(life.claimID), "cut at byte \(length)")
        let snapshot = try await queue.queue.inspect()
        #expect(
          snapshot.waiting == 1 && snapshot.claimed == 2 && snapshot.scheduled == 1 && snapshot.counters["sent"] == 1,
          "cut at byte \(length)"
        )
        #expect(InvariantCheck(try await queue.dump()).violations() == [], "cut at byte \(length)")
        if !proxy.hasStruck { break }
        length += 1
      }
      // Both replies, with two payloads in them.
      #expect(length > 150)
    }

    @Test(
      "A worker's whole conversation, failing at a byte of what Redis says, any of them: each message is handled once",
      arguments: [FaultyProxy.Fault.cut, .reset, .stall, .delay(.milliseconds(10))]
    )
    func conversation(fault: FaultyProxy.Fault) async throws {
      let server = try await RedisServer.shared()
      // Without the right to INFO: its thousands of bytes are asked for once, and no message depends on them.
      _ = try await server.connection().run(
        RedisCommand("ACL", "SETUSER", Self.user, "on", ">secret", "~*", "&*", "+@all", "-info")
      )
      let length = try await talk(to: server, nil, after: 0)
      #expect((300...2_000).contains(length))
      // A cut costs its reconnection, a stall half a lease: mostly waiting, so many at once.
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (number, position) in FaultTests.positions(through: length).enumerated() {
          if number >= 24 { try await group.next() }
          group.addTask { _ = try await talk(to: server, fault, after: position) }
        }
        try await group.waitForAll()
      }
    }

    private static let user = "without-info"

    /// A worker's life from its registration to its end, with a fault after so many bytes.
    ///
    /// - Returns: how many bytes Redis said.
    private func talk(to server: RedisServer, _ fault: FaultyProxy.Fault?, after bytes: Int) async throws -> Int {
      let queue = TestQueue(on: server)
      let proxy = try FaultyProxy(to: server.endpoint)
      guard case .tcp(let host, let port) = proxy.endpoint.address else { throw NeverHappened(description: "no port") }
      if let fault { proxy.arm(fault, afterReplyBytes: bytes) }
      _ = try await queue.queue.enqueue((0..<3).map { FaultBench.message("m\($0)") })
      // An earlier life of its name holds one of them: to be taken back.
      let gone = try WorkerLife.gone(name: "w")
      _ = try await queue.queue.join(gone, lease: .seconds(3600))
      _ = try await queue.queue.turn(settling: [], claiming: .init(life: gone, firstNumber: 0, limit: 1))
      let handler = CountingHandler()
      let recovered = Mutex(0)
      var options = WorkerOptions(name: "w")
      options.lease = .milliseconds(1_000)
      options.wakeTimeout = .milliseconds(20)
      options.concurrency = 2
      options.backoff = Backoff(base: .milliseconds(1), max: .milliseconds(1))
      let worker = Worker(
        queues: [queue.name],
        redis: try RedisEndpoint("redis://\(Self.user):secret@\(host):\(port)"),
        handler: handler,
        options: options,
        logger: Logger(label: "recovered") { _ in
          EventCounter { event in if event == "recovered" { recovered.withLock { $0 += 1 } } }
        }
      )
      let run = Task { await worker.run() }
      try await eventually("all are settled, \(fault.map { "\($0)" } ?? "no fault") at byte \(bytes)") {
        try await queue.queue.inspect().counters["sent"] == 3
      }
      worker.control.stop()
      #expect(await run.value == .clean)
      // Towards the end it may say less than it did without a fault.
      #expect(fault == nil || proxy.hasStruck || bytes > 250, "\(fault.map { "\($0)" } ?? "") at byte \(bytes)")
      // The middle one failed once on purpose.
      #expect(handler.handled == ["m0": 1, "m1": 2, "m2": 1], "\(fault.map { "\($0)" } ?? "") at byte \(bytes)")
      // Said twice rather than never, where the answer did not come.
      #expect((1...2).contains(recovered.withLock { $0 }), "\(fault.map { "\($0)" } ?? "") at byte \(bytes)")
      #expect(InvariantCheck(try await queue.dump()).violations() == [])
      return proxy.replyBytes
    }
  }
}

extension WorkerLife {
  /// One whose process was on this host, and is not any more: it has this one's pid, and began at another time.
  static func gone(name: String) throws -> WorkerLife {
    let own = try #require(ProcessIdentity.own)
    return WorkerLife(name: name, process: own.split(separator: ".").dropLast().joined(separator: ".") + ".1")
  }
}

/// Tells of each line what event it is.
private struct EventCounter: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info
  private let note: @Sendable (String) -> Void

  init(_ note: @escaping @Sendable (String) -> Void) { self.note = note }

  func log(event: LogEvent) { note(event.message.description) }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }
}

/// Counts how often it was given each message. The message m1 fails at first.
private final class CountingHandler: MessageHandler {
  private let counts = Mutex<[String: Int]>([:])

  var handled: [String: Int] { counts.withLock { $0 } }

  func handle(_ message: ClaimedMessage, during tenure: Tenure) async -> HandledMessage {
    let text = String(decoding: message.payload, as: UTF8.self)
    let id = String(text.suffix(4).prefix(2))
    counts.withLock { $0[id, default: 0] += 1 }
    let fails = id == "m1" && message.history.failures == 0
    return HandledMessage(fails ? .retry(reason: "at first", after: nil) : .sent, id: id)
  }

  var startFields: Logger.Metadata { [:] }

  func describe(_ message: ClaimedMessage) -> Logger.Metadata { [:] }
}
