import RedisClient

// How a worker waits for messages without taking one: that is for ``ClaimRequest``. It blocks at the wake list, the bell. A
// token in there carries nothing, so one that is lost, with a worker or a connection, costs the time-out and no message.
extension MessageQueue {
  /// Blocks until the bell rings, which wakes one of all that wait here, or the time is over.
  ///
  /// ``RedisConnection/interrupt()`` cuts the wait short.
  ///
  /// - Parameter timeout: more than 0, because 0 means for ever to Redis; fractions need Redis 6.0.
  /// - Returns: true when the bell rang.
  /// - Throws: ``RedisError``.
  package func wait(atMost timeout: Duration) async throws(RedisError) -> Bool {
    try await connection.run(RedisCommand("BLPOP", keys.wake, Self.seconds(timeout)), blocking: timeout) != .null
  }

  /// Blocks until the bell rings or the time is over, and claims in that moment, without a round trip in between: Redis
  /// keeps the claim, which came behind the blocking command, until that is over.
  ///
  /// - Returns: `claimed` is nil when the life is not registered any more. `refusal` is what Redis said to the wait, if
  ///   that was an error; it claims all the same.
  /// - Throws: ``RedisError``: what was claimed is not known, and the request is to be repeated.
  package func wait(
    atMost timeout: Duration,
    claiming request: ClaimRequest
  ) async throws(RedisError) -> (refusal: RedisError?, claimed: ClaimAnswer?) {
    let (rang, reply) = try await connection.run(
      RedisCommand("BLPOP", keys.wake, Self.seconds(timeout)),
      blocking: timeout,
      then: claimCall(request)
    )
    let refusal: RedisError? = if case .error(let error) = rang { error } else { nil }
    return (refusal, try claimAnswer(reply, to: request))
  }

  /// Has Redis itself ring the bell at the next push to the list, also at one that does not ring, and at once if messages
  /// wait. Returns without waiting for that; does nothing while the last call holds. For a connection that is used for
  /// nothing else.
  ///
  /// BLMOVE moves the oldest message to where it is: it takes none, and ends with any push. The ring stands behind it in the
  /// same pipeline, as a claim stands behind a wait, so that Redis carries it out in the moment of the push. It rings when
  /// the time is over, too, or BLMOVE is refused, for nothing; the bell holds eight tokens at most, as it does for scripts.
  ///
  /// - Parameters:
  ///   - timeout: for how long it holds.
  ///   - hasRung: whether the last call is over, because messages were taken since: its answers are given a moment then. They
  ///     left Redis when the messages did, on a connection that may be a little slower.
  ///   - mayConnect: false to do nothing where that would take a new connection.
  /// - Throws: ``RedisError``: what Redis said to the last call, which is how a refusal by Redis before 6.2, by one that is
  ///   full or by an ACL is learned; or what kept this one from being sent.
  package func ringAtPush(atMost timeout: Duration, hasRung: Bool, mayConnect: Bool) async throws(RedisError) {
    do throws(RedisError) {
      if let replies = try await connection.arrived(within: hasRung ? .milliseconds(5) : .zero) {
        for case .error(let error) in replies { throw error }
      } else if hasRung && mayConnect {
        // Redis is slow to write them, or what was taken had been scheduled, which ends no BLMOVE. A new call is sure to hold.
        await connection.close()
      } else {
        return
      }
    } catch {
      // That connection is closed: another one may hold.
      guard error.treatment == .reconnect, error.code != .interrupted else { throw error }
    }
    let isOpen = await connection.isOpen
    guard isOpen || mayConnect else { return }
    let pipeline = [
      RedisCommand("BLMOVE", keys.list, keys.list, "RIGHT", "RIGHT", Self.seconds(timeout)),
      RedisCommand("LPUSH", keys.wake, "1"),
      RedisCommand("LTRIM", keys.wake, "0", "7"),
    ]
    try await connection.send(pipeline, blocking: timeout)
  }

  static func seconds(_ timeout: Duration) -> String {
    let milliseconds = max(1, timeout.milliseconds)
    return "\(milliseconds / 1000).\(String(milliseconds % 1000 + 1000).dropFirst())"
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
