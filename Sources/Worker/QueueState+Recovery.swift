import MessageQueue
import RedisClient

// Recovery: what a worker takes back that nobody has in hand any more. Of lives that are over, and of its own, where Redis has
// lost a settlement (a failover, `appendfsync everysec` and a crash).
extension QueueState {
  struct Recovery {
    enum Reason {
      /// Its lease ended.
      case expired
      /// It was of this worker's name, and its process is not there any more.
      case gone
    }

    /// Claims that were found, on their way back to the queue.
    struct Settling {
      let holder: ClaimHolder
      let claims: [ClaimedMessage]
      let settlements: [Settlement]
    }

    /// Lives whose claims this worker takes back, and why.
    var lives: [WorkerLife: Reason] = [:]
    /// The life that is being taken from.
    fileprivate var current: WorkerLife?
    /// Where it failed the last time: the others come first then.
    private var failed: WorkerLife?
    var settling: Settling?
    /// How many claims were found in this round.
    var count = 0
    /// Redis is to be asked for claims of this life that it does not know.
    var mustCompare = false

    var isDone: Bool { lives.isEmpty && settling == nil && !mustCompare }

    mutating func found(_ expired: WorkerLife, mayTakeOver: Bool) {
      if mayTakeOver && lives[expired] == nil { lives[expired] = .expired }
    }

    /// The life to take from now, in an order that does not change from one run to the next.
    fileprivate var next: WorkerLife? {
      if lives.isEmpty { return nil }
      let order = lives.keys.sorted { $0.id < $1.id }
      return order.first { life in failed.map { $0.id < life.id } ?? true } ?? order.first
    }

    /// - Returns: what was perhaps settled by the call that failed. If it was, nothing will be found the next time: better
    ///   said twice than never.
    mutating func failed(_ error: RedisError) -> Settling? {
      // What failed may be a call for something else.
      failed = current ?? failed
      defer { (settling, current) = (nil, nil) }
      return error.treatment == .reconnect ? settling : nil
    }
  }

  /// What one call to Redis would settle, were it not for its bytes, is settled before anything else is claimed, so that
  /// it stands in the queue in its old order; unless that takes too long.
  func mayGoOnRecovering(_ now: Instant) -> Bool {
    recovery.count < 500 && (lease.renewAt.map { now < $0 } ?? false)
  }

  /// Takes claims from the next life that is over.
  mutating func recover(_ hands: Hands) -> Action? {
    guard lease.isRegistered, mayRegister(hands), let life = recovery.next else { return nil }
    recovery.current = life
    return .fence(life, isGone: recovery.lives[life] == .gone)
  }

  mutating func gotFenced(_ fenced: FencedClaims?) {
    guard let life = recovery.current else { return }
    guard let fenced, fenced.remaining > 0 else {
      recovery.lives[life] = nil
      return
    }
    // It may take more than one call to find some.
    if fenced.claims.isEmpty { return }
    settle(fenced.claims, fenced.claims.map { Settlement(claimID: $0.claimID, recovered($0)) }, of: .fenced(life))
    claims.mayHaveMessages = true
  }

  private mutating func settle(_ found: [ClaimedMessage], _ settlements: [Settlement], of holder: ClaimHolder) {
    // Some may be dead.
    dropping.mayHaveSurplus = true
    recovery.settling = Recovery.Settling(holder: holder, claims: found, settlements: settlements)
  }

  mutating func settledRecovered(_ count: Int?) {
    guard let settling = recovery.settling else { return }
    recovery.settling = nil
    recovery.count += settling.claims.count
    // Where another worker was faster, it has said so.
    if let count, count > 0 { reportRecovered(settling, count) }
  }

  mutating func reportRecovered(_ settling: Recovery.Settling, _ count: Int? = nil) {
    for (message, settlement) in zip(settling.claims, settling.settlements) {
      guard case .dead(let envelope) = settlement.verb else { continue }
      say(.buried(message, reason: envelope.reason ?? "", code: nil))
    }
    say(.recovered(count ?? settling.claims.count, from: settling.holder.life))
  }

  /// Asks Redis for claims of this life that it does not know: what it had settled, and Redis has forgotten.
  func compare() -> Action? {
    guard recovery.mustCompare, lease.isRegistered, let life = lease.life else { return nil }
    // What has a later number may be on its way, of a claim that is not answered.
    return .compare(life, known: claims.known.all, before: isSettledUp ? .max : claims.nextNumber)
  }

  mutating func compared(_ answer: ReconcileAnswer?) {
    guard let answer, !answer.lost.isEmpty, let life = lease.life else {
      // All is well, or this life is not registered any more: then the renewal tells more.
      recovery.mustCompare = false
      return
    }
    // Asked again, until there are none. What has a later number was claimed by a call that came very late, and never started.
    let forgotten = answer.lost.count { $0.claimNumber < claims.nextNumber }
    if forgotten > 0 { say(.claimsUnknown(forgotten)) }
    let settlements = answer.lost.map { message in
      let isLate = message.claimNumber >= claims.nextNumber
      return Settlement(claimID: message.claimID, isLate ? .back(message.element()) : recovered(message))
    }
    claims.skip(past: answer.lost)
    settle(answer.lost, settlements, of: .lost(life))
  }

  /// What becomes of a message that was in hand when its worker went away, or that Redis says so of.
  private func recovered(_ claim: ClaimedMessage) -> Settlement.Verb {
    let crashes = claim.history.crashes + 1
    if crashes >= options.maxCrashes {
      return .dead(claim.element(crashes: 1, reason: "poison: in hand in \(crashes) crashes"))
    }
    if options.afterCrash == .hold {
      let reason = "unknown: in hand when its worker crashed; it may have been sent"
      return .dead(claim.element(crashes: 1, reason: reason))
    }
    return .back(claim.element(crashes: 1))
  }
}
