import RedisClient

extension MessageQueue {
  /// Deletes dead letters for good. May be repeated.
  ///
  /// - Parameters:
  ///   - letters: at most ``DeadLetterPages/mostPerPage``.
  ///   - callerID: the id that a letter's caller gave to its message, which is then free to be used again; nil for none.
  /// - Returns: how many were deleted; the others were not there any more.
  package func remove(
    _ letters: [DeadLetter],
    freeing callerID: (DeadLetter) -> String?
  ) async throws(RedisError) -> Int {
    if letters.isEmpty { return 0 }
    let ids = letters.map(callerID)
    var call = ScriptCall(
      .remove,
      keys: [keys.dead, keys.stats] + ids.compactMap { $0.map(keys.seen) } + [keys.absent]
    )
    var nextIDKey = 3
    for (letter, id) in zip(letters, ids) {
      call.append(letter.stored)
      call.append(id == nil ? 0 : nextIDKey)
      if id != nil { nextIDKey += 1 }
    }
    return Int(try await connection.call(call).integer ?? 0)
  }

  /// Deletes dead letters whose callers gave no ids.
  package func remove(_ letters: [DeadLetter]) async throws(RedisError) -> Int {
    try await remove(letters) { _ in nil }
  }
}
