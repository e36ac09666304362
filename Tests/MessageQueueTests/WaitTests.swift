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
    #expect(try await test.queue.wait(at: .bell, atMost: .seconds(20)))
    #expect(try await test.run("LLEN {sms}:wake") == .integer(1))
  }

  @Test("A wait without a bell ends by itself", arguments: [.zero, .milliseconds(1), .milliseconds(30)] as [Duration])
  func timeout(duration: Duration) async throws {
    let test = TestQueue(on: try await .shared())
    #expect(try await !test.queue.wait(at: .bell, atMost: duration))
  }

  @Test("A push wakes who waits, and nothing is taken by that", arguments: [WaitingPlace.bell, .messages])
  func push(place: WaitingPlace) async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let waiting = MessageQueue(test.name, on: server.connection())
    async let rang = waiting.wait(at: place, atMost: .seconds(500))
    try await eventually("it waits") {
      try await test.run("INFO clients").string?.contains("blocked_clients:1\r") == true
    }
    _ = try await test.queue.enqueue([OutgoingMessage(payload: bytes("a"))])
    #expect(try await rang)
    let token = place == .bell ? [] : ["{sms}:wake: 1"]
    #expect(try await test.dump().lines == ["sms: a", "{sms}:stats: pushed=1"] + token)
  }

  @Test("A wait at the messages ends at once where there are any, and leaves them in their order")
  func messages() async throws {
    let test = TestQueue(on: try await .shared())
    #expect(try await !test.queue.wait(at: .messages, atMost: .milliseconds(1)))
    try await test.run("LPUSH sms a b c")
    for _ in 0..<5 { #expect(try await test.queue.wait(at: .messages, atMost: .seconds(20))) }
    #expect(try await test.queue.peek(5).map(\.payload) == [bytes("a"), bytes("b"), bytes("c")])
    #expect(try await test.dump().lines.count == 1)
  }

  /// A queue on a connection that may block for long, with a registered life.
  private func claimer(_ name: QueueName, on server: RedisServer) async throws -> (MessageQueue, ClaimRequest) {
    let queue = MessageQueue(name, on: server.connection())
    let life = WorkerLife(name: "w")
    _ = try await queue.join(life, lease: .seconds(600))
    return (queue, ClaimRequest(life: life, firstNumber: 0, limit: 10))
  }

  @Test(
    "A claim behind a wait brings what was pushed, and can be repeated on another connection",
    arguments: [WaitingPlace.bell, .messages]
  )
  func claimBehindWait(place: WaitingPlace) async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let (waiting, request) = try await claimer(test.name, on: server)
    async let answer = waiting.wait(at: place, atMost: .seconds(500), claiming: request)
    try await eventually("it waits") {
      try await test.run("INFO clients").string?.contains("blocked_clients:1\r") == true
    }
    _ = try await test.queue.enqueue([OutgoingMessage(payload: bytes("a")), OutgoingMessage(payload: bytes("b"))])
    let (refusal, claimed) = try await answer
    #expect(refusal == nil)
    #expect(claimed?.messages.map(\.payload) == [bytes("a"), bytes("b")])
    #expect(claimed?.nextNumber == 2)
    let repeated = try await test.queue.turn(settling: [], claiming: request).claimed
    #expect(repeated?.messages == claimed?.messages)
  }

  @Test("A plain LPUSH, which does not ring, ends a wait at the messages, and the claim behind it brings it")
  func plainPush() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let (waiting, request) = try await claimer(test.name, on: server)
    async let answer = waiting.wait(at: .messages, atMost: .seconds(500), claiming: request)
    try await eventually("it waits") {
      try await test.run("INFO clients").string?.contains("blocked_clients:1\r") == true
    }
    try await test.run("LPUSH sms a")
    let (refusal, claimed) = try await answer
    #expect(refusal == nil)
    #expect(claimed?.messages.map(\.payload) == [bytes("a")])
    #expect(claimed?.waiting == 0)
  }

  @Test("A claim behind the bell looks when the time is over, too: a plain LPUSH does not ring")
  func claimAfterTimeout() async throws {
    let server = try await RedisServer.shared()
    let test = TestQueue(on: server)
    let (waiting, request) = try await claimer(test.name, on: server)
    try await test.run("LPUSH \(test.name) a")
    let (_, claimed) = try await waiting.wait(at: .bell, atMost: .milliseconds(1), claiming: request)
    #expect(claimed?.messages.map(\.payload) == [bytes("a")])
  }

  @Test(
    "A wait that Redis refuses does not keep the claim from being carried out, and is told of",
    arguments: [
      (WaitingPlace.bell, "ACL SETUSER default -blpop", "NOPERM"),
      (.messages, "ACL SETUSER default -blmove", "NOPERM"), (.messages, "CONFIG SET maxmemory 1", "OOM"),
    ]
  )
  func refused(place: WaitingPlace, by command: String, code: String) async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let (waiting, request) = try await claimer(test.name, on: server)
    try await test.run("LPUSH \(test.name) a")
    try await test.run(command)
    let (refusal, claimed) = try await waiting.wait(at: place, atMost: .seconds(500), claiming: request)
    #expect(refusal?.code.rawValue == code)
    #expect(claimed?.messages.count == 1)
  }

  @Test(
    "A claim behind the bell is carried out although the server has forgotten the script, and none for a fenced life"
  )
  func scriptFlushed() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let (waiting, request) = try await claimer(test.name, on: server)
    _ = try await waiting.wait(at: .bell, atMost: .milliseconds(1), claiming: request)
    try await test.run("SCRIPT FLUSH")
    try await test.run("LPUSH \(test.name) a")
    let (_, claimed) = try await waiting.wait(at: .bell, atMost: .milliseconds(1), claiming: request)
    #expect(claimed?.messages.count == 1)
    _ = try await test.queue.fence(request.life, isGone: true)
    #expect(try await waiting.wait(at: .bell, atMost: .milliseconds(1), claiming: request).claimed == nil)
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
