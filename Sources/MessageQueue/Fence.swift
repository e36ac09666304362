import RedisClient

/// Claims of a fenced life, to be settled.
package struct FencedClaims: Sendable, Equatable {
  /// The newest first. Of large ones the payload is withheld: what becomes of them is decided without it.
  package let claims: [ClaimedMessage]
  /// How many the life has left, these among them. 0: it is struck off.
  package let remaining: Int

  package init(claims: [ClaimedMessage], remaining: Int) {
    self.claims = claims
    self.remaining = remaining
  }
}

extension MessageQueue {
  /// The largest payload that is handed out of a fenced life, or as lost, in bytes: enough to say whose message it is, and so little that
  /// no worker is killed, by what may have killed one before, ahead of the crash being counted.
  package static let largestFencedPayload = 16 << 10

  /// Takes the claims of a life away from it and returns some of them, to be settled as ``ClaimHolder/fenced(_:)``. To be
  /// called until none remain.
  ///
  /// - Parameters:
  ///   - isGone: fence it even while its lease holds, because its process is known to be gone.
  ///   - limit: the most claims to return.
  ///   - mostBytes: the most bytes that their messages may have, unless the first one has more: settling moves them.
  /// - Returns: nil when there is nothing to do: the life is gone, or its lease holds.
  package func fence(
    _ life: WorkerLife,
    isGone: Bool,
    limit: Int = 500,
    mostBytes: Int = Self.mostBytesPerCall
  ) async throws(RedisError) -> FencedClaims? {
    var call = ScriptCall(.fence, keys: [keys.workers, keys.turns, keys.claimed(life), keys.health, keys.absent])
    call.append(life.id)
    call.append(life.claimPrefix)
    call.append(isGone ? "1" : "0")
    call.append(limit)
    call.append(Self.largestFencedPayload)
    call.append(mostBytes)
    let reply = try await connection.call(call)
    if try reply.elements(1, of: .fence)[0].integer == 0 { return nil }
    let fields = try reply.elements(2, of: .fence)
    let claims = stride(from: 2, to: fields.count - 1, by: 2).map { index in
      ClaimedMessage(fields[index + 1], claimID: fields[index].string ?? "", queue: name)
    }
    return FencedClaims(claims: claims, remaining: Int(fields[1].integer ?? 0))
  }
}
