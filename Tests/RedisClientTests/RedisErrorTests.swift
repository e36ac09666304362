import Testing

@testable import RedisClient

@Suite("RedisError")
struct RedisErrorTests {
  static let replies: [(String, RedisError.Cause, RedisError.Treatment)] = [
    ("LOADING Redis is loading the dataset in memory", .notReady, .wait),
    ("BUSY Redis is busy running a script", .notReady, .wait),
    ("TRYAGAIN Multiple keys request during rehashing of slot", .notReady, .wait),
    ("CLUSTERDOWN Hash slot not served", .noClusterYet, .wait),
    ("MASTERDOWN Link with MASTER is down", .notReady, .wait),
    ("READONLY You can't write against a read only replica.", .replica, .reconnect),
    ("UNBLOCKED force unblock from blocking operation", .unreachable, .reconnect),
    ("ERR max number of clients reached", .tooManyClients, .reconnect),
    ("ERR max number of clients + cluster connections reached", .tooManyClients, .reconnect),
    ("OOM command not allowed when used memory > 'maxmemory'.", .full, .full),
    ("MISCONF Redis is configured to save RDB snapshots", .unwritable, .unwritable),
    ("NOREPLICAS Not enough good replicas to write.", .unwritable, .unwritable),
    ("NOAUTH Authentication required.", .badLogin, .denied),
    ("WRONGPASS invalid username-password pair", .badLogin, .denied),
    ("ERR invalid password", .badLogin, .denied),
    ("ERR AUTH <password> called without any password configured for the default user.", .noLoginWanted, .denied),
    ("ERR Client sent AUTH, but no password is set", .noLoginWanted, .denied),
    ("ERR wrong number of arguments for 'auth' command", .noUsers, .denied),
    ("DENIED Redis is running in protected mode because protected mode is enabled", .protectedMode, .denied),
    ("NOPERM this user has no permissions", .noRight, .denied),
    ("ERR The user executing the script can't run this command or subcommand", .noRight, .denied),
    ("ERR DB index is out of range", .noDatabase, .denied),
    ("ERR invalid DB index", .noDatabase, .denied),
    ("ERR SELECT is not allowed in cluster mode", .noDatabase, .denied),
    ("MOVED 3999 127.0.0.1:6381", .clusterNode, .refused),
    ("ASK 3999 127.0.0.1:6381", .clusterNode, .refused),
    ("CROSSSLOT Keys in request don't hash to the same slot", .clusterNode, .refused),
    ("ERR unknown command 'EVALSHA'", .unknownCommand, .refused),
    ("ERR unknown command `SCRIPT`", .unknownCommand, .refused),
    ("ERR Unknown command.", .unknownCommand, .refused),
    ("WRONGTYPE Operation against a key holding the wrong kind of value", .wrongType, .refused),
    ("ERR syntax error", .other, .refused),
    ("", .other, .refused),
  ]

  @Test("An error reply says what is the matter and what to do", arguments: replies)
  func treatment(reply: String, cause: RedisError.Cause, treatment: RedisError.Treatment) {
    let error = RedisError(serverMessage: reply)
    #expect(error.cause == cause)
    #expect(error.treatment == treatment)
    // Without the full stop: more may follow.
    #expect(error.message == (reply.hasSuffix(".") ? String(reply.dropLast()) : reply))
    #expect("\(error)" == error.message + (cause.remedy.map { "; \($0)" } ?? ""))
  }

  @Test(
    "What breaks before an answer asks for a new connection",
    arguments: [
      (.disconnected, .unreachable), (.timedOut, .unreachable), (.hungUp, .hungUp), (.interrupted, .interrupted),
    ] as [(RedisError.Code, RedisError.Cause)]
  )
  func noAnswer(code: RedisError.Code, cause: RedisError.Cause) {
    let error = RedisError(code: code, message: "")
    #expect(error.cause == cause)
    #expect(error.treatment == .reconnect)
  }

  @Test("A fault of TLS has a code of its own, and is told apart by it", arguments: TLSFault.allCases)
  func tls(fault: TLSFault) {
    let error = RedisError(fault, "why\nso")
    #expect(error.code.tlsFault == fault)
    #expect(error.cause == .tls(fault))
    #expect(error.treatment == fault.treatment)
    #expect("\(error)" == "why so" + (fault.remedy.map { "; \($0)" } ?? ""))
  }

  @Test(
    "What answers and is no Redis is told by its first byte",
    arguments: [
      (#"got "H" as reply type byte"#, .httpServer), (#"got "<" as reply type byte"#, .httpServer),
      (#"got "S" as reply type byte"#, .sshServer), (#"got "\x15" as reply type byte"#, .tlsServer),
      (#"got "2" as reply type byte"#, .otherServer), ("Bad multi-bulk length", .otherServer),
    ] as [(String, RedisError.Cause)]
  )
  func noRedis(text: String, cause: RedisError.Cause) {
    let error = RedisError(code: .notRedis, message: "what answers there is no Redis (Protocol error, \(text))")
    #expect(error.cause == cause)
    #expect(error.treatment == .reconnect)
    #expect(error.cause.remedy != nil)
  }

  @Test(
    "A reply's echo of what it was sent is cut off, and the rest is one short line",
    arguments: [
      ("ERR unknown command 'EVAL', with args beginning with: '-- Moves' 'secret' ", "ERR unknown command 'EVAL'"),
      ("ERR unknown command `SCRIPT`, with args beginning with: `LOAD`, `-- secret`, ", "ERR unknown command `SCRIPT`"),
      ("WRONGTYPE Operation script: secret, on @user_script:3.", "WRONGTYPE Operation"),
      ("ERR one\r\ntwo\u{1B}[31m", "ERR one  two [31m"),
      ("ERR " + String(repeating: "x", count: 10_000), "ERR " + String(repeating: "x", count: 296)),
      (String(repeating: "x", count: 10_000), String(repeating: "x", count: 300)),
    ]
  )
  func echo(reply: String, expected: String) {
    let error = RedisError(serverMessage: reply)
    #expect(error.message == expected)
    #expect(error.code.rawValue.count <= 300)
    #expect(!"\(error)".contains("secret"))
  }

  @Test("A reply's shape says nothing of what stands in it")
  func shape() {
    let replies: [RedisReply] = [
      .null, .integer(42), .bulk(Array("secret".utf8)), .array([.bulk(Array("secret".utf8)), .integer(42)]),
    ]
    #expect(replies.map(\.shape) == ["nothing", "a number", "6 bytes", "a list of 2"])
    #expect(RedisReply.status("OK").shape == "'OK'")
  }
}
