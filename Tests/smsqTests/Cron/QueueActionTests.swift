import RedisClient
import Testing

@testable import smsq

@Suite struct QueueActionTests {
  @Test(arguments: [
    ("WRONGTYPE Operation against a key holding the wrong kind of value", true),
    ("NOPERM No permissions to access a key", true),
    ("MOVED 3999 127.0.0.1:6381", true),
    ("ERR max number of clients reached", false),
    ("ERR unknown command 'SCRIPT'", false),
    ("ERR DB index is out of range", false),
    ("WRONGPASS invalid username-password pair or user is disabled.", false),
    ("OOM command not allowed when used memory > 'maxmemory'.", false),
    ("LOADING Redis is loading the dataset in memory", false),
  ])
  func `Only what Redis has against one queue counts as a try of its rows`(_ reply: String, _ expected: Bool) {
    let code = RedisError.Code(rawValue: String(reply.prefix { $0 != " " }))
    #expect(QueueAction.concernsOneQueue(RedisError(code: code, message: reply), isCluster: false) == expected)
  }

  @Test
  func `A node of a cluster that is gone holds up no rows of others; a master that sentinels do not find holds up all`()
  {
    let error = RedisError(code: .noMaster, message: "does not serve")
    #expect(QueueAction.concernsOneQueue(error, isCluster: true))
    #expect(!QueueAction.concernsOneQueue(error, isCluster: false))
  }
}
