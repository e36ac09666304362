import MessageQueue
import RedisClient

// How a worker with nothing to do learns that there is something: it blocks in Redis, in BLPOP at the queue's bell, over and
// over. Another connection has Redis itself ring the bell for pushes that do not.
//
// A worker with empty hands sends its next claim right behind that. Redis carries it out in the moment in which the wait
// is over, and the messages come with it: they need no second round trip. Such a claim is one like any other: it has the
// next number, and if its answer is lost, it is repeated as a turn. While it is under way, nothing else claims from this
// queue, and what it may bring is kept free.
extension QueueState {
  struct Waiting {
    /// The wait that is under way.
    fileprivate(set) var current: Wait?
    /// After a wait that failed: no other before this.
    fileprivate(set) var notBefore: Instant?
    /// After a change of the limit, or a refusal: no wait for one before this.
    fileprivate(set) var atLimitNotBefore: Instant?
    /// Before its next wait this life is to see to it that plain pushes ring.
    fileprivate var mustAskForRing = false
    /// Messages were taken since it last did: what it asked for then is over.
    fileprivate var hasTaken = false
    /// As of the last claim no other life works on this queue.
    fileprivate var isAlone = false
    /// After a refusal: Redis is not asked to ring before this.
    fileprivate var ringNotBefore: Instant?

    mutating func asked(_ refusal: RedisError?, now: Instant) {
      // A Redis that is full, or too old, or does not let us. Those who ring are still heard.
      if refusal != nil { ringNotBefore = now + QueueState.pauseAfterRefusal }
    }

    func mayAskForRing(_ now: Instant) -> Bool {
      mustAskForRing && (ringNotBefore.map { now >= $0 } ?? true)
    }
  }

  /// A shorter rest ends by itself soon enough.
  private static let shortestAtLimit = Duration.milliseconds(300)
  private static let pauseAfterError = Duration.milliseconds(250)
  /// How long a worker does without rings for plain pushes, which Redis has refused: the next time they may be granted.
  private static let pauseAfterRefusal = Duration.seconds(10)
  /// Where no other worker is to take over. It ends with a ring for nothing, so not often; and a connection that is dead
  /// without a sign is known for it after that.
  private static let longestRing = Duration.seconds(120)

  /// Waits beside the loop, while that has more to do.
  mutating func waitBeside(_ conditions: Conditions, _ hands: Hands) -> Action? {
    if let wait = waitAtLimit(conditions, hands) { return wait }
    guard mayWait(conditions, hands), !mayBlock(hands) else { return nil }
    return wait(conditions, hands, isBeside: true)
  }

  /// Waits for a change of the queue's limit, while that lets nothing be claimed. What is pushed meanwhile wakes nobody.
  private mutating func waitAtLimit(_ conditions: Conditions, _ hands: Hands) -> Action? {
    let now = conditions.now
    guard hands.stop.phase == .running, !hands.isRetired(queue), lease.isRegistered, waiting.current == nil,
      claims.unanswered == nil, waiting.atLimitNotBefore.map({ now >= $0 }) ?? true,
      let until = claims.limitedUntil, until - now > Self.shortestAtLimit
    else { return nil }
    // The loop's own timer is exact, and Redis up to 100 ms late.
    let left = until - now - Self.shortestAtLimit / 2
    let timeout = max(.milliseconds(1), min(left, (lease.renewAt ?? now) - now))
    let wait = Wait(timeout: timeout, isAtLimit: true, isBeside: true, lateAt: now + timeout + Hands.patience)
    waiting.current = wait
    return .wait(wait)
  }

  /// Has the loop itself wait in Redis where it has nothing to do, or to try again, before that is over: no other thread has to
  /// be woken between push and dispatch. A stop cuts it short; all else has time until then.
  mutating func waitInLoop(_ conditions: Conditions, _ hands: Hands) -> Action? {
    guard mayWait(conditions, hands), mayBlock(hands) else { return nil }
    return wait(conditions, hands, isBeside: false)
  }

  /// Not with full hands: wake tokens are for idle workers.
  private func mayWait(_ conditions: Conditions, _ hands: Hands) -> Bool {
    hands.stop.phase == .running && !hands.isRetired(queue) && hands.hasFreeHand && conditions.gateway.most > 0
      && lease.isRegistered
      && waiting.current == nil && !claims.mayHaveMessages && claims.unanswered == nil
      && (waiting.notBefore.map { conditions.now >= $0 } ?? true)
  }

  private func mayBlock(_ hands: Hands) -> Bool {
    hands.inHand(queue) == 0 && claims.unsettled.isEmpty && recovery.isDone && !dropping.isUnderWay
      && claims.lostOutcomes == 0
  }

  private mutating func wait(_ conditions: Conditions, _ hands: Hands, isBeside: Bool) -> Action {
    let now = conditions.now
    if waiting.mayAskForRing(now) { return .askForRing(ring(now)) }
    let mayClaim = claims.unsettled.isEmpty && hands.mostBehindBell > 0
    let request = mayClaim ? claimRequest(conditions, hands, most: hands.mostBehindBell) : nil
    // One of nothing would take a token and leave the messages, over and over.
    let claim = request.flatMap { $0.limit > 0 ? $0 : nil }
    // Redis looks for waits that are over ten times a second (its `hz`), so a wait is up to 100 ms longer than asked for.
    let longest = max(options.wakeTimeout / 2, options.wakeTimeout - .milliseconds(100))
    let untilNext = min(claims.nextDue ?? lease.renewAt ?? now, lease.renewAt ?? now) - now
    let timeout = min(longest, max(.milliseconds(1), untilNext))
    let wait = Wait(timeout: timeout, claim: claim, isBeside: isBeside, lateAt: now + timeout + Hands.patience)
    waiting.current = wait
    return .wait(wait)
  }

  /// Has Redis ring for the next push that does not ring itself, unless it was asked to and that holds.
  private mutating func ring(_ now: Instant) -> Ring {
    waiting.mustAskForRing = false
    defer { waiting.hasTaken = false }
    let untilRenewal = max(.zero, (lease.renewAt ?? now) - now)
    // The part passes on with a renewal. The next one takes it within a wake time-out.
    let holds = waiting.isAlone ? Self.longestRing : untilRenewal + min(options.wakeTimeout, Self.longestRing)
    // A new connection must not make the renewal late.
    return Ring(timeout: holds, hasRung: waiting.hasTaken, mayConnect: untilRenewal > options.lease / 6)
  }

  /// Whether this life is to have Redis ring, as of a claim.
  ///
  /// Only while none were left in the queue: else Redis would ring at once, over and over where they cannot be claimed, because
  /// the queue is paused for one. And by few workers, because each has somebody woken by a push: by the one whose lease ends
  /// first, and by one that took the last message, for the other may be asleep in its wait.
  mutating func noteForRing(_ claimed: ClaimAnswer, took: Bool) {
    if took { waiting.hasTaken = true }
    if claimed.waiting > 0 {
      waiting.mustAskForRing = false
    } else if claimed.isListener || waiting.hasTaken {
      waiting.mustAskForRing = true
    }
    waiting.isAlone = claimed.isAlone
  }

  /// A wait is over.
  mutating func heard(_ end: WaitEnd, now: Instant) {
    guard let wait = waiting.current else { return }
    waiting.current = nil
    // What an older life has claimed was never started, and is another worker's now.
    let claim = wait.claim.flatMap { $0.life == lease.life ? $0 : nil }
    switch end {
    case .rang:
      claims.mayHaveMessages = true
      if wait.isAtLimit {
        claims.limitChanged()
        // It rings for a while, which would wake this loop over and over; and for longer than this, so that none is missed.
        waiting.atLimitNotBefore = now + MessageQueue.limitRings * 9 / 10
      }
    case .limitHolds: break
    case .claimed(let answer, let refusal):
      if let claim { claimed(answer, by: claim, .whileRunning, now: now) }
      if refusal != nil { failedToWait(wait, now: now) }
    case .failed where wait.isAtLimit: waiting.atLimitNotBefore = now + Self.pauseAfterRefusal
    case .failed:
      if let claim { claims.unanswered = Turn(settling: [], request: claim, isRepeat: true) }
      failedToWait(wait, now: now)
    }
  }

  /// The loop is to look for itself, and to report what is wrong.
  private mutating func failedToWait(_ wait: Wait, now: Instant) {
    claims.mayHaveMessages = true
    // An error comes back at once; without a pause this would spin.
    waiting.notBefore = now + min(wait.timeout, Self.pauseAfterError)
  }
}
