import RedisClient
import TestSupport
import Testing

@Suite("RedisScript")
struct RedisScriptTests {
  private let count = RedisScript(name: "count", source: [UInt8]("return redis.call('INCRBY', KEYS[1], ARGV[1])".utf8))
  private let fail = RedisScript(name: "fail", source: [UInt8]("return redis.call('LPUSH', KEYS[1], 'x')".utf8))

  private func call(_ script: RedisScript, _ argument: Int) -> ScriptCall {
    var call = ScriptCall(script, keys: ["counter"])
    call.append(argument)
    return call
  }

  @Test("A script that the server has forgotten is sent again, and runs once")
  func forgotten() async throws {
    let server = try await RedisServer()
    let redis = server.connection()
    #expect(try await redis.call(call(count, 1)) == .integer(1))
    _ = try await redis.run(RedisCommand("SCRIPT", "FLUSH"))
    #expect(try await redis.call(call(count, 1)) == .integer(2))
    _ = try await redis.run(RedisCommand("SCRIPT", "FLUSH"))
    #expect(
      try await redis.call([call(count, 10), call(count, 100), call(count, 1000)])
        == [.integer(12), .integer(112), .integer(1112)]
    )
    #expect(try await redis.run(RedisCommand("GET", "counter")).integer == 1112)
  }

  @Test("A script that the server has forgotten leaves the errors of the others in their places")
  func errorsInPlace() async throws {
    let server = try await RedisServer()
    let redis = server.connection()
    _ = try await redis.call(call(count, 1))
    _ = try await redis.run(RedisCommand("SCRIPT", "FLUSH"))
    let replies = try await redis.call([call(count, 1), call(fail, 0), call(count, 1)])
    #expect(replies.count == 3)
    #expect(replies[0] == .integer(2))
    #expect(replies[2] == .integer(3))
    guard case .error(let error) = replies[1] else {
      Issue.record("\(replies[1]) is no error")
      return
    }
    #expect(error.treatment == .refused)
    #expect(error.message.contains("WRONGTYPE"))
  }
}
