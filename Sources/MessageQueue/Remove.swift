import RedisClient

extension MessageQueue {
  /// Deletes dead letters for good.
  ///
  /// - Parameter letters: at most ``DeadLetterPages/mostPerPage``.
  /// - Returns: how many were deleted; the others were not there any more.
  package func remove(_ letters: [DeadLetter]) async throws(RedisError) -> Int {
    if letters.isEmpty { return 0 }
    var call = ScriptCall(.remove, keys: [keys.dead, keys.stats])
    for letter in letters { call.append(letter.stored) }
    return Int(try await connection.call(call).integer ?? 0)
  }
}
