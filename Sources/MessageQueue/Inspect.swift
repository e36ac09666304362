import RedisClient

/// Everything in one queue, counted at one instant.
package struct QueueSnapshot: Sendable, Equatable {
  package struct Worker: Sendable, Equatable {
    package let life: WorkerLife
    /// How long the lease still holds; negative when it has ended, nil for a fenced life that is being recovered.
    package let leaseLeft: Duration?
    package let claimed: Int
    /// How long ago a claim of its last succeeded, as of its last renewal; nil before the first.
    package let lastClaim: Duration?
  }

  package let queue: QueueName
  /// Redis' time, Unix ms.
  package let now: Int64
  package let waiting: Int
  package let scheduled: Int
  package let dead: Int
  package let paused: Bool
  /// The message that is next in line; nil for none, and for one of more than ``MessageQueue/mostBytesPerCall``.
  package let oldest: Element?
  /// `pushed`, `sent`, `retried`, ... since the queue was made.
  package let counters: [String: Int]
  package let workers: [Worker]
  /// How many shards the queue has, where this is the first.
  package var shards = ShardNumbers.unsharded
  /// How many messages may be claimed in a time; nil for no limit.
  package var limit: QueueLimit?

  /// Messages in the hands of workers, dead ones among them.
  package var claimed: Int { workers.reduce(0) { $0 + $1.claimed } }
}

extension MessageQueue {
  package func inspect() async throws(RedisError) -> QueueSnapshot {
    var call = ScriptCall(
      .inspect,
      keys: [
        keys.list, keys.later, keys.dead, keys.workers, keys.paused, keys.stats, keys.health, keys.served, keys.spread,
        keys.limit,
      ]
    )
    call.append(keys.claimedPrefix)
    call.append(Self.mostBytesPerCall)
    let fields = try await connection.call(call).elements(11, of: .inspect)
    let now = fields[0].integer ?? 0

    var counters: [String: Int] = [:]
    let stats = fields[6].array ?? []
    for index in stride(from: 0, to: stats.count - 1, by: 2) {
      counters[stats[index].string ?? ""] = Int(stats[index + 1].integer ?? 0)
    }

    let lives = fields[7].array ?? []
    let workers = stride(from: 0, to: lives.count - 3, by: 4).compactMap { index -> QueueSnapshot.Worker? in
      guard let life = lives[index].string.flatMap(WorkerLife.init(id:)) else { return nil }
      let leaseEnd = Self.time(lives[index + 1].integer ?? 0)
      let lastClaim = lives[index + 3].integer ?? 0
      return QueueSnapshot.Worker(
        life: life,
        leaseLeft: leaseEnd == 0 ? nil : .milliseconds(leaseEnd - now),
        claimed: Int(lives[index + 2].integer ?? 0),
        lastClaim: lastClaim == 0 ? nil : .milliseconds(max(0, now - Self.time(lastClaim)))
      )
    }

    let oldest = fields[5].bytes ?? []
    return QueueSnapshot(
      queue: name,
      now: now,
      waiting: Int(fields[1].integer ?? 0),
      scheduled: Int(fields[2].integer ?? 0),
      dead: Int(fields[3].integer ?? 0),
      paused: fields[4].integer == 1,
      oldest: oldest.isEmpty ? nil : Element(oldest),
      counters: counters,
      workers: workers,
      shards: ShardNumbers(served: fields[8].string, spread: fields[9].string),
      limit: fields[10].string.flatMap(QueueLimit.init(text:))
    )
  }

  /// A time in Unix ms, or the far future, the year 33658, for one that lies behind it: a hand may have written anything.
  ///
  /// Redis' Lua makes of a score that fits no Int64, such as `inf`, the greatest or, on x86, the least there is.
  private static func time(_ milliseconds: Int64) -> Int64 {
    milliseconds == .min ? 1_000_000_000_000_000 : min(max(milliseconds, 0), 1_000_000_000_000_000)
  }

  /// The messages that are next in line, the next one first. They stay where they are.
  ///
  /// - Parameter mostBytes: the most that they may have, unless the first one has more.
  /// - Returns: `leftOut` is how many more were asked for, and are there, and had no room.
  package func peek(
    _ count: Int,
    mostBytes: Int
  ) async throws(RedisError) -> (elements: [Element], leftOut: Int) {
    if count <= 0 { return ([], 0) }
    var call = ScriptCall(.peek, keys: [keys.list])
    call.append(count)
    call.append(mostBytes)
    let fields = try await connection.call(call).elements(1, of: .peek)
    return (fields.dropFirst().map { Element($0.bytes ?? []) }, Int(fields[0].integer ?? 0))
  }

  /// The messages that are scheduled or to be tried again, the next due first, with their times in Unix ms. They stay where they are.
  ///
  /// - Parameter mostBytes: the most that they may have, unless the first one has more.
  /// - Returns: `leftOut` is how many more were asked for, and are there, and had no room.
  package func peekScheduled(
    _ count: Int,
    mostBytes: Int
  ) async throws(RedisError) -> (messages: [(element: Element, due: Int64)], leftOut: Int) {
    if count <= 0 { return ([], 0) }
    let all = Int(try await connection.run(RedisCommand("ZCARD", keys.later)).integer ?? 0)
    var call = ScriptCall(.letters, keys: [keys.later])
    call.append("-inf")
    call.append("+inf")
    call.append(0)
    call.append(count)
    call.append(mostBytes)
    let fields = try await connection.call(call).elements(0, of: .letters)
    let messages = stride(from: 0, to: fields.count - 1, by: 2).map { index in
      (
        Element(fields[index].bytes ?? []),
        Self.time(fields[index + 1].string.flatMap { Double($0) }.flatMap { Int64(exactly: $0.rounded()) } ?? .max)
      )
    }
    return (messages, max(0, min(all, count) - messages.count))
  }

  /// Redis' time, Unix ms.
  package func now() async throws(RedisError) -> Int64 {
    let parts = try await connection.run(RedisCommand("TIME")).array ?? []
    guard parts.count == 2, let seconds = parts[0].integer, let microseconds = parts[1].integer else {
      throw RedisError(code: .unexpectedReply, message: "TIME answered a list of \(parts.count)")
    }
    return seconds * 1000 + microseconds / 1000
  }
}
