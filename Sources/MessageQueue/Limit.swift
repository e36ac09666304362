import RedisClient

/// So many messages in a time.
package struct Rate: Sendable, Hashable {
  /// From 1.
  package let count: Int
  /// In whole milliseconds, more than 0.
  package let per: Duration

  package init(_ count: Int, per: Duration) {
    self.count = count
    self.per = per
  }
}

/// How many messages of a queue may be claimed in a time, by all workers together.
package struct QueueLimit: Sendable, Hashable {
  /// Of the queue as a whole.
  package let rate: Rate
  /// Into how many equal parts it is divided, one of which this shard has.
  package let parts: Int

  package init(_ rate: Rate, parts: Int = 1) {
    self.rate = rate
    self.parts = parts
  }

  /// As the key has it, without what the claims add.
  var text: String { "\(rate.count) \(rate.per.milliseconds) \(parts)" }

  /// - Returns: nil for what is no limit, which the claims do not heed either.
  init?(text: String) {
    let numbers = text.split(separator: " ").map { Int($0) ?? 0 }
    guard (3...5).contains(numbers.count), numbers[..<3].allSatisfy({ $0 > 0 }) else { return nil }
    self.init(Rate(numbers[0], per: .milliseconds(numbers[1])), parts: numbers[2])
  }
}

extension MessageQueue {
  /// Of this shard by itself; nil for none.
  package func limit() async throws(RedisError) -> QueueLimit? {
    let reply = try await connection.run(RedisCommand("GET", keys.limit))
    if case .error(let error) = reply { throw error }
    return reply.string.flatMap(QueueLimit.init(text:))
  }

  /// For how long a change of the limit rings: longer than a worker takes from one wait to the next.
  package static let limitRings = Duration.seconds(1)

  /// Sets or takes away the limit of this shard, and wakes all workers that rest because of it.
  package func setLimit(_ limit: QueueLimit?) async throws(RedisError) {
    var call = ScriptCall(.limit, keys: [keys.limit, keys.rest, keys.absent])
    call.append(limit?.text ?? "")
    call.append(Self.limitRings.milliseconds)
    _ = try await connection.call(call)
  }

  /// Blocks until the limit is changed, or the time is over. Returns at once for ``limitRings`` after a change.
  ///
  /// BLMOVE takes nothing, so that one push wakes all who wait. Needs Redis 6.2.
  ///
  /// - Returns: true when it was changed.
  package func waitForLimit(atMost timeout: Duration) async throws(RedisError) -> Bool {
    let move = RedisCommand("BLMOVE", keys.rest, keys.rest, "RIGHT", "RIGHT", Self.seconds(timeout))
    let reply = try await connection.run(move, blocking: timeout)
    if case .error(let error) = reply { throw error }
    return reply != .null
  }
}

extension ShardedQueue {
  /// What the queue as a whole is limited to; nil for nothing.
  package func limit() async throws(RedisError) -> Rate? { try await first.limit()?.rate }

  /// Limits how many messages all workers together claim in a time. Each shard gets an equal part of it.
  ///
  /// - Parameter rate: nil for no limit.
  /// - Throws: as ``pause()``.
  package func setLimit(_ rate: Rate?) async throws(RedisError) {
    let parts = try await shards().count
    let limit = rate.map { QueueLimit($0, parts: parts) }
    try await onEachShard { shard throws(RedisError) in try await shard.setLimit(limit) }
  }
}
