import MessageQueue
import RedisClient

extension MessageQueue {
  /// The messages that are next in line, the next one first, however many bytes they have.
  package func peek(_ count: Int) async throws(RedisError) -> [Element] {
    try await peek(count, mostBytes: .max).elements
  }
}

/// A queue with a name that no other test uses, and Redis commands that call it `sms`.
package struct TestQueue: Sendable {
  package let name: QueueName
  package let redis: RedisConnection
  package let queue: MessageQueue
  /// Keeps it running.
  private let server: RedisServer

  package init(on server: RedisServer) {
    self.server = server
    name = QueueName("test-\(UInt64.random(in: .min ... .max))")!
    redis = server.connection()
    queue = MessageQueue(name, on: redis)
  }

  /// Runs a command of words without spaces, in which `sms` and `{sms}:...` mean this queue's keys, and `now+5m` is a time
  /// in Unix ms by Redis' clock.
  @discardableResult
  package func run(_ command: String) async throws -> RedisReply {
    let now = try await queue.now()
    var words = RedisCommand()
    for word in command.split(separator: " ") {
      if word == "sms" {
        words.append(name.description)
      } else if word.hasPrefix("{sms}") {
        words.append("{\(name)}" + word.dropFirst("{sms}".count))
      } else if word.hasPrefix("now"), let minutes = Int64(word.dropFirst("now".count).dropLast()) {
        words.append(now + minutes * 60_000)
      } else {
        words.append(String(word))
      }
    }
    return try await redis.run(words)
  }

  /// With all of its shards, each on a connection of its own.
  package var sharded: ShardedQueue { ShardedQueue(name) { [server] _ in server.connection() } }

  /// All that Redis holds of one shard.
  package func dump(shard: Int) async throws -> RedisDump { try await RedisDump(of: name.shard(shard), on: redis) }

  package func dump() async throws -> RedisDump { try await RedisDump(of: name, on: redis) }
}

extension TestQueue {
  /// Waits until the lease of the queue's only worker has been renewed so many times.
  package func renewed(times: Int) async throws {
    var last = -1
    var count = -1
    try await eventually("\(times) renewals") {
      let workers = try await run("ZRANGE {sms}:workers 0 -1 WITHSCORES").array ?? []
      let score = workers.last?.integer.map { Int($0) } ?? -1
      if score != last { (last, count) = (score, count + 1) }
      return count >= times
    }
  }
}
