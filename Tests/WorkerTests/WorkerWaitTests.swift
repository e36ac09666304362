import MessageQueue
import RedisClient
import TestSupport
import Testing

@testable import Worker

/// How an idle worker learns that there is something to do.
@Suite(.timeLimit(.minutes(2))) struct WorkerWaitTests {
  /// How a message gets into the queue.
  enum Push: CaseIterable {
    case ours, plain

    func callAsFunction(_ payload: String, to queue: TestQueue) async throws {
      switch self {
      case .ours: try await queue.push(payload)
      case .plain: try await queue.run("LPUSH sms \(payload)")
      }
    }
  }

  @Test(
    "A push wakes an idle worker long before its wait is over, whoever pushes, time and again",
    arguments: Push.allCases,
    [1, 2]
  )
  func push(_ push: Push, queues count: Int) async throws {
    let server = try await RedisServer.shared()
    let queues = (0..<count).map { _ in TestQueue(on: server) }
    let handler = TestHandler()
    let worker = RunningWorker(queues, on: server, handler) {
      $0.wakeTimeout = .seconds(3600)
      // No renewal ends a wait.
      $0.lease = .seconds(3600)
    }
    for round in 0..<20 {
      for queue in queues {
        try await queue.listenedFor()
        try await push("m\(round)", to: queue)
        try await queue.drained()
      }
    }
    #expect(await worker.stop() == .clean)
    #expect(handler.handled == (0..<20).flatMap { round in queues.map { _ in "m\(round)" } })
  }

  @Test("What is pushed while others are in hand is claimed at once, too", arguments: Push.allCases)
  func busy(_ push: Push) async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let gate = Gate()
    let handler = TestHandler { message in
      if message.text == "slow" { _ = await gate.pass() }
      return .sent
    }
    let worker = RunningWorker([queue], on: server, handler) {
      $0.wakeTimeout = .seconds(3600)
      $0.lease = .seconds(3600)
    }
    try await queue.listenedFor()
    try await push("slow", to: queue)
    for number in 1...5 {
      try await eventually("the slow one is in hand") { handler.handled.contains("slow") }
      try await queue.listenedFor()
      try await push("\(number)", to: queue)
      try await eventually("it is sent") { try await queue.counter("sent") == number }
    }
    gate.open()
    try await queue.drained()
    #expect(await worker.stop() == .clean)
  }

  @Test("Every idle worker waits in BLPOP, and few of them have Redis ring: a plain push does not wake them all")
  func several() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let workers = (1...5).map { number in
      RunningWorker([queue], on: server, TestHandler(), name: "w\(number)") { $0.lease = .seconds(600) }
    }
    try await eventually("all wait at the bell, and Redis is to ring") {
      let (waits, ringers) = (try await queue.waits(), try await queue.ringers())
      return waits == Array(repeating: "blpop", count: 5) && !ringers.isEmpty && ringers.allSatisfy { $0 == "blmove" }
    }
    // Each may have been the listener while they registered. A push ends that.
    try await queue.run("LPUSH sms m1")
    try await eventually("the listener, and the one that had the message") {
      let (sent, ringers) = (try await queue.counter("sent"), try await queue.ringers())
      return sent == 1 && (1...2).contains(ringers.count)
    }
    // Another one takes its place.
    let listener = try #require(try await queue.run("ZRANGE {sms}:workers 0 0").array?.first?.string)
    let index = try #require((0..<workers.count).first { listener.hasPrefix("w\($0 + 1)@") })
    #expect(await workers[index].stop() == .clean)
    try await queue.run("LPUSH sms m2")
    try await eventually("it is sent, and Redis is to ring again") {
      let (sent, ringers) = (try await queue.counter("sent"), try await queue.ringers())
      return sent == 2 && (1...2).contains(ringers.count)
    }
    for (other, worker) in workers.enumerated() where other != index { #expect(await worker.stop() == .clean) }
  }

  @Test(
    "Several workers find plain pushes at once, one after the other, although each of them sleeps until a bell rings"
  )
  func handedOn() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let workers = (1...3).map { number in
      RunningWorker([queue], on: server, TestHandler(), name: "w\(number)") {
        $0.wakeTimeout = .seconds(3600)
        $0.lease = .seconds(3600)
      }
    }
    try await eventually("all wait") { try await queue.waits().count == workers.count }
    for round in 1...50 {
      try await queue.run("LPUSH sms m\(round)")
      try await eventually("it is sent") { try await queue.counter("sent") == round }
    }
    for worker in workers { #expect(await worker.stop() == .clean) }
  }

  @Test("A thousand plain pushes leave no tokens behind, and an idle worker is woken by nothing but its time-out")
  func noTokensLeft() async throws {
    let server = try await RedisServer()
    let queue = TestQueue(on: server)
    let worker = RunningWorker([queue], on: server, TestHandler()) { $0.wakeTimeout = .milliseconds(250) }
    try await queue.listenedFor()
    for number in 1...1000 {
      try await queue.run("LPUSH sms m\(number)")
      if number.isMultiple(of: 100) {
        try await eventually("they are sent") { try await queue.counter("sent") == number }
      }
    }
    try await eventually("no token is left") { try await queue.run("LLEN {sms}:wake") == .integer(0) }
    try await eventually("it is idle") { try await queue.ringers() == ["blmove"] }
    let before = try await waitsBegun(queue)
    let start = ContinuousClock.now
    // Redis ends waits whenever something wakes it.
    while ContinuousClock.now - start < .seconds(1) { try await queue.run("PING") }
    let begun = try await waitsBegun(queue) - before
    #expect(begun <= Int((ContinuousClock.now - start) / .milliseconds(150)) + 1)
    await worker.stop()
  }

  /// How many waits were begun on a server, of whatever kind.
  private func waitsBegun(_ queue: TestQueue) async throws -> Int {
    let stats = try await queue.run("INFO commandstats").string ?? ""
    return stats.matches(of: /cmdstat_bl(?:pop|move):calls=(\d+)/).reduce(0) { $0 + Int($1.1)! }
  }

  @Test(
    "A worker of a paused queue is not woken again and again for what is in it",
    arguments: ["ZADD {sms}:later now-1m late", "LPUSH sms m"]
  )
  func paused(with message: String) async throws {
    let server = try await RedisServer()
    let queue = TestQueue(on: server)
    try await queue.queue.pause()
    let worker = RunningWorker([queue], on: server, TestHandler()) { $0.wakeTimeout = .milliseconds(200) }
    try await queue.listenedFor()
    try await queue.run(message)
    let start = ContinuousClock.now
    let before = try await waitsBegun(queue)
    // Redis ends waits whenever something wakes it.
    while ContinuousClock.now - start < .seconds(1) { try await queue.run("PING") }
    let made = try await waitsBegun(queue) - before
    #expect(made <= Int((ContinuousClock.now - start) / .milliseconds(100)) + 3)
    try await queue.queue.resume()
    try await eventually("it is sent") { try await queue.counter("sent") == 1 }
    await worker.stop()
  }

  @Test(
    "Where Redis refuses a wait at the messages, bells are heard, plain pushes found when a wait is over, and no error is said",
    arguments: [
      "ACL SETUSER default -blmove", "CONFIG SET maxmemory 1",
      // As before 6.2, without the command.
      "PING",
    ]
  )
  func refused(by refusal: String) async throws {
    let isOld = refusal == "PING"
    let server = try await isOld ? RedisServer("--rename-command", "BLMOVE", "") : RedisServer()
    let queue = TestQueue(on: server)
    let isFull = refusal.contains("maxmemory")
    func pushing(_ push: () async throws -> Void) async throws {
      if isFull { try await queue.run("CONFIG SET maxmemory 0") }
      try await push()
      if isFull { try await queue.run(refusal) }
    }
    try await queue.run(refusal)
    let worker = RunningWorker([queue], on: server, TestHandler()) { $0.wakeTimeout = .milliseconds(500) }
    try await eventually("it waits at the bell") { try await queue.waits() == ["blpop"] }
    let before = try await waitsBegun(queue)
    let start = ContinuousClock.now
    for number in 1...5 {
      try await eventually("it waits at the bell") { try await queue.waits() == ["blpop"] }
      try await pushing { try await queue.push("rings") }
      try await eventually("it is sent") { try await queue.counter("sent") == number }
    }
    try await pushing { try await queue.run("LPUSH sms plain") }
    try await eventually("it is sent") { try await queue.counter("sent") == 6 }
    // A refused wait comes back at once: it must not be asked for over and over.
    let made = try await waitsBegun(queue) - before
    #expect(made <= 12 + 3 * Int((ContinuousClock.now - start) / .milliseconds(500)))
    #expect(worker.log.count("queue-error") == 0 && worker.log.count("redis-lost") == 0)
    await worker.stop()
  }
}
