import RedisClient
import TestSupport
import Testing

@Suite("RedisReply")
struct RedisReplyTests {
  @Test("Replies of every kind are read as what they are")
  func kinds() async throws {
    let queue = TestQueue(on: try await .shared())
    #expect(try await queue.run("PING") == .status("PONG"))
    #expect(try await queue.run("LPUSH sms a b") == .integer(2))
    #expect(try await queue.run("LPOP sms") == .bulk([UInt8]("b".utf8)))
    #expect(try await queue.run("GET {sms}:none") == .null)
    #expect(try await queue.run("BLPOP {sms}:none 0.01") == .null)
    #expect(try await queue.run("LRANGE {sms}:none 0 -1") == .array([]))
    var nested = RedisCommand("EVAL")
    nested.append("return {1, {'x', {}}, false, redis.status_reply('fine'), -7}")
    nested.append(0)
    #expect(
      try await queue.redis.run(nested)
        == .array([.integer(1), .array([.bulk([UInt8]("x".utf8)), .array([])]), .null, .status("fine"), .integer(-7)])
    )
  }

  @Test(
    "Arguments and replies are bytes of any kind",
    arguments: [
      [], [0], [0, 0xFF, 0x0D, 0x0A, 0], [UInt8]("ä€😀".utf8), [UInt8]("%s %b".utf8),
      [UInt8](repeating: 0xA5, count: 1 << 20),
    ] as [[UInt8]]
  )
  func binary(bytes: [UInt8]) async throws {
    let queue = TestQueue(on: try await .shared())
    var push = RedisCommand("RPUSH", queue.name.description, "")
    push.append(bytes)
    push.append("")
    push.append(bytes)
    #expect(try await queue.redis.run(push) == .integer(4))
    #expect(
      try await queue.run("LRANGE sms 0 -1") == .array([.bulk([]), .bulk(bytes), .bulk([]), .bulk(bytes)])
    )
  }

  @Test("Accessors read only what is there")
  func accessors() {
    #expect(RedisReply.integer(5).integer == 5)
    #expect(RedisReply.bulk([UInt8]("-12".utf8)).integer == -12)
    #expect(RedisReply.bulk([UInt8]("1.5".utf8)).integer == nil)
    #expect(RedisReply.null.integer == nil)
    #expect(RedisReply.status("OK").string == "OK")
    #expect(RedisReply.bulk([0x61, 0xFF]).string == "a\u{FFFD}")
    #expect(RedisReply.integer(5).string == nil)
    #expect(RedisReply.status("OK").bytes == nil)
    #expect(RedisReply.array([.null]).array == [.null])
    #expect(RedisReply.null.array == nil)
  }
}
