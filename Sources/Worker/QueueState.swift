import MessageQueue
import RedisClient

/// What a worker does next for one of its queues: a pure value, without I/O, clock or randomness of its own.
///
/// A loop asks for the next action, carries it out, and tells what came of it:
///
///     next ──Action──► loop ──► Redis, handlers, log
///      ▲                │
///      └─────Event──────┘
///
/// One action at a time, but for a wait beside the loop, which ends whenever it does. The actions come in rounds, always in the
/// order of ``Step``: lease, safety, turn, recovery, comparison, wait, dead letters. Nothing ends the rounds but
/// the stop: what failed is tried again, as it was. That is safe because claims are numbered and each settlement is guarded by
/// its own claim.
///
/// This file decides the order. What each step needs, and what its answer means, is in the file of that name.
package struct QueueState: Sendable {
  /// The steps of a round.
  enum Step: Int, CaseIterable {
    case lease, safety, turn, recovery, comparison, wait, dropping, counting
  }

  /// The queue's place in the worker's hands.
  let queue: Int
  let options: WorkerOptions

  var lease = Lease()
  var claims = Claims()
  var waiting = Waiting()
  var recovery = Recovery()
  var dropping = Dropping()
  var trouble = Trouble()

  /// What comes next in this round.
  private var step = Step.lease
  /// What is to be said, in this order.
  private var notes: [Note] = []

  package init(at queue: Int, options: WorkerOptions) {
    self.queue = queue
    self.options = options
  }

  /// What is to be said since this was last asked.
  package mutating func takeNotes() -> [Note] {
    if notes.isEmpty { return [] }
    defer { notes = [] }
    return notes
  }

  mutating func say(_ note: Note) { notes.append(note) }

  // MARK: What to do next

  /// What to do now.
  ///
  /// - Parameters:
  ///   - conditions: what the world is like at this moment.
  ///   - hands: what this worker's queues share.
  package mutating func next(_ conditions: Conditions, _ hands: inout Hands) -> Action {
    for phase in hands.stop.advance(to: conditions.told, drain: options.drain, now: conditions.now) {
      say(.phase(phase, inHand: hands.inHand))
    }
    let action = decide(conditions, &hands)
    trouble.lateAt = action.patience.map { conditions.now + $0 + Hands.patience }
    hands.update(queue, standing(isTold: action.isRest, conditions.now), now: conditions.now)
    return action
  }

  private mutating func decide(_ conditions: Conditions, _ hands: inout Hands) -> Action {
    if hands.stop.phase == .aborting, let until = hands.stop.abortUntil, !claims.isCutShort {
      claims.isCutShort = true
      return .cutShort(until: until)
    }
    if let arrived = startArrived(conditions, &hands) { return .start(arrived) }
    if let end = end(conditions, hands) { return end }
    if trouble.retryAt.map({ $0 > conditions.now }) ?? false { return rest(conditions, hands) }
    if let settling = recovery.settling { return .settle(settling.settlements, of: settling.holder) }
    return goThroughRound(conditions, hands) ?? waitInLoop(conditions, hands) ?? rest(conditions, hands)
  }

  /// Goes on to the next step that needs something. When a whole round has needed nothing, there is nothing to do.
  private mutating func goThroughRound(_ conditions: Conditions, _ hands: Hands) -> Action? {
    var unneeded = 0
    while unneeded < Step.allCases.count {
      let current = step
      let action = need(current, conditions, hands)
      // What a crashed worker held is recovered in one go, unless that takes too long.
      if action == nil || current != .recovery || !mayGoOnRecovering(conditions.now) {
        if let next = Step(rawValue: current.rawValue + 1) {
          step = next
        } else {
          step = .lease
          recovery.count = 0
          // After an outage there is more to do, which comes in a round of its own.
          if action == nil && noteRound(conditions.now) { unneeded = -1 }
        }
      }
      if let action { return action }
      unneeded += 1
    }
    return nil
  }

  private mutating func need(_ step: Step, _ conditions: Conditions, _ hands: Hands) -> Action? {
    switch step {
    case .lease: return keepLease(conditions, hands)
    case .safety: return trouble.isSafetyKnown || !lease.isRegistered ? nil : .checkSafety
    case .turn: return needsTurn(conditions, hands) ? .turn(takeTurn(conditions, hands)) : nil
    case .recovery: return recover(hands)
    case .comparison: return compare()
    case .wait: return waitBeside(conditions, hands)
    case .dropping: return drop(conditions.now)
    case .counting: return claims.lostOutcomes > 0 ? .count(lost: claims.lostOutcomes) : nil
    }
  }

  /// Until when there is nothing to do, unless somebody wakes the loop.
  private func rest(_ conditions: Conditions, _ hands: Hands) -> Action {
    let now = conditions.now
    var moments = [hands.stop.next(after: now)]
    if let retryAt = trouble.retryAt, retryAt > now {
      moments.append(retryAt)
    } else {
      if lease.isRegistered { moments += [lease.renewAt, claims.lastTurn.map { $0 + options.lease / 3 }] }
      if dropping.mayHaveSurplus { moments.append(dropping.notBefore) }
      if waiting.current == nil { moments += [waiting.notBefore, claims.nextDue] }
      if claims.isLimited(now) && waiting.current == nil { moments.append(waiting.atLimitNotBefore) }
      moments += [claims.limitedUntil, conditions.gateway.next, hands.lookAgain(queue, now: now)]
    }
    // What is over already needs nothing now, or waits for what wakes the loop by itself.
    return .rest(until: moments.compactMap(\.self).filter { $0 > now }.min().map { max($0, now + Self.shortestRest) })
  }

  /// Bounds how often a loop looks that has nothing to do, whatever it waits for.
  private static let shortestRest = Duration.milliseconds(1)

  // MARK: The end

  /// Whether this queue takes on nothing new, and ends: with the worker, or because it is a shard that is to be no more.
  func isLeaving(_ hands: Hands) -> Bool { hands.stop.phase >= .draining || hands.isRetired(queue) }

  /// How it ends, if it is time.
  private mutating func end(_ conditions: Conditions, _ hands: Hands) -> Action? {
    guard isLeaving(hands) else { return nil }
    guard !isOpen(hands) || hands.stop.isOver(conditions.now) else { return nil }
    if lease.isRegistered && !trouble.isAway && !lease.hasAskedToLeave {
      lease.hasAskedToLeave = true
      if let life = lease.life { return .leave(life) }
    }
    let open = hands.inHand(queue) + claims.unsettled.count + (claims.unanswered?.settling.count ?? 0)
    return .end(unfinished: max(claims.givenBack + open, lease.leftBehind))
  }

  /// Whether something is to be done yet before the end.
  private func isOpen(_ hands: Hands) -> Bool {
    if hands.inHand(queue) > 0 || !claims.unsettled.isEmpty || recovery.settling != nil { return true }
    if let turn = claims.unanswered, !turn.settling.isEmpty { return true }
    // What an unanswered claim may have taken was never started: it is safe in Redis, and another worker's when the lease
    // ends. It is worth one more question, but not a wait for a Redis that is away.
    if trouble.isAway { return false }
    return claims.unanswered != nil || waiting.current?.claim != nil || recovery.mustCompare && lease.isRegistered
  }

  // MARK: What has happened

  /// Takes note of what came of an action, or happened by itself.
  package mutating func got(_ event: Event, now: Instant, _ hands: inout Hands) {
    switch event {
    case .finished(let finished): took(finished)
    case .began(let life): lease.begin(life)
    case .joined(let older, let gone): joined(older, gone: gone, now: now)
    case .renewed(let answer): renewed(answer, now: now, &hands)
    case .foundUnsafe(let found): foundUnsafe(found, &hands)
    case .turned(let answer): turned(answer, now: now)
    case .heard(let end): heard(end, now: now)
    case .askedForRing(let refusal): waiting.asked(refusal, now: now)
    case .fenced(let fenced): gotFenced(fenced)
    case .settled(let count): settledRecovered(count)
    case .compared(let answer): compared(answer)
    case .dropped(let surplus): dropping.dropped(surplus, notBefore: now + options.lease * 2)
    case .wroteOut(let count): dropping.wroteOut(count, notBefore: now + options.lease * 2)
    case .counted: claims.lostOutcomes = 0
    case .left(let claims): left(claims)
    case .failed(let error, let jitter): failed(error, jitter: jitter, now: now)
    }
    if case .finished = event { return }
    trouble.lateAt = nil
    hands.update(queue, standing(isTold: false, now), now: now)
  }

  /// A failure ends the round: what comes after what failed has to wait for it.
  mutating func endRound() { step = .lease }

  /// Where this queue stands, for the worker's others.
  private func standing(isTold: Bool, _ now: Instant) -> Hands.Standing {
    var standing = Hands.Standing()
    standing.lateAt = trouble.lateAt ?? waiting.current?.lateAt
    if let call = trouble.lateAt, let wait = waiting.current?.lateAt { standing.lateAt = min(call, wait) }
    standing.isTold = isTold
    // A queue that refuses its claims must not hold up the others.
    if trouble.isOn { return standing }
    standing.isWanting = lease.isRegistered && claims.mayHaveMessages && isSettledUp && !claims.isLimited(now)
    standing.isBlocked = claims.isBlocked
    standing.isBehindBell = waiting.current?.claim != nil
    if let request = waiting.current?.claim ?? claims.unanswered?.request, request.life == lease.life {
      standing.reserved = request.isEmptyHanded ? options.concurrency : request.limit
    }
    standing.reserved += claims.arrivedCount
    return standing
  }
}
