import MessageQueue
import RedisClient

/// Everything that Redis holds of one queue: every key, with its type and contents.
package struct RedisDump: Sendable {
  package enum Value: Sendable, Equatable {
    /// `expiry` in ms from now, -1 for none.
    case string([UInt8], expiry: Int64)
    case list([[UInt8]])
    case hash([String: [UInt8]])
    case sortedSet([(element: [UInt8], score: Int64)])
  }

  package let queue: QueueName
  /// By the keys' names in Redis.
  package private(set) var values: [String: Value] = [:]
  /// Redis' time, Unix ms.
  package let now: Int64

  package init(of queue: QueueName, on redis: RedisConnection) async throws(RedisError) {
    self.queue = queue
    let found = try await redis.run([RedisCommand("KEYS", "{\(queue)}*"), RedisCommand("EXISTS", queue.description)])
    var keys = (found[0].array ?? []).compactMap(\.string)
    if found[1].integer == 1 { keys.append(queue.description) }
    for key in keys { values[key] = try await Self.value(of: key, on: redis) }
    now = try await MessageQueue(queue, on: redis).now()
  }

  private static func value(of key: String, on redis: RedisConnection) async throws(RedisError) -> Value? {
    switch try await redis.run(RedisCommand("TYPE", key)).string {
    case "string":
      let replies = try await redis.run([RedisCommand("GET", key), RedisCommand("PTTL", key)])
      return .string(replies[0].bytes ?? [], expiry: replies[1].integer ?? -1)
    case "list":
      let elements = try await redis.run(RedisCommand("LRANGE", key, "0", "-1")).array ?? []
      return .list(elements.compactMap(\.bytes))
    case "hash":
      let fields = try await redis.run(RedisCommand("HGETALL", key)).pairs
      return .hash(.init(uniqueKeysWithValues: fields.map { ($0.string ?? "", $1.bytes ?? []) }))
    case "zset":
      let members = try await redis.run(RedisCommand("ZRANGE", key, "0", "-1", "WITHSCORES")).pairs
      return .sortedSet(members.map { ($0.bytes ?? [], $1.integer ?? 0) })
    default:
      return nil
    }
  }
}

extension RedisDump.Value {
  package static func == (left: Self, right: Self) -> Bool {
    switch (left, right) {
    case (.string(let left, _), .string(let right, _)): left == right
    case (.list(let left), .list(let right)): left == right
    case (.hash(let left), .hash(let right)): left == right
    case (.sortedSet(let left), .sortedSet(let right)): left.elementsEqual(right, by: ==)
    default: false
    }
  }
}

extension RedisDump {
  /// One line a key, as a table of expectations has it; the queue is called `sms`, whatever its name.
  ///
  ///     sms: m2 m1<5f-0000000000 failures=1>
  ///     {sms}:claimed:w@5f: 5f-0000000001=m3
  ///     {sms}:later: m4@now+5m
  ///
  /// A time stands as whole minutes from Redis' time, rounded up: tests set times that are minutes apart, and what they
  /// said was 5 minutes away still is when they look.
  package var lines: [String] {
    values.map { key, value in "\(shown(key)): \(shown(value))" }.sorted()
  }

  private func shown(_ key: String) -> String {
    key == queue.description ? "sms" : "{sms}" + key.dropFirst("{\(queue)}".count)
  }

  private func shown(_ value: Value) -> String {
    let parts: [String] =
      switch value {
      case .string(let bytes, let expiry): [shown(bytes) + (expiry < 0 ? "" : " for \(minutes(expiry))m")]
      case .list(let elements): elements.map(shown)
      case .hash(let fields): fields.map { name, value in "\(name)=\(timeless(value))" }.sorted()
      case .sortedSet(let members): members.map { "\(shown($0))@\(shown(score: $1))" }
      }
    return parts.joined(separator: " ")
  }

  private func shown(_ bytes: [UInt8]) -> String { Element(bytes).shown }

  /// A time in a hash is shown as no more than that: health records the millisecond, with the length of a lease behind it.
  private func timeless(_ field: [UInt8]) -> String {
    let text = String(decoding: field, as: UTF8.self)
    let end = text.firstIndex(of: " ") ?? text.endIndex
    return Int64(text[..<end]).map { $0 > 100_000_000_000 } == true ? "time" + text[end...] : shown(field)
  }

  private func shown(score: Int64) -> String {
    // Nothing that the queue holds is older than 1973: what is smaller is no time.
    guard score > 100_000_000_000 else { return "\(score)" }
    let minutes = minutes(score - now)
    return minutes == 0 ? "now" : "now\(minutes < 0 ? "" : "+")\(minutes)m"
  }

  private func minutes(_ milliseconds: Int64) -> Int64 {
    Int64((Double(milliseconds) / 60_000).rounded(.up))
  }
}

extension Element {
  /// The payload, with what its header says behind it: `m1<5f-0000000000 failures=1>`; a random id is just `id`.
  package var shown: String {
    var header = history.id.map { [$0.wholeMatch(of: /[0-9a-f]{16}/) == nil ? $0 : "id"] } ?? []
    if history.failures > 0 { header.append("failures=\(history.failures)") }
    if history.crashes > 0 { header.append("crashes=\(history.crashes)") }
    if let reason { header.append("reason=\(reason)") }
    return String(decoding: payload, as: UTF8.self) + (header.isEmpty ? "" : "<\(header.joined(separator: " "))>")
  }
}

extension RedisReply {
  /// The elements of a flat array of pairs, as HGETALL returns them.
  var pairs: [(RedisReply, RedisReply)] {
    let elements = array ?? []
    return stride(from: 0, to: elements.count - 1, by: 2).map { (elements[$0], elements[$0 + 1]) }
  }
}
