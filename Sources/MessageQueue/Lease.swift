import RedisClient

package struct RenewAnswer: Sendable, Equatable {
  /// False when the life is not registered any more, or is being recovered.
  package let isRenewed: Bool
  /// The other lives of the same name whose leases hold.
  package let others: Set<WorkerLife>

  package init(isRenewed: Bool, others: Set<WorkerLife> = []) {
    self.isRenewed = isRenewed
    self.others = others
  }
}

extension MessageQueue {
  /// Registers a life for the length of a lease.
  ///
  /// - Returns: older lives of the same name, whatever became of them. What those hold that are gone, this life is to take
  ///   back.
  package func join(_ life: WorkerLife, lease: Duration) async throws(RedisError) -> Set<WorkerLife> {
    let reply = try await connection.call(leaseCall(.join, keys: [keys.workers], life, lease))
    return Self.lives(try reply.elements(1, of: .join).dropFirst())
  }

  private static func lives(_ ids: ArraySlice<RedisReply>) -> Set<WorkerLife> {
    Set(ids.compactMap { $0.string.flatMap(WorkerLife.init(id:)) })
  }

  /// Extends the lease of a registered life.
  ///
  /// - Parameter lastClaim: how long ago a claim of this life last succeeded, for ``inspect()`` to show; nil for never.
  package func renew(
    _ life: WorkerLife,
    lease: Duration,
    lastClaim: Duration? = nil
  ) async throws(RedisError) -> RenewAnswer {
    var call = leaseCall(.renew, keys: [keys.workers, keys.health], life, lease)
    call.append(lastClaim.map { String($0.milliseconds) } ?? "")
    let fields = try await connection.call(call).elements(2, of: .renew)
    return RenewAnswer(isRenewed: fields[0].integer == 1, others: Self.lives(fields.dropFirst(2)))
  }

  /// Strikes off a life that stops.
  ///
  /// - Returns: false when it still holds claims; they are recovered when its lease ends.
  @discardableResult
  package func leave(_ life: WorkerLife) async throws(RedisError) -> Bool {
    var call = ScriptCall(.leave, keys: [keys.workers, keys.turns, keys.claimed(life), keys.health])
    call.append(life.id)
    return try await connection.call(call).integer == 1
  }

  private func leaseCall(
    _ script: RedisScript,
    keys: [String],
    _ life: WorkerLife,
    _ lease: Duration
  ) -> ScriptCall {
    var call = ScriptCall(script, keys: keys)
    call.append(life.id)
    call.append(life.namePrefix)
    call.append(lease.milliseconds)
    return call
  }
}
