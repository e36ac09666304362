import RedisClient

package struct RenewAnswer: Sendable, Equatable {
  /// False when the life is not registered any more, or is being recovered.
  package let isRenewed: Bool
  /// How many claims this life holds in Redis; 0 where it is not renewed. More than the worker has in hand, or on their way to
  /// be claimed or settled, means that Redis went back to an earlier state:
  /// ``MessageQueue/reconcile(_:known:before:limit:mostBytes:)``.
  package let held: Int
  /// How many shards of the queue are to be served; nil where Redis does not know.
  package let shards: Int?
  /// The other lives of the same name whose leases hold.
  package let others: Set<WorkerLife>

  package init(isRenewed: Bool, held: Int = 0, shards: Int? = 1, others: Set<WorkerLife> = []) {
    self.isRenewed = isRenewed
    self.held = held
    self.shards = shards
    self.others = others
  }
}

extension MessageQueue {
  /// Registers a life for the length of a lease.
  ///
  /// - Returns: older lives of the same name, whatever became of them. What those hold that are gone, this life is to take
  ///   back.
  package func join(_ life: WorkerLife, lease: Duration) async throws(RedisError) -> Set<WorkerLife> {
    let reply = try await connection.call(leaseCall(.join, keys: [keys.workers, keys.health], life, lease))
    return Self.lives(try reply.elements(1, of: .join).dropFirst())
  }

  private static func lives(_ ids: ArraySlice<RedisReply>) -> Set<WorkerLife> {
    Set(ids.compactMap { $0.string.flatMap(WorkerLife.init(id:)) })
  }

  /// Extends the lease of a registered life, and cuts leases of others that end later than their own length from now: Redis'
  /// clock was set back.
  ///
  /// - Parameter lastClaim: how long ago a claim of this life last succeeded, for ``inspect()`` to show; nil for never.
  package func renew(
    _ life: WorkerLife,
    lease: Duration,
    lastClaim: Duration? = nil
  ) async throws(RedisError) -> RenewAnswer {
    let keys = [keys.workers, keys.health, keys.claimed(life), keys.served, keys.absent]
    var call = leaseCall(.renew, keys: keys, life, lease)
    call.append(lastClaim.map { String($0.milliseconds) } ?? "")
    let fields = try await connection.call(call).elements(4, of: .renew)
    return RenewAnswer(
      isRenewed: fields[0].integer == 1,
      held: Int(fields[2].integer ?? 0),
      shards: (fields[3].integer ?? 0) > 0 ? Int(fields[3].integer ?? 0) : nil,
      others: Self.lives(fields.dropFirst(4))
    )
  }

  /// Strikes off a life that stops, if it holds no claims.
  ///
  /// - Returns: how many claims it still holds. More than 0: it stays, and they are recovered when its lease ends.
  @discardableResult
  package func leave(_ life: WorkerLife) async throws(RedisError) -> Int {
    var call = ScriptCall(.leave, keys: [keys.workers, keys.turns, keys.claimed(life), keys.health, keys.absent])
    call.append(life.id)
    return Int(try await connection.call(call).integer ?? 0)
  }

  private func leaseCall(
    _ script: RedisScript,
    keys: [String],
    _ life: WorkerLife,
    _ lease: Duration
  ) -> ScriptCall {
    var call = ScriptCall(script, keys: keys + [self.keys.absent])
    call.append(life.id)
    call.append(life.namePrefix)
    call.append(lease.milliseconds)
    return call
  }
}
