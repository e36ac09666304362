import RedisClient
import TestSupport
import Testing

@Suite("Logging in")
struct RedisLoginTests {
  private func connection(_ url: String) throws -> RedisConnection {
    RedisConnection(to: try RedisEndpoint(url), options: .init(name: "test"))
  }

  /// `redis://<login>127.0.0.1:port/<database>` of a server.
  private func url(of server: RedisServer, login: String, database: Int = 0) -> String {
    guard case .tcp(let host, let port) = server.endpoint.address else { return "" }
    return "redis://\(login)\(host):\(port)/\(database)"
  }

  @Test("The password and the database are said again after a reconnection")
  func again() async throws {
    let server = try await RedisServer(tcp: true, password: "secret")
    let redis = try connection(url(of: server, login: ":secret@", database: 3))
    _ = try await redis.run(RedisCommand("SET", "a", "b"))
    let identity = try await redis.run(RedisCommand("CLIENT", "ID")).integer ?? 0
    _ = try await server.connection().run(RedisCommand("CLIENT", "KILL", "ID", "\(identity)"))
    await #expect(throws: RedisError.self) { try await redis.run(RedisCommand("PING")) }
    #expect(try await redis.run(RedisCommand("GET", "a")).string == "b")
    let databases = try await server.connection().run(RedisCommand("INFO", "keyspace")).string ?? ""
    #expect(databases.contains("db3:keys=1"))
  }

  @Test(
    "A login that is refused is denied, and never shown",
    arguments: [("", "NOAUTH"), (":wrong-secret@", "WRONGPASS"), ("nobody:wrong-secret@", "WRONGPASS")]
  )
  func denied(login: String, code: String) async throws {
    let server = try await RedisServer(tcp: true, password: "secret")
    let redis = try connection(url(of: server, login: login))
    let error = try #require(await #expect(throws: RedisError.self) { try await redis.run(RedisCommand("PING")) })
    #expect(error.code.rawValue == code)
    #expect(error.treatment == .denied)
    #expect(!error.message.contains("wrong-secret"))
  }

  @Test("A user with a percent-encoded password is let in, and refused what the user may not do")
  func user() async throws {
    let server = try await RedisServer(tcp: true)
    let user = RedisCommand("ACL", "SETUSER", "bob", "on", ">p@:/%", "~allowed", "+get", "+set")
    _ = try await server.connection().run(user)
    let redis = try connection(url(of: server, login: "bob:p%40%3A%2F%25@"))
    #expect(try await redis.run(RedisCommand("SET", "allowed", "x")) == .status("OK"))
    for command in [RedisCommand("DEL", "allowed"), RedisCommand("SET", "other", "x")] {
      let error = try #require(await #expect(throws: RedisError.self) { try await redis.run(command) })
      #expect(error.code.rawValue == "NOPERM")
      #expect(error.treatment == .denied)
    }
  }

  @Test("A user without a password of its own is let in with an empty one")
  func noPassword() async throws {
    let server = try await RedisServer(tcp: true, password: "secret")
    _ = try await server.connection().run(RedisCommand("ACL", "SETUSER", "bob", "on", "nopass", "~*", "+@all"))
    #expect(try await connection(url(of: server, login: "bob:@")).run(RedisCommand("ACL", "WHOAMI")).string == "bob")
  }

  @Test("A database that does not exist is a matter for a person")
  func noDatabase() async throws {
    let server = try await RedisServer(tcp: true)
    let redis = try connection(url(of: server, login: "", database: 99))
    let error = try #require(await #expect(throws: RedisError.self) { try await redis.run(RedisCommand("PING")) })
    #expect(error.cause == .noDatabase && error.treatment == .denied)
  }
}
