import RedisClient
import TestSupport
import Testing

@Suite("Interrupting a connection", .timeLimit(.minutes(2)))
struct GuardedSocketTests {
  // Longer than the test may take: what returns was woken.
  private let patience = Duration.seconds(600)

  @Test("An endless wait ends at once, and later calls are refused", arguments: [true, false])
  func endlessWait(tcp: Bool) async throws {
    let server = try await RedisServer(tcp: tcp)
    let waiting = server.connection(replyTimeout: patience)
    async let refusal = waiting.refusal(of: RedisCommand("BLPOP", "wake", "0"))
    try await server.blockedClients(are: 1)
    waiting.interrupt()
    #expect(await refusal == .interrupted)
    #expect(await waiting.refusal(of: RedisCommand("PING")) == .interrupted)
    try await server.blockedClients(are: 0)
  }

  @Test("A connection that was interrupted before its first use is never made")
  func beforeUse() async throws {
    let redis = try await RedisServer.shared().connection()
    redis.interrupt()
    #expect(await redis.refusal(of: RedisCommand("PING")) == .interrupted)
  }

  @Test("Blocked connections leave the cooperative pool alone")
  func pool() async throws {
    let server = try await RedisServer()
    let connections = (0..<16).map { _ in server.connection(replyTimeout: patience) }
    try await withThrowingTaskGroup(of: RedisReply.self) { group in
      for connection in connections {
        group.addTask { try await connection.run(RedisCommand("BLPOP", "wake", "0")) }
      }
      try await server.blockedClients(are: connections.count)
      var sum = 0
      for step in 1...1000 { sum += await Task { step }.value }
      #expect(sum == 500_500)
      try await server.blockedClients(are: connections.count)

      var tokens = RedisCommand("LPUSH", "wake")
      for number in connections.indices { tokens.append(number) }
      _ = try await server.connection().run(tokens)
      for try await reply in group { #expect(reply.array?.count == 2) }
    }
  }
}

extension RedisServer {
  fileprivate func blockedClients(are count: Int) async throws {
    let redis = connection()
    try await eventually("\(count) blocked clients") {
      try await redis.run(RedisCommand("INFO", "clients")).string?.contains("blocked_clients:\(count)\r") == true
    }
  }
}

extension RedisConnection {
  /// The code of the error that a command fails with; nil when it succeeds.
  fileprivate func refusal(of command: RedisCommand) -> RedisError.Code? {
    do {
      _ = try run(command)
      return nil
    } catch {
      return error.code
    }
  }
}
