import RedisClient

extension MessageQueue {
  /// Takes the claims of a life away from it and returns some of them, the newest first, to be settled as
  /// ``ClaimHolder/fenced(_:)``. To be called until it returns none: then the life is struck off.
  ///
  /// - Parameter superseded: fence it even while its lease holds, because a newer life of its name has begun.
  /// - Returns: nil when there is nothing to do: the life is gone, or its lease holds.
  package func fence(
    _ life: WorkerLife,
    superseded: Bool,
    limit: Int = 500
  ) async throws(RedisError) -> [ClaimedMessage]? {
    var call = ScriptCall(.fence, keys: [keys.workers, keys.turns, keys.claimed(life), keys.health])
    call.append(life.id)
    call.append(superseded ? "1" : "0")
    call.append(limit)
    let fields = try await connection.call(call).elements(1, of: .fence)
    if fields[0].integer == 0 { return nil }
    return stride(from: 1, to: fields.count - 1, by: 2).map { index in
      let element = Element(fields[index + 1].bytes ?? [])
      return ClaimedMessage(
        queue: name.description,
        claimID: fields[index].string ?? "",
        history: element.history,
        payload: element.payload
      )
    }
  }
}
