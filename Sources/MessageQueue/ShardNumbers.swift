import RedisClient

/// How many shards a queue has: as workers serve them, and as pushes are spread over them.
///
/// While nothing changes the two are the same. On the way to more shards workers come first; on the way to fewer, pushes. So each
/// shard that is pushed to is served.
package struct ShardNumbers: Sendable, Equatable {
  package let served: Int
  package let spread: Spread

  package static let unsharded = ShardNumbers(served: 1, spread: .unsharded)

  /// All that there are: some may only be emptied yet, or filled not yet.
  package var all: Int { max(served, spread.shards) }
  package var isChanging: Bool { served != spread.shards }

  package init(served: Int, spread: Spread) {
    self.served = min(max(served, 1), Spread.mostShards)
    self.spread = spread
  }

  /// - Parameters: what Redis has; nil for a queue that was never sharded.
  init(served: String?, spread: String?) {
    self.init(served: served.flatMap { Int($0) } ?? 1, spread: Spread(text: spread ?? ""))
  }
}

extension MessageQueue {
  /// How many shards the queue has. Of its first shard, which has its name.
  package func shardNumbers() async throws(RedisError) -> ShardNumbers {
    let reply = try await connection.run(RedisCommand("MGET", keys.served, keys.spread))
    let texts = (reply.array ?? []).map(\.string)
    guard texts.count == 2 else {
      throw RedisError(code: .unexpectedReply, message: "MGET answered \(reply.shape)")
    }
    return ShardNumbers(served: texts[0], spread: texts[1])
  }

  /// Changes the numbers, if they are what the caller takes them for. Of the queue's first shard.
  ///
  /// - Returns: the numbers as they are now: others than asked for where somebody else has changed them.
  package func reshard(
    from known: ShardNumbers,
    to wanted: ShardNumbers
  ) async throws(RedisError) -> ShardNumbers {
    var call = ScriptCall(.reshard, keys: [keys.spread, keys.served, keys.absent])
    for numbers in [known, wanted] {
      call.append(numbers.spread.text)
      call.append(numbers.served)
    }
    let fields = try await connection.call(call).elements(2, of: .reshard)
    return ShardNumbers(served: fields[1].string, spread: fields[0].string)
  }

  /// Has a shard know over how many shards pushes are spread, unless it knows of a later change.
  ///
  /// - Returns: what it knows now.
  package func raise(_ spread: Spread) async throws(RedisError) -> Spread {
    var call = ScriptCall(.spread, keys: [spreadKey, keys.served, keys.absent])
    call.append(spread.generation)
    call.append(spread.shards)
    call.append(shard == 0 ? "1" : "0")
    return Spread(text: try await connection.call(call).string ?? "")
  }

  /// What a shard knows of how many there are; nil where it was never told that it is one.
  package func knownSpread() async throws(RedisError) -> Spread? {
    try await connection.run(RedisCommand("GET", spreadKey)).string.map { Spread(text: $0) }
  }
}
