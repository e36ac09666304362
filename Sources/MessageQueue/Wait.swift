import RedisClient

extension MessageQueue {
  /// Blocks until the queue rings or the time is over.
  ///
  /// A wake token carries nothing: one that is lost, with a worker or a connection, costs the time-out and no message.
  /// ``RedisConnection/interrupt()`` cuts the wait short.
  ///
  /// - Parameter timeout: more than 0, because 0 means for ever to Redis; fractions need Redis 6.0.
  /// - Returns: true when it rang.
  package func wait(atMost timeout: Duration) async throws(RedisError) -> Bool {
    let milliseconds = max(1, timeout.milliseconds)
    let fraction = String(milliseconds % 1000 + 1000).dropFirst()
    let reply = try await connection.run(RedisCommand("BLPOP", keys.wake, "\(milliseconds / 1000).\(fraction)"))
    return reply != .null
  }
}

extension MessageQueue {
  /// Stops all claims from this queue, by every worker, until ``resume()``. Pushing goes on.
  package func pause() async throws(RedisError) {
    _ = try await connection.run(RedisCommand("SET", keys.paused, "1"))
  }

  /// Lets workers claim again. They find out within their wake time-out.
  package func resume() async throws(RedisError) {
    _ = try await connection.run(RedisCommand("DEL", keys.paused))
  }
}
