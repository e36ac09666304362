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
    try await connection.run(blpop(timeout)) != .null
  }

  /// Blocks until the queue rings or the time is over, and claims in that moment, without a round trip in between: Redis
  /// keeps the claim, which came behind the BLPOP, until that is over.
  ///
  /// - Returns: `claimed` is nil when the life is not registered any more. `refusal` is what Redis said to the BLPOP, if
  ///   that was an error; it claims all the same.
  /// - Throws: ``RedisError``: what was claimed is not known, and the request is to be repeated.
  package func wait(
    atMost timeout: Duration,
    claiming request: ClaimRequest
  ) async throws(RedisError) -> (refusal: RedisError?, claimed: ClaimAnswer?) {
    let (rang, reply) = try await connection.run(blpop(timeout), then: claimCall(request))
    let refusal: RedisError? = if case .error(let error) = rang { error } else { nil }
    return (refusal, try claimAnswer(reply, to: request))
  }

  private func blpop(_ timeout: Duration) -> RedisCommand {
    let milliseconds = max(1, timeout.milliseconds)
    let fraction = String(milliseconds % 1000 + 1000).dropFirst()
    return RedisCommand("BLPOP", keys.wake, "\(milliseconds / 1000).\(fraction)")
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
