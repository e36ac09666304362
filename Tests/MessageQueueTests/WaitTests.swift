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

  @Test("A push wakes who waits, and nothing is taken by that")
  func push() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let waiting = MessageQueue(test.name, on: server.connection())
    async let rang = waiting.wait(atMost: .seconds(500))
    try await blocked(1, test)
    _ = try await test.queue.enqueue([OutgoingMessage(payload: bytes("a"))])
    #expect(try await rang)
    #expect(try await test.dump().lines == ["sms: a", "{sms}:stats: pushed=1"])
  }

  /// Waits until so many clients block.
  private func blocked(_ count: Int, _ test: TestQueue) async throws {
    try await eventually("\(count) wait") {
      try await test.run("INFO clients").string?.contains("blocked_clients:\(count)\r") == true
    }
  }

  /// A queue on a connection that may block for long, with a registered life.
  private func claimer(_ name: QueueName, on server: RedisServer) async throws -> (MessageQueue, ClaimRequest) {
    let queue = MessageQueue(name, on: server.connection())
    let life = WorkerLife(name: "w")
    _ = try await queue.join(life, lease: .seconds(600))
    return (queue, ClaimRequest(life: life, firstNumber: 0, limit: 10))
  }

  @Test("A claim behind a wait brings what was pushed, and can be repeated on another connection")
  func claimBehindWait() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let (waiting, request) = try await claimer(test.name, on: server)
    async let answer = waiting.wait(atMost: .seconds(500), claiming: request)
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

  @Test("Redis rings at a plain LPUSH where it was asked to, and the claim behind the bell brings the message")
  func plainPush() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let (waiting, request) = try await claimer(test.name, on: server)
    let ringer = MessageQueue(test.name, on: server.connection())
    async let answer = waiting.wait(atMost: .seconds(500), claiming: request)
    // The second time it holds already.
    for _ in 0..<2 { try await ringer.ringAtPush(atMost: .seconds(500), hasRung: false, mayConnect: true) }
    try await blocked(2, test)
    try await test.run("LPUSH sms a")
    let (refusal, claimed) = try await answer
    #expect(refusal == nil)
    #expect(claimed?.messages.map(\.payload) == [bytes("a")])
    #expect(claimed?.waiting == 0)
    #expect(try await test.run("INFO commandstats").string?.contains("cmdstat_blmove:calls=1,") == true)
  }

  @Test(
    "Asked while messages wait, Redis rings at once, leaves them in their order, and never holds more than eight tokens"
  )
  func messages() async throws {
    let server = try await RedisServer.shared()
    let test = TestQueue(on: server)
    let connection = server.connection()
    let ringer = MessageQueue(test.name, on: connection)
    try await test.run("LPUSH sms a b c")
    for _ in 0..<20 {
      try await ringer.ringAtPush(atMost: .seconds(500), hasRung: false, mayConnect: true)
      try await eventually("it has rung") { try await connection.arrived() != nil }
    }
    #expect(try await test.queue.peek(5).map(\.payload) == [bytes("a"), bytes("b"), bytes("c")])
    #expect(try await test.run("LLEN {sms}:wake") == .integer(8))
  }

  @Test(
    "That Redis does not ring for us is learned by asking again, and it may be asked anew",
    arguments: [
      ("ACL SETUSER default -blmove", "NOPERM", "ACL SETUSER default +blmove"),
      ("CONFIG SET maxmemory 1", "OOM", "CONFIG SET maxmemory 0"),
    ]
  )
  func ringRefused(by command: String, code: String, until remedy: String) async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let ringer = MessageQueue(test.name, on: server.connection())
    try await test.run(command)
    try await ringer.ringAtPush(atMost: .seconds(500), hasRung: false, mayConnect: true)
    try await eventually("the refusal is here") {
      do throws(RedisError) {
        try await ringer.ringAtPush(atMost: .seconds(500), hasRung: false, mayConnect: true)
        return false
      } catch {
        #expect(error.code.rawValue == code)
        return true
      }
    }
    try await test.run(remedy)
    try await ringer.ringAtPush(atMost: .seconds(500), hasRung: false, mayConnect: true)
    try await blocked(1, test)
  }

  @Test("Where the connection that is to ring is lost, the next request makes a new one, if it may")
  func ringerLost() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let connection = server.connection()
    let ringer = MessageQueue(test.name, on: connection)
    try await ringer.ringAtPush(atMost: .seconds(500), hasRung: false, mayConnect: true)
    try await blocked(1, test)
    try await test.run("CLIENT KILL TYPE normal SKIPME yes")
    try await eventually("the loss is seen") {
      try await ringer.ringAtPush(atMost: .seconds(500), hasRung: false, mayConnect: false)
      return await !connection.isOpen
    }
    try await blocked(0, test)
    try await ringer.ringAtPush(atMost: .seconds(500), hasRung: false, mayConnect: true)
    try await blocked(1, test)
  }

  @Test("A claim behind the bell looks when the time is over, too: a plain LPUSH does not ring")
  func claimAfterTimeout() async throws {
    let server = try await RedisServer.shared()
    let test = TestQueue(on: server)
    let (waiting, request) = try await claimer(test.name, on: server)
    try await test.run("LPUSH \(test.name) a")
    let (_, claimed) = try await waiting.wait(atMost: .milliseconds(1), claiming: request)
    #expect(claimed?.messages.map(\.payload) == [bytes("a")])
  }

  @Test(
    "A wait that Redis refuses does not keep the claim from being carried out, and is told of"
  )
  func refused() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let (waiting, request) = try await claimer(test.name, on: server)
    try await test.run("LPUSH \(test.name) a")
    try await test.run("ACL SETUSER default -blpop")
    let (refusal, claimed) = try await waiting.wait(atMost: .seconds(500), claiming: request)
    #expect(refusal?.code.rawValue == "NOPERM")
    #expect(claimed?.messages.count == 1)
  }

  @Test(
    "A claim behind the bell is carried out although the server has forgotten the script, and none for a fenced life"
  )
  func scriptFlushed() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    let (waiting, request) = try await claimer(test.name, on: server)
    _ = try await waiting.wait(atMost: .milliseconds(1), claiming: request)
    try await test.run("SCRIPT FLUSH")
    try await test.run("LPUSH \(test.name) a")
    let (_, claimed) = try await waiting.wait(atMost: .milliseconds(1), claiming: request)
    #expect(claimed?.messages.count == 1)
    _ = try await test.queue.fence(request.life, isGone: true)
    #expect(try await waiting.wait(atMost: .milliseconds(1), claiming: request).claimed == nil)
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
