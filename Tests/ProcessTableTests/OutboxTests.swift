import Foundation
import MessageQueue
@testable import ProcessTable
import RedisClient
import TestSupport
import Testing

@Suite struct OutboxTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  private func message(_ id: String) -> SentMessage {
    SentMessage(id: id, userId: nil, mobile: "+8613800138000", content: "x", segments: 1, sentAt: 1000)
  }

  @Test func `A message that comes again is counted, not stored twice`() async throws {
    let outbox = Outbox(database.table.database)
    for id in ["a", "b", "a", "a"] { try await outbox.record(message(id)) }
    let stats = try await outbox.stats()
    #expect(stats == Outbox.Stats(messages: 2, segments: 2, repeated: 1, repeats: 2))
    #expect(try await outbox.list(limit: 10).map(\.id) == ["b", "a"])
  }

  @Test func `Messages that come together are each recorded, the repeats too`() async throws {
    let outbox = Outbox(database.table.database)
    try await withThrowingTaskGroup { tasks in
      for number in 0..<2000 { tasks.addTask { try await outbox.record(message("m\(number % 1500)")) } }
      try await tasks.waitForAll()
    }
    let stats = try await outbox.stats()
    #expect(stats.messages == 1500 && stats.repeats == 500)
  }

  @Test func `A worker records what it sends, also across kills, and knows whose it is`() async throws {
    let server = try await RedisServer.shared()
    let name = "books-\(UUID().uuidString)"
    let queue = MessageQueue(try #require(QueueName(name)), on: server.connection())
    let messages = (0..<4000).map { number in
      OutgoingMessage(
        payload: Array(
          #"{"to":"+86138\#(10_000_000 + number)","text":"x","id":"m\#(number)","user_id":\#(number)}"#.utf8
        )
      )
    }
    for batch in 0..<4 { _ = try await queue.enqueue(Array(messages[(batch * 1000)..<(batch * 1000 + 1000)])) }

    let worker = [
      "worker", "--redis", server.url, "--queue", name, "--name", "w", "--outbox", "--database", database.path,
      "--log-level", "notice",
    ]
    let killed = try SmsqProcess(worker)
    try await eventually("it sends") { try await Outbox(database.table.database).stats().messages > 500 }
    killed.kill(SIGKILL)
    _ = try await killed.end()
    // In the books is all that Redis was told is sent, and at most what was in hand besides.
    let sent = try await queue.inspect().counters["sent"] ?? 0
    #expect(try await Outbox(database.table.database).stats().messages >= sent)

    let next = try SmsqProcess(worker)
    // The first one may have sent them all. A worker that has not come to its signal handlers yet ends like any other program.
    try await next.says("started")
    try await eventually("all are sent") { try await queue.inspect().counters["sent"] == 4000 }
    next.kill(SIGTERM)
    #expect(try await next.end().status == 0)
    let stats = try await Outbox(database.table.database).stats()
    #expect(stats.messages == 4000 && stats.repeats <= 100)
    #expect(try await database.values("SELECT count(*) FROM message WHERE user_id = substr(id, 2)") == [4000])
  }

  @Test func `What cannot be recorded was not sent`() async throws {
    try await database.execute(
      "CREATE TRIGGER refuse BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'no more ink'); END"
    )
    let result = try await SmsqProcess.run(
      "send",
      "--to",
      "+8613800138000",
      "--text",
      "x",
      "--outbox",
      "--database",
      database.path
    )
    #expect(result.status == 75 && result.errors.contains("no more ink"), "\(result)")
  }
}
