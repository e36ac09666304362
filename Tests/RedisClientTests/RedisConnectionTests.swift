import Glibc
import RedisClient
import TestSupport
import Testing

@Suite("RedisConnection")
struct RedisConnectionTests {
  /// Tells one connection from the next.
  private func identity(of redis: RedisConnection) async throws -> Int64? {
    try await redis.run(RedisCommand("CLIENT", "ID")).integer
  }

  /// The error that a command fails with.
  private func failure(of redis: RedisConnection, _ command: RedisCommand) async throws -> RedisError {
    try #require(await #expect(throws: RedisError.self) { try await redis.run(command) })
  }

  @Test("A pipeline keeps its order, with error replies in their places")
  func pipeline() async throws {
    let queue = TestQueue(on: try await .shared())
    let key = queue.name.description
    let replies = try await queue.redis.run([
      RedisCommand("SET", key, "1"), RedisCommand("LPUSH", key, "x"), RedisCommand("NONSENSE"),
      RedisCommand("INCR", key), RedisCommand("ECHO", "end"),
    ])
    #expect(replies.count == 5)
    #expect(replies[0] == .status("OK"))
    #expect(replies[3] == .integer(2))
    #expect(replies[4].string == "end")
    let codes = replies[1...2].map { if case .error(let error) = $0 { error.code.rawValue } else { "none" } }
    #expect(codes == ["WRONGTYPE", "ERR"])
  }

  @Test("An empty pipeline is answered by nothing")
  func emptyPipeline() async throws {
    let redis = try await RedisServer.shared().connection()
    #expect(try await redis.run([]) == [])
    #expect(try await redis.call([]) == [])
  }

  @Test("A refused command leaves the connection as it is")
  func refused() async throws {
    let queue = TestQueue(on: try await .shared())
    try await queue.run("SET sms x")
    let before = try await identity(of: queue.redis)
    let error = try await failure(of: queue.redis, RedisCommand("LPUSH", queue.name.description, "x"))
    #expect(error.code.rawValue == "WRONGTYPE")
    #expect(error.treatment == .refused)
    #expect(try await identity(of: queue.redis) == before)
  }

  @Test("A full server says so, and the connection is kept")
  func full() async throws {
    let server = try await RedisServer("--maxmemory", "1")
    let redis = server.connection()
    let before = try await identity(of: redis)
    #expect(try await failure(of: redis, RedisCommand("SET", "a", "b")).treatment == .full)
    #expect(try await identity(of: redis) == before)
  }

  @Test("A replica is left, because the master is elsewhere")
  func readOnly() async throws {
    let server = try await RedisServer("--replicaof", "127.0.0.1 1")
    let redis = server.connection()
    let before = try await identity(of: redis)
    let error = try await failure(of: redis, RedisCommand("SET", "a", "b"))
    #expect(error.code.rawValue == "READONLY")
    #expect(try await identity(of: redis) != before)
  }

  @Test("A replica that serves nothing without its master is waited for")
  func masterDown() async throws {
    let server = try await RedisServer("--replicaof", "127.0.0.1 1")
    let redis = server.connection()
    _ = try await redis.run(RedisCommand("CONFIG", "SET", "replica-serve-stale-data", "no"))
    let error = try await failure(of: redis, RedisCommand("GET", "a"))
    #expect(error.code.rawValue == "MASTERDOWN")
    #expect(error.treatment == .wait)
  }

  @Test("A wait that another connection ends is an error, and the next call is answered", .timeLimit(.minutes(2)))
  func unblocked() async throws {
    let server = try await RedisServer()
    let waiting = server.connection(replyTimeout: .seconds(600))
    let before = try await identity(of: waiting) ?? 0
    async let error = failure(of: waiting, RedisCommand("BLPOP", "wake", "0"))
    let other = server.connection()
    try await eventually("it is unblocked") {
      try await other.run(RedisCommand("CLIENT", "UNBLOCK", "\(before)", "ERROR")) == .integer(1)
    }
    #expect(try await error.code.rawValue == "UNBLOCKED")
    #expect(try await identity(of: waiting) != before)
  }

  @Test("A connection that was killed is made anew for the next call")
  func killed() async throws {
    let server = try await RedisServer()
    let redis = server.connection()
    let before = try await identity(of: redis)
    _ = try await server.connection().run(RedisCommand("CLIENT", "KILL", "ID", "\(before ?? 0)"))
    #expect(try await failure(of: redis, RedisCommand("PING")).code == .disconnected)
    #expect(try await identity(of: redis) != before)
  }

  @Test("A connection outlives a restart of the server")
  func restarted() async throws {
    let server = try await RedisServer(appendOnly: true)
    let redis = server.connection()
    _ = try await redis.run(RedisCommand("SET", "kept", "yes"))
    try await server.stop()
    #expect(try await failure(of: redis, RedisCommand("PING")).code == .disconnected)
    #expect(try await failure(of: redis, RedisCommand("PING")).code == .disconnected)
    try await server.restart()
    #expect(try await redis.run(RedisCommand("GET", "kept")).string == "yes")
  }

  @Test("An answer that comes too late is never taken for the next one's", .timeLimit(.minutes(2)))
  func late() async throws {
    let server = try await RedisServer()
    let redis = server.connection(replyTimeout: .milliseconds(300))
    _ = try await redis.run(RedisCommand("PING"))
    server.kill(SIGSTOP)
    #expect(try await failure(of: redis, RedisCommand("ECHO", "late")).code == .timedOut)
    server.kill(SIGCONT)
    // On a busy machine a first answer may be late again.
    try await eventually("an answer") {
      guard let answer = try? await redis.run(RedisCommand("ECHO", "fresh")) else { return false }
      #expect(answer.string == "fresh")
      return true
    }
  }

  @Test("A command that blocks has the time for which it may besides that for an answer", .timeLimit(.minutes(2)))
  func blocking() async throws {
    let server = try await RedisServer()
    let redis = server.connection(replyTimeout: .milliseconds(500))
    let wait = RedisCommand("BLPOP", "nothing", "1")
    #expect(try await redis.run(wait, blocking: .seconds(20)) == .null)
    // And no longer than once.
    #expect(try await failure(of: redis, wait).code == .timedOut)
  }

  @Test("Replies that nobody waits for are read when all are here, large ones too, and time and again")
  func unawaited() async throws {
    let server = try await RedisServer()
    let (redis, other) = (server.connection(), server.connection())
    let large = [UInt8](repeating: 7, count: 3_000_000)
    #expect(try await redis.arrived() == [])
    for _ in 0..<3 {
      try await redis.send(
        [RedisCommand("BLPOP", "list", "100"), RedisCommand("ECHO", "behind"), RedisCommand("WHAT")],
        blocking: .seconds(100)
      )
      #expect(try await redis.arrived() == nil)
      var push = RedisCommand("LPUSH", "list")
      push.append(large)
      _ = try await other.run(push)
      var replies: [RedisReply]?
      try await eventually("all are here") {
        replies = try await redis.arrived()
        return replies != nil
      }
      #expect(replies?[0] == .array([.bulk([UInt8]("list".utf8)), .bulk(large)]))
      #expect(replies?[1].string == "behind")
      #expect(replies?.count == 3)
    }
  }

  @Test(
    "A connection that is lost, and a reply that is overdue, end the wait for replies; the next command has a new one"
  )
  func unawaitedAndLost() async throws {
    let server = try await RedisServer()
    let redis = server.connection(replyTimeout: .milliseconds(50))
    let wait = RedisCommand("BLPOP", "nothing", "1000")
    for isKilled in [true, false] {
      try await redis.send([wait], blocking: isKilled ? .seconds(1000) : .zero)
      if isKilled { _ = try await server.connection().run(RedisCommand("CLIENT", "KILL", "TYPE", "normal")) }
      try await eventually("it is noticed") {
        do throws(RedisError) {
          return try await redis.arrived() != nil
        } catch {
          #expect(error.code == (isKilled ? .disconnected : .timedOut))
          return true
        }
      }
      #expect(await !redis.isOpen)
      #expect(try await redis.arrived() == [])
    }
  }

  @Test("Nothing to connect to is an error that names the server, but not the password")
  func nothingThere() async throws {
    for (url, shown) in [
      ("redis://bob:secret@127.0.0.1:1/4", "redis://bob:***@127.0.0.1:1/4"),
      ("unix:///tmp/smsq-none", "unix:///tmp/smsq-none"),
    ] {
      let redis = RedisConnection(to: try RedisEndpoint(url), options: .init(name: "test"))
      let error = try await failure(of: redis, RedisCommand("PING"))
      #expect(error.code == .disconnected)
      #expect(error.message.hasPrefix("\(shown): "))
      #expect(!error.message.contains("secret"))
      #expect(error.hiredisCode != 0)
    }
  }

  @Test("A name that Redis would refuse is made fit")
  func name() async throws {
    let redis = try await RedisServer.shared().connection(name: "a b\nç~")
    #expect(try await redis.run(RedisCommand("CLIENT", "GETNAME")).string == "ab~")
  }
}
