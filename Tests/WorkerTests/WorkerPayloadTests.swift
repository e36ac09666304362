import MessageQueue
import RedisClient
import TestSupport
import Testing

@testable import Worker

@Suite struct WorkerPayloadTests {
  @Test("A payload that is too large is a dead letter unread, with its size, and the others are sent")
  func tooLarge() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let large = String(repeating: "x", count: 101)
    try await queue.push("m1", large, "m2")
    let handler = TestHandler()
    let worker = RunningWorker([queue], on: server, handler) { $0.maxPayload = 100 }
    try await queue.drained()
    await worker.stop()
    #expect(handler.handled.sorted() == ["m1", "m2"])
    let letter = try #require(try await DeadLetterPages.all(of: queue.queue).first)
    #expect(letter.element.reason == "payload_too_large: 101 bytes, --max-payload is 100")
    #expect(String(decoding: letter.element.payload, as: UTF8.self) == large)
    #expect(worker.log.count("dead") == 1)
    #expect(worker.log.fields("dead")?["reason"] == "payload_too_large: 101 bytes, --max-payload is 100")
    let snapshot = try await queue.queue.inspect()
    #expect(snapshot.dead == 1 && snapshot.counters == ["pushed": 3, "sent": 2, "dead_total": 1])
  }

  @Test("Messages of many megabytes in all are claimed and settled in several turns, each once")
  func manyBytes() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    for number in 0..<40 {
      try await queue.push("\(number) " + String(repeating: "x", count: 200_000))
    }
    // Each fails once, so that all of them go through Redis again.
    let handler = TestHandler { $0.history.failures == 0 ? .retry(reason: "at first", after: nil) : .sent }
    let worker = RunningWorker([queue], on: server, handler) { $0.concurrency = 500 }
    try await queue.drained()
    await worker.stop()
    #expect(handler.handled.count == 80 && Set(handler.handled).count == 40)
    #expect(try await queue.queue.inspect().counters == ["pushed": 40, "sent": 40, "retried": 40])
  }

  @Test("What a crashed worker held is taken back, however large it is, and counts the crash")
  func recovered() async throws {
    let server = try await RedisServer.shared()
    let queue = TestQueue(on: server)
    let payloads = (0..<5).map { "\($0) " + String(repeating: "x", count: 700_000) }
    try await queue.push(payloads)
    let gone = WorkerLife(name: "gone")
    _ = try await queue.queue.join(gone, lease: .seconds(60))
    for number in 0..<5 {
      let request = ClaimRequest(life: gone, firstNumber: number, limit: 1, maxPayload: 1 << 20)
      _ = try await queue.queue.turn(settling: [], claiming: request)
    }
    #expect(try await queue.queue.inspect().claimed == 5)
    try await queue.run("ZADD {sms}:workers 1 \(gone.id)")
    let handler = TestHandler()
    let worker = RunningWorker([queue], on: server, handler) { ($0.lease, $0.maxPayload) = (.seconds(4), 1 << 20) }
    try await queue.drained()
    await worker.stop()
    #expect(handler.handled == payloads)
    #expect(try await queue.counter("recovered") == 5)
  }
}

extension DeadLetterPages {
  static func all(of queue: MessageQueue) async throws -> [DeadLetter] {
    var pages = DeadLetterPages(of: queue)
    var letters: [DeadLetter] = []
    while case let page = try await pages.next(), !page.isEmpty { letters += page }
    return letters
  }
}
