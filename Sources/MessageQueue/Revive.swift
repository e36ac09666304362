import RedisClient

extension MessageQueue {
  /// Puts dead letters back into the queue, behind all that waits, and rings. May be repeated: a letter is queued once.
  ///
  /// A message keeps its id, so that the log's lines about it stay connected; failures and crashes count from 0 again.
  ///
  /// - Parameter letters: oldest first, at most ``DeadLetterPages/mostPerPage``. The first is claimed first.
  /// - Returns: how many were put back; the others were not there any more.
  package func revive(_ letters: [DeadLetter]) async throws(RedisError) -> Int {
    if letters.isEmpty { return 0 }
    var call = ScriptCall(.revive, keys: [keys.list, keys.wake, keys.dead, keys.stats, keys.absent])
    for letter in letters {
      let history = MessageHistory(id: letter.element.history.id)
      call.append(letter.stored)
      call.append(Element(history: history, payload: letter.element.payload).sealed)
    }
    return Int(try await connection.call(call).integer ?? 0)
  }
}
