import RedisClient

/// Claims of a living worker that it does not know of.
package struct ReconcileAnswer: Sendable, Equatable {
  /// The newest first. Of large ones the payload is withheld: what becomes of them is decided without it.
  package let lost: [ClaimedMessage]
  /// How many there are, these among them.
  package let count: Int

  package init(lost: [ClaimedMessage], count: Int) {
    self.lost = lost
    self.count = count
  }
}

extension MessageQueue {
  /// Hands out the claims of a life that stand in Redis although its worker knows nothing of them, to be settled as
  /// ``ClaimHolder/lost(_:)``. Changes nothing, and may be repeated.
  ///
  /// Redis may go back to an earlier state, by a failover or by a crash with `appendfsync everysec`. What was settled since
  /// then is claimed again, and nobody has it in hand. A worker that renews its lease would keep such claims for ever.
  ///
  /// - Parameters:
  ///   - known: the numbers of the claims that the worker has in hand, or on their way to be settled.
  ///   - nextNumber: the number that it asks for next, or has asked for without an answer so far. Claims from there on are not
  ///     lost: they are on their way to it, or the next call to claim hands them out.
  ///   - limit: the most claims to return.
  ///   - mostBytes: the most bytes that their messages may have, unless the first one has more: settling moves them.
  /// - Returns: nil when the life is not registered any more, or is being recovered.
  package func reconcile(
    _ life: WorkerLife,
    known: [Int],
    before nextNumber: Int = .max,
    limit: Int = 500,
    mostBytes: Int = Self.mostBytesPerCall
  ) async throws(RedisError) -> ReconcileAnswer? {
    var call = ScriptCall(.reconcile, keys: [keys.workers, keys.claimed(life)])
    call.append(life.id)
    call.append(life.claimPrefix)
    call.append(WorkerLife.claimNumber(nextNumber))
    call.append(limit)
    call.append(Self.largestFencedPayload)
    call.append(mostBytes)
    for number in known { call.append(WorkerLife.claimNumber(number)) }
    let reply = try await connection.call(call)
    if try reply.elements(1, of: .reconcile)[0].integer == 0 { return nil }
    let fields = try reply.elements(2, of: .reconcile)
    let lost = stride(from: 2, to: fields.count - 1, by: 2).map { index in
      ClaimedMessage(fields[index + 1], claimID: fields[index].string ?? "", queue: name)
    }
    return ReconcileAnswer(lost: lost, count: Int(fields[1].integer ?? 0))
  }
}
