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
    let reply = try await redis.run(RedisCommand("EVAL", Self.script, "1", queue.description, "{\(queue)}*"))
    for entry in reply.array ?? [] {
      guard let parts = entry.array, parts.count == 3, let key = parts[0].string else { continue }
      values[key] = Self.value(parts[1].string, parts[2])
    }
    now = try await MessageQueue(queue, on: redis).now()
  }

  /// In one call, because walks look after each step.
  private static let script = """
    local keys = redis.call('KEYS', ARGV[1])
    keys[#keys + 1] = KEYS[1]
    local answer = {}
    for _, key in ipairs(keys) do
      local type, value = redis.call('TYPE', key)['ok'], nil
      if type == 'string' then value = {redis.call('GET', key), redis.call('PTTL', key)} end
      if type == 'list' then value = redis.call('LRANGE', key, 0, -1) end
      if type == 'hash' then value = redis.call('HGETALL', key) end
      if type == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
      if value then answer[#answer + 1] = {key, type, value} end
    end
    return answer
    """

  private static func value(_ type: String?, _ reply: RedisReply) -> Value? {
    switch type {
    case "string":
      let parts = reply.array ?? []
      return .string(parts.first?.bytes ?? [], expiry: parts.last?.integer ?? -1)
    case "list":
      return .list((reply.array ?? []).compactMap(\.bytes))
    case "hash":
      return .hash(.init(uniqueKeysWithValues: reply.pairs.map { ($0.string ?? "", $1.bytes ?? []) }))
    case "zset":
      return .sortedSet(reply.pairs.map { ($0.bytes ?? [], $1.integer ?? 0) })
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
