import RedisClient

/// Where a worker waits for messages. Neither takes one: that is for ``ClaimRequest``.
package enum WaitingPlace: Sendable {
  /// At the wake list: ends with a ring, which wakes one of all that wait here. A token carries nothing, so one that is
  /// lost, with a worker or a connection, costs the time-out and no message.
  case bell
  /// At the list itself: ends with any push, also of one that does not ring, and at once while messages wait. All who wait
  /// here are woken. BLMOVE moves the oldest message to where it is.
  case messages
}

extension MessageQueue {
  /// Blocks until something comes or the time is over.
  ///
  /// ``RedisConnection/interrupt()`` cuts the wait short.
  ///
  /// - Parameter timeout: more than 0, because 0 means for ever to Redis; fractions need Redis 6.0.
  /// - Returns: true when something came.
  /// - Throws: ``RedisError``. ``WaitingPlace/messages`` is refused by Redis before 6.2 and by one that is full.
  package func wait(at place: WaitingPlace, atMost timeout: Duration) async throws(RedisError) -> Bool {
    try await connection.run(wait(at: place, timeout), blocking: timeout) != .null
  }

  /// Blocks until something comes or the time is over, and claims in that moment, without a round trip in between: Redis
  /// keeps the claim, which came behind the blocking command, until that is over.
  ///
  /// - Returns: `claimed` is nil when the life is not registered any more. `refusal` is what Redis said to the wait, if
  ///   that was an error; it claims all the same.
  /// - Throws: ``RedisError``: what was claimed is not known, and the request is to be repeated.
  package func wait(
    at place: WaitingPlace,
    atMost timeout: Duration,
    claiming request: ClaimRequest
  ) async throws(RedisError) -> (refusal: RedisError?, claimed: ClaimAnswer?) {
    let (rang, reply) = try await connection.run(
      wait(at: place, timeout),
      blocking: timeout,
      then: claimCall(request)
    )
    let refusal: RedisError? = if case .error(let error) = rang { error } else { nil }
    return (refusal, try claimAnswer(reply, to: request))
  }

  private func wait(at place: WaitingPlace, _ timeout: Duration) -> RedisCommand {
    let milliseconds = max(1, timeout.milliseconds)
    let seconds = "\(milliseconds / 1000).\(String(milliseconds % 1000 + 1000).dropFirst())"
    return switch place {
    case .bell: RedisCommand("BLPOP", keys.wake, seconds)
    case .messages: RedisCommand("BLMOVE", keys.list, keys.list, "RIGHT", "RIGHT", seconds)
    }
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
