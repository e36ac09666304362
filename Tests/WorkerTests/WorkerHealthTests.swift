import MessageQueue
import RedisClient
import TestSupport
import Testing

@testable import Worker

@Suite struct WorkerHealthTests {
  private func health(_ queue: TestQueue) async throws -> Duration? {
    try await queue.queue.inspect().workers.first?.lastClaim
  }

  /// Waits for a claim that is younger than what was known before.
  private func staysHealthy(_ queue: TestQueue) async throws {
    for _ in 1...2 {
      try await eventually("it has a health") { try await health(queue) != nil }
      let key = QueueKeys(queue.name).health
      let known = try await queue.redis.run(RedisCommand("HVALS", key))
      try await eventually("it claims, and says so") {
        try await queue.redis.run(RedisCommand("HVALS", key)) != known
      }
    }
  }

  @Test("The first claim is on record long before the first renewal is due, and goes with the worker")
  func first() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let worker = RunningWorker([queue], on: server, TestHandler()) { $0.lease = .seconds(3600) }
    try await eventually("it is on record") { try await health(queue).map { $0 < .seconds(60) } ?? false }
    await worker.stop()
    #expect(try await queue.lines() == [])
  }

  @Test("An idle worker, and one of a paused queue, stay healthy")
  func idle() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let worker = RunningWorker([queue], on: server, TestHandler()) { $0.lease = .seconds(1) }
    try await staysHealthy(queue)
    try await queue.queue.pause()
    try await staysHealthy(queue)
    await worker.stop()
  }

  @Test("A quiet worker stays healthy, and claims nothing")
  func quiet() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let handler = TestHandler()
    let worker = RunningWorker([queue], on: server, handler) { $0.lease = .seconds(1) }
    worker.control.advance(to: .quiet)
    try await queue.push("m1")
    try await staysHealthy(queue)
    #expect(await worker.stop() == .clean)
    #expect(try await queue.queue.inspect().waiting == 1)
    #expect(handler.handled == [])
  }

  @Test("A worker with its hands full stays healthy, takes no more, and goes on when there is room")
  func full() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let gate = Gate()
    let handler = TestHandler { _ in await gate.pass() ? .sent : .unfinished }
    try await queue.push("m1", "m2", "m3")
    let worker = RunningWorker([queue], on: server, handler) {
      $0.lease = .seconds(1)
      $0.concurrency = 1
    }
    try await staysHealthy(queue)
    #expect(handler.handled == ["m1"])
    gate.open()
    try await queue.drained()
    await worker.stop()
    #expect(handler.handled == ["m1", "m2", "m3"])
  }

  @Test("A worker that cannot claim grows unhealthy, though it lives and keeps its lease")
  func cannotClaim() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let worker = RunningWorker([queue], on: server, TestHandler()) { $0.lease = .seconds(1) }
    try await eventually("it is healthy") { try await health(queue) != nil }
    try await queue.run("SET sms not-a-list")
    try await eventually("it grows unhealthy") {
      // Counting is refused, like the claim.
      let health = try await queue.redis.run(RedisCommand("HVALS", QueueKeys(queue.name).health)).array?.first?.string
      let lastClaim = health?.split(separator: " ").first.flatMap { Int64($0) } ?? 0
      return try await queue.queue.now() - lastClaim > 1500
    }
    #expect(try await queue.queue.audit().faults.count == 1)
    try await queue.run("DEL sms")
    try await staysHealthy(queue)
    await worker.stop()
  }

  @Test("Audits of a queue under load see no damage", .timeLimit(.minutes(2)))
  func audits() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let workers = (1...2).map { number in
      let handler = TestHandler { message in
        switch Int.random(in: 0..<10) {
        case 0: .retry(reason: "later", after: nil)
        case 1: .refused(reason: "bad")
        case 2: .expired
        default: .sent
        }
      }
      return RunningWorker([queue], on: server, handler, name: "w\(number)") {
        $0.concurrency = 20
        $0.lease = .seconds(1)
        $0.deadLetters = DeadLetterBounds(count: 50, age: nil)
      }
    }
    async let pushing: Void = {
      for batch in 0..<100 {
        try await queue.push((0..<20).map { "\(batch)-\($0)" })
        try await queue.run("LPUSH sms plain-\(batch)")
      }
    }()
    let auditor = MessageQueue(queue.name, on: server.connection(name: "auditor"))
    var audits = 0
    var plain = 0
    repeat {
      let audit = try await auditor.audit()
      try #require(audit.faults == [])
      #expect(audit.plain >= plain)
      plain = audit.plain
      audits += 1
    } while try await queue.queue.inspect().workers.count < 2 || plain < 100 || audits <= 10
    try await pushing
    try await queue.drained()
    for worker in workers { await worker.stop() }
    #expect(try await auditor.audit() == QueueAudit(plain: 100, faults: []))
  }
}

@Suite struct WorkerSafetyTests {
  @Test("What may lose messages is said at the start, and again only when it has changed")
  func unsafe() async throws {
    let server = try await RedisServer()
    let queue = TestQueue(on: server)
    let worker = RunningWorker([queue], on: server, TestHandler()) { $0.replicas = 2 }
    try await eventually("it says so") { worker.log.count("redis-unsafe") == 2 }
    #expect(worker.log.fields("redis-unsafe")?["setting"] == "replicas")
    #expect(worker.log.fields("redis-unsafe")?["value"] == "0 of 2 online")

    func cut() async throws {
      let backs = worker.log.count("redis-back")
      while worker.log.count("redis-back") == backs {
        let clients = try await queue.redis.run(RedisCommand("CLIENT", "LIST")).string ?? ""
        for client in clients.split(separator: "\n") where client.contains("name=smsq-commands") {
          let id = client.split(separator: " ")[0].dropFirst("id=".count)
          _ = try? await queue.redis.run(RedisCommand("CLIENT", "KILL", "ID", String(id)))
        }
        try await Task.sleep(for: .milliseconds(20))
      }
      // What it had to say, it has said before it claims.
      try await queue.push("m")
      try await queue.drained()
    }
    try await cut()
    #expect(worker.log.count("redis-unsafe") == 2)
    try await queue.run("CONFIG SET maxmemory-policy allkeys-lru")
    try await cut()
    #expect(worker.log.count("redis-unsafe") == 3)
    #expect(worker.log.fields("redis-unsafe")?["setting"] == "maxmemory-policy")
    await worker.stop()
  }

  @Test("A well-kept Redis gives no cause for a warning")
  func wellKept() async throws {
    let server = try await RedisServer(appendOnly: true)
    let queue = TestQueue(on: server)
    let worker = RunningWorker([queue], on: server, TestHandler())
    try await queue.push("m1")
    try await eventually("it works") { try await queue.counter("sent") == 1 }
    await worker.stop()
    #expect(worker.log.count("redis-unsafe") == 0)
  }

  @Test("Where INFO is not permitted, the worker says that it cannot know, and works")
  func denied() async throws {
    let server = try await RedisServer()
    let queue = TestQueue(on: server)
    try await queue.run("ACL SETUSER default -info")
    let worker = RunningWorker([queue], on: server, TestHandler())
    try await queue.push("m1")
    try await eventually("it works") { try await queue.counter("sent") == 1 }
    await worker.stop()
    #expect(worker.log.count("redis-unsafe") == 1)
    #expect(worker.log.fields("redis-unsafe")?["setting"] == "info")
  }
}
