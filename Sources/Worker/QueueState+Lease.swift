import MessageQueue
import RedisClient

// Leases: how a worker keeps its claims, and loses them.
extension QueueState {
  struct Lease {
    /// Whom claims belong to; a new one after a lost lease. Nil until it is made up.
    private(set) var life: WorkerLife?
    /// Which life this is, counted from 0.
    private(set) var number = 0
    private(set) var isRegistered = false
    /// Lives of this worker's name that began before its own.
    private(set) var olderLives: Set<WorkerLife> = []
    /// Nothing of this life starts after it: the claims may be another's by then.
    private(set) var end: Instant?
    /// When the lease is to be renewed.
    private(set) var renewAt: Instant?
    /// When the call to join or renew that is under way was made.
    var askedAt: Instant?
    /// When the last renewal that was answered was asked for.
    private(set) var renewedAt: Instant?
    /// Before this, no other life counts as expired: see ``QueueState/renewed(_:now:_:)``.
    private(set) var takeOverAt: Instant?
    /// How many shards of the queue are to be served, as of the last renewal that knew it.
    fileprivate var shards = 1
    /// Redis was asked to strike this life off.
    var hasAskedToLeave = false
    /// Claims that stand in the way of that.
    var leftBehind = 0
    /// How often it was asked.
    var leaves = 0

    mutating func begin(_ life: WorkerLife) { self.life = life }

    mutating func joined(_ older: Set<WorkerLife>) {
      olderLives = older
      isRegistered = true
    }

    /// - Returns: false when it was long ago that the last one was answered, so that all leases may have ended meanwhile.
    mutating func renewed(for length: Duration, now: Instant) -> Bool {
      let asked = askedAt ?? now
      // Half a lease, because the others renew every third of theirs and are back within a sixth (`Trouble.failed`): an
      // outage that was shorter has ended no lease.
      let wasInTime = renewedAt.map { now - $0 <= length / 2 } ?? true
      if !wasInTime { takeOverAt = now + length }
      renewedAt = asked
      end = asked + length
      renewAt = asked + length / 3
      return wasInTime
    }

    /// Has the lease renewed at once, to learn what became of it.
    mutating func doubt(now: Instant) { renewAt = now }

    /// Whether other lives' leases that are over count as such: see ``QueueState/renewed(_:now:_:)``.
    func mayTakeOver(_ now: Instant) -> Bool { takeOverAt.map { now >= $0 } ?? true }

    mutating func takeOver(notBefore time: Instant) { takeOverAt = max(takeOverAt ?? time, time) }

    mutating func lost() {
      life = nil
      number += 1
      isRegistered = false
      end = nil
    }

    mutating func left() { isRegistered = false }
  }

  /// Until when this worker may start what it has claimed; nil where it may not.
  package var leaseEnd: Instant? { lease.end }
  /// Which of this queue's lives the lease is of, counted from 0.
  package var lifeNumber: Int { lease.number }

  /// Who goes takes on nothing new.
  func mayRegister(_ hands: Hands) -> Bool { !isLeaving(hands) }

  /// Registers this life, or renews its lease when a third of it is over.
  mutating func keepLease(_ conditions: Conditions, _ hands: Hands) -> Action? {
    let now = conditions.now
    if !lease.isRegistered {
      guard mayRegister(hands) else { return nil }
      guard let life = lease.life else { return .beginLife }
      lease.askedAt = now
      return .join(life)
    }
    guard let life = lease.life, lease.renewAt.map({ now >= $0 }) ?? true else { return nil }
    lease.askedAt = now
    return .renew(life, lastClaim: claims.lastTurn.map { now - $0 })
  }

  mutating func joined(_ older: Set<WorkerLife>, gone: Set<WorkerLife>, now: Instant) {
    lease.joined(older)
    claims.mayHaveMessages = true
    for life in gone { recovery.lives[life] = .gone }
    noteRenewal(now)
    // Redis may just be back from an outage that this life has not seen: time for those that are well to renew.
    lease.takeOver(notBefore: now + options.lease / 2)
  }

  mutating func renewed(_ answer: RenewAnswer, now: Instant, _ hands: inout Hands) {
    if let shards = answer.shards, shards != lease.shards {
      lease.shards = shards
      say(.shards(shards))
    }
    let newer = answer.others.subtracting(lease.olderLives).first
    if answer.isRenewed {
      noteRenewal(now)
      // Neither a claim nor a settlement is under way, so Redis should know just what this worker knows.
      if answer.held > claims.known.count && isSettledUp { recovery.mustCompare = true }
    } else {
      loseLife(to: newer, now: now, hands)
    }
    guard let newer, hands.stop.successor == nil else { return }
    hands.superseded(by: newer, queue)
    say(.superseded(by: newer, inHand: hands.inHand))
  }

  /// A worker that could not renew for half of its lease does not take over from others before another lease is over.
  ///
  /// When Redis was away, or refused to write, for longer than the leases, all of them have ended, of workers that are
  /// well and about to renew, too. Whoever came back first would take the others' messages and send them again,
  /// although nobody crashed.
  private mutating func noteRenewal(_ now: Instant) {
    if !lease.renewed(for: options.lease, now: now) {
      recovery.lives = recovery.lives.filter { $0.value != .expired }
    }
    // Dead letters grow old where nothing dies, too.
    dropping.mayHaveSurplus = true
  }

  /// The claims of this life are another's: nothing of it starts any more, nothing of it is recorded. A new life begins.
  ///
  /// - Parameter newer: a newer life of the same name, if there is one.
  private mutating func loseLife(to newer: WorkerLife?, now: Instant, _ hands: Hands) {
    let leaseHeld = lease.end.map { now < $0 } ?? false
    let why = Self.reasonOfLoss(leaseHeld: leaseHeld, newer, lease: options.lease)
    say(.leaseLost(why: why, inHand: hands.inHand))
    lease.lost()
    reportLost(claims.lost())
    recovery.mustCompare = false
    recovery.settling = nil
  }

  /// What there is to say of a lost lease.
  ///
  /// - Parameter leaseHeld: whether, as far as this worker knows, it had renewed it in time.
  static func reasonOfLoss(leaseHeld: Bool, _ newer: WorkerLife?, lease: Duration) -> String {
    if !leaseHeld { return "this worker could not renew its lease for \(lease); what it held is another worker's now" }
    if let newer { return "\(newer.id), a newer worker with the same --name, has taken over what this one held" }
    return "Redis does not know this worker any more, though its lease held: FLUSHALL, a failover, or another program"
  }

  mutating func left(_ count: Int) {
    lease.leftBehind = count
    if count == 0 { return lease.left() }
    // Claims that it knows nothing of: they are given back, and it asks again. Not for ever: others may be at it.
    lease.leaves += 1
    if lease.leaves < 3 {
      lease.hasAskedToLeave = false
      recovery.mustCompare = true
    }
  }
}
