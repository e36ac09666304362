import MessageQueue
import RedisClient
import Synchronization
import TestSupport
import Testing

@testable import Worker

@Suite struct WorkerOutageTests {
  private func slow(_ message: ClaimedMessage) async -> Outcome {
    (try? await Task.sleep(for: .milliseconds(.random(in: 0...3)))) == nil ? .unfinished : .sent
  }

  @Test("Connections that are cut again and again lose no message and double none")
  func cutConnections() async throws {
    let server = try await RedisServer()
    let queue = TestQueue(on: server)
    let payloads = (1...4000).map { "m\($0)" }
    try await queue.push(payloads)
    let handler = TestHandler(slow)
    let workers = (1...2).map { RunningWorker([queue], on: server, handler, name: "w\($0)") { $0.concurrency = 16 } }
    let scissors = server.connection(name: "scissors")
    try await eventually("all are sent") {
      // Not SKIPME's own connection, nor this test's: those of the workers, wherever they are in what they say.
      let clients = try await scissors.run(RedisCommand("CLIENT", "LIST")).string ?? ""
      for client in clients.split(separator: "\n") where client.contains("name=smsq-") {
        let id = client.split(separator: " ")[0].dropFirst("id=".count)
        _ = try? await scissors.run(RedisCommand("CLIENT", "KILL", "ID", String(id)))
      }
      try await Task.sleep(for: .milliseconds(.random(in: 0...20)))
      return try await queue.counter("sent") == payloads.count
    }
    for worker in workers { await worker.stop() }
    #expect(handler.handled.sorted() == payloads.sorted())
    #expect(InvariantCheck(try await queue.dump()).violations() == [])
    #expect(workers[0].log.count("redis-lost") > 1)
  }

  @Test(
    "A Redis that was killed and comes back loses nothing of what it acknowledged; one line when it goes, one when it is back"
  )
  func restart() async throws {
    let server = try await RedisServer(appendOnly: true)
    let queue = TestQueue(on: server)
    let payloads = (1...600).map { "m\($0)" }
    try await queue.push(payloads)
    let handler = TestHandler(slow)
    let worker = RunningWorker([queue], on: server, handler) { $0.concurrency = 4 }
    try await eventually("some are sent") { try await queue.counter("sent") > 50 }
    try await server.stop()
    try await eventually("it noticed") { worker.log.count("redis-lost") == 1 }
    try await server.restart()
    // The test's own connection is gone, too; the first call finds out.
    _ = try? await queue.run("PING")
    try await queue.drained()
    await worker.stop()
    #expect(Set(handler.handled) == Set(payloads))
    #expect(handler.handled.count == payloads.count)
    #expect(worker.log.count("redis-lost") == 1 && worker.log.count("redis-back") == 1)
    #expect(InvariantCheck(try await queue.dump()).violations() == [])
  }

  @Test("Scripts that Redis has forgotten are sent again under load")
  func scriptFlush() async throws {
    let server = try await RedisServer()
    let queue = TestQueue(on: server)
    try await queue.push((1...2000).map { "m\($0)" })
    let worker = RunningWorker([queue], on: server, TestHandler(slow)) { $0.concurrency = 16 }
    try await eventually("all are sent") {
      try await queue.run("SCRIPT FLUSH")
      return try await queue.counter("sent") == 2000
    }
    await worker.stop()
    #expect(worker.log.count("redis-lost") == 0)
  }

  @Test("A key of the wrong type stops its queue only, and loses nothing")
  func wrongType() async throws {
    let server = try await RedisServer.shared()
    let (broken, sound) = (TestQueue(on: server), TestQueue(on: server))
    try await broken.push("m1")
    try await broken.run("SET {sms}:dead oops")
    let worker = RunningWorker(
      [broken, sound],
      on: server,
      TestHandler { $0.text == "m1" ? .refused(reason: "bad") : .sent }
    )
    try await eventually("it says so") { worker.log.count("queue-error") == 1 }
    try await sound.push("m2")
    try await eventually("the other queue goes on") { try await sound.counter("sent") == 1 }
    try await broken.run("DEL {sms}:dead")
    try await eventually("it is settled when the key is gone") { try await broken.counter("dead_total") == 1 }
    try await eventually("it says that all is done") { worker.log.count("queue-back") == 1 }
    await worker.stop()
  }

  @Test("While a queue's outcomes are refused nothing more of it is started, and what is in hand stays within bounds")
  func refusedOutcomes() async throws {
    let server = try await RedisServer.shared()
    let (broken, sound) = (TestQueue(on: server), TestQueue(on: server))
    let gate = Gate()
    let inHand = Mutex((now: 0, most: 0))
    let handler = TestHandler { message in
      inHand.withLock {
        $0.now += 1
        $0.most = max($0.most, $0.now)
      }
      if message.text.hasPrefix("first") { _ = await gate.pass() }
      try? await Task.sleep(for: .milliseconds(20))
      inHand.withLock { $0.now -= 1 }
      return message.text.hasPrefix("first") ? .refused(reason: "bad") : .sent
    }
    let first = (1...5).map { "first\($0)" }
    let then = (1...20).map { "then\($0)" }
    try await broken.push(first + then)
    let worker = RunningWorker([broken, sound], on: server, handler) { $0.concurrency = 5 }
    try await eventually("its hands are full") { handler.handled.count == 5 }
    try await broken.run("SET {sms}:dead oops")
    gate.open()
    try await eventually("it says so") { worker.log.count("queue-error") == 1 }
    let sounds = (1...100).map { "sound\($0)" }
    try await sound.push(sounds)
    try await eventually("the other queue is at work") { try await sound.counter("sent") > 20 }
    #expect(!handler.handled.contains { $0.hasPrefix("then") })
    try await broken.run("DEL {sms}:dead")
    try await broken.drained()
    try await sound.drained()
    #expect(await worker.stop() == .clean)
    #expect(inHand.withLock(\.most) <= 5)
    #expect(handler.handled.sorted() == (first + then + sounds).sorted())
    #expect(handler.handled.filter { $0.hasPrefix("then") } == then)
    #expect(InvariantCheck(try await broken.dump()).violations() == [])
  }

  @Test("An outage is news once, and once more when a person has to act")
  func outage() {
    var outage = Outage()
    let (gone, denied) = (
      RedisError(code: .disconnected, message: "gone"), RedisError(code: .init(rawValue: "NOAUTH"), message: "who?")
    )
    let news = [gone, gone, denied, denied].map { outage.failed($0, now: .now) }
    #expect(news == [true, false, true, false])
    #expect(outage.pause(jitter: 0) >= .seconds(2))
    let lengths = (1...2).map { _ in outage.ended(now: .now) }
    #expect(lengths[0] != nil && lengths[1] == nil)
    for _ in 1...100 { _ = outage.failed(gone, now: .now) }
    #expect(outage.pause(jitter: 1) <= .seconds(1))
  }
}
