import Testing

@testable import RedisClient

@Suite("RedisError")
struct RedisErrorTests {
  @Test(
    "The first word of an error reply decides what to do",
    arguments: [
      ("LOADING Redis is loading the dataset in memory", .wait),
      ("BUSY Redis is busy running a script", .wait),
      ("TRYAGAIN Multiple keys request during rehashing of slot", .wait),
      ("CLUSTERDOWN The cluster is down", .wait),
      ("MASTERDOWN Link with MASTER is down", .wait),
      ("READONLY You can't write against a read only replica.", .reconnect),
      ("UNBLOCKED force unblock from blocking operation", .reconnect),
      ("OOM command not allowed when used memory > 'maxmemory'.", .full),
      ("MISCONF Redis is configured to save RDB snapshots", .unwritable),
      ("NOREPLICAS Not enough good replicas to write.", .unwritable),
      ("NOAUTH Authentication required.", .denied),
      ("WRONGPASS invalid username-password pair", .denied),
      ("NOPERM this user has no permissions", .denied),
      ("WRONGTYPE Operation against a key holding the wrong kind of value", .refused),
      ("ERR unknown command", .refused),
      ("", .refused),
    ] as [(String, RedisError.Treatment)]
  )
  func treatment(reply: String, expected: RedisError.Treatment) {
    let error = RedisError(serverMessage: reply)
    #expect(error.treatment == expected)
    #expect("\(error)" == reply)
  }

  @Test(
    "What breaks before an answer asks for a new connection",
    arguments: [.disconnected, .timedOut, .interrupted] as [RedisError.Code]
  )
  func noAnswer(code: RedisError.Code) {
    #expect(RedisError(code: code, message: "").treatment == .reconnect)
  }
}
