import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Wait", .timeLimit(.minutes(2)))
struct WaitTests {
  @Test("A token that is there already ends the wait, and is used up")
  func token() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("LPUSH {sms}:wake 1 1")
    #expect(try await test.queue.wait(atMost: .seconds(20)))
    #expect(try await test.run("LLEN {sms}:wake") == .integer(1))
  }

  @Test("A wait without a bell ends by itself", arguments: [.zero, .milliseconds(1), .milliseconds(30)] as [Duration])
  func timeout(duration: Duration) async throws {
    let test = TestQueue(on: try await .shared())
    #expect(try await !test.queue.wait(atMost: duration))
  }

  @Test("A push wakes who waits")
  func push() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let waiting = MessageQueue(test.name, on: server.connection(replyTimeout: .seconds(600)))
    async let rang = waiting.wait(atMost: .seconds(500))
    try await eventually("it waits") {
      try await test.run("INFO clients").string?.contains("blocked_clients:1\r") == true
    }
    _ = try await test.queue.enqueue([OutgoingMessage(payload: bytes("a"))])
    #expect(try await rang)
    #expect(try await test.dump().lines == ["sms: a", "{sms}:stats: pushed=1"])
  }

  @Test("A pause is a key, and resuming takes it away")
  func pause() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.queue.pause()
    #expect(try await test.queue.inspect().paused)
    try await test.queue.resume()
    #expect(try await test.dump().lines == [])
  }
}
