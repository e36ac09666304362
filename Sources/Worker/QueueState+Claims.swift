import MessageQueue
import RedisClient

// A turn: settle what is finished, claim what there is room for, in one round trip.
extension QueueState {
  struct Claims {
    /// The number of the next claim.
    fileprivate(set) var nextNumber = 0
    /// Claims that this life has in hand, or on their way to be settled.
    fileprivate(set) var known = ClaimNumbers()
    /// False while the last claim found the queue empty and the bell has not rung since.
    var mayHaveMessages = true
    /// As of the last claim a suspect is next in line, and the worker's hands were not empty.
    fileprivate(set) var isBlocked = false
    /// Until when the queue's limit lets nothing be claimed, as of the last claim.
    fileprivate(set) var limitedUntil: Instant?
    /// A turn that is not answered yet, or whose answer was lost: to be repeated before any other.
    var unanswered: Turn?
    /// Messages that have come and are neither started nor given back.
    fileprivate var arrived: [Arrived] = []
    /// Outcomes on their way to Redis.
    fileprivate(set) var unsettled: [Finished] = []
    /// Some of these may be recorded already: Redis refused the repeat of a turn that was perhaps carried out.
    fileprivate var mayBeSettled = false
    /// How many outcomes could not be recorded and are still to be counted in Redis.
    var lostOutcomes = 0
    /// When a turn of this life last succeeded: what its health means.
    fileprivate(set) var lastTurn: Instant?
    /// When the next scheduled message or retry is due, as of the last claim.
    fileprivate(set) var nextDue: Instant?
    var arrivedCount: Int { arrived.reduce(0) { $0 + $1.messages.count } }
    /// How many messages were given back because they, or their handlers, were cut short.
    fileprivate(set) var givenBack = 0
    /// Handlers were told to give back what they have.
    var isCutShort = false

    /// Claims that are settled by themselves: their numbers are not used again.
    mutating func skip(past claims: [ClaimedMessage]) {
      for claim in claims { nextNumber = max(nextNumber, claim.claimNumber + 1) }
    }

    /// The queue's limit was changed.
    mutating func limitChanged() { limitedUntil = nil }

    func isLimited(_ now: Instant) -> Bool { limitedUntil.map { now < $0 } ?? false }

    /// The life is over.
    ///
    /// - Returns: what can no longer be recorded.
    mutating func lost() -> [Finished] {
      defer { (unsettled, unanswered, nextNumber, known, lastTurn) = ([], nil, 0, ClaimNumbers(), nil) }
      return (unanswered?.settling ?? []) + unsettled
    }
  }

  /// The most outcomes that one turn settles: bounds the time that Redis spends in one script.
  private static let mostSettledPerTurn = 2_000

  /// A claim of this life stands behind the bell.
  var hasClaimBehindBell: Bool { waiting.current?.claim.map { $0.life == lease.life } ?? false }

  /// Nothing is under way that changes which claims Redis has.
  var isSettledUp: Bool { claims.unanswered == nil && !hasClaimBehindBell }

  // MARK: What is to be claimed and settled

  /// How many messages of this queue there is room for.
  func claimLimit(_ conditions: Conditions, _ hands: Hands) -> Int {
    guard hands.stop.phase == .running, !hands.isRetired(queue), !hasClaimBehindBell else { return 0 }
    // A suspect is next, and is only claimed by an empty hand.
    if claims.isBlocked && !hands.isEmpty(besides: queue, now: conditions.now) { return 0 }
    // But with a turn that is taken anyway, it is asked whether the limit still holds.
    if claims.isLimited(conditions.now) && !mustShowHealth(conditions.now) { return 0 }
    // While outcomes are refused, there must not be more and more of them.
    if trouble.isOn && !claims.unsettled.isEmpty { return 0 }
    return min(hands.room(queue, now: conditions.now), conditions.gateway.most)
  }

  func needsTurn(_ conditions: Conditions, _ hands: Hands) -> Bool {
    guard lease.isRegistered else { return false }
    // What is given back goes back in one turn, so that it stands in the queue in its old order.
    if let gatherUntil = hands.stop.gatherUntil, hands.inHand(queue) > 0, conditions.now < gatherUntil { return false }
    if claims.unanswered != nil || mustShowHealth(conditions.now) { return true }
    if conditions.hasPlenty { return false }
    return !claims.unsettled.isEmpty || claims.mayHaveMessages && claimLimit(conditions, hands) > 0
  }

  /// A worker that has no reason to claim, because its hands are full or it is quiet, takes a turn now and then all the
  /// same: its health says that it can claim, and only a claim can tell, if one of no messages.
  private func mustShowHealth(_ now: Instant) -> Bool {
    claims.lastTurn.map { now - $0 >= options.lease / 3 } ?? true
  }

  mutating func takeTurn(_ conditions: Conditions, _ hands: Hands) -> Turn {
    if claims.unanswered != nil {
      // Until it is answered, it is not known whether it was carried out.
      claims.unanswered?.isRepeat = true
    } else {
      let request = claimRequest(conditions, hands)
      var settling = settledNext()
      if settling.count < claims.unsettled.count {
        // More than a turn's worth, of which some may go back: newest first, so that it stands in its old order then.
        claims.unsettled.sort { $0.number > $1.number }
        settling = settledNext()
      }
      claims.unanswered = Turn(settling: settling, request: request, isRepeat: claims.mayBeSettled)
      claims.unsettled.removeFirst(settling.count)
    }
    let turn = claims.unanswered!
    // Set before the call: a bell that rings during it must not be forgotten.
    if turn.request.limit > 0 { claims.mayHaveMessages = false }
    noteBurials(turn.settling)
    return turn
  }

  /// As many outcomes as one turn settles.
  private func settledNext() -> [Finished] {
    var bytes = 0
    let most = min(claims.unsettled.count, Self.mostSettledPerTurn)
    for index in 0..<most {
      // Nearly all are, and move nothing.
      if case .sent = claims.unsettled[index].settlement.verb { continue }
      bytes += claims.unsettled[index].settlement.verb.movedBytes
      if bytes > MessageQueue.mostBytesPerCall && index > 0 { return Array(claims.unsettled[..<index]) }
    }
    return Array(claims.unsettled[..<most])
  }

  /// A request for as much as there is room for, and no more than `most`.
  func claimRequest(_ conditions: Conditions, _ hands: Hands, most: Int = .max) -> ClaimRequest {
    let isEmptyHanded = most >= options.concurrency && hands.isEmpty(besides: queue, now: conditions.now)
    return ClaimRequest(
      life: lease.life!,
      firstNumber: claims.nextNumber,
      limit: min(most, claimLimit(conditions, hands)),
      suspectAfter: options.suspectAfter,
      isEmptyHanded: isEmptyHanded,
      maxPayload: options.maxPayload,
      untriedFirst: conditions.gateway.isProbing,
      notesTime: options.notesClaimTime
    )
  }

  // MARK: What came of it

  mutating func turned(_ answer: TurnAnswer, now: Instant) {
    guard let turn = claims.unanswered else { return }
    claims.unanswered = nil
    claims.mayBeSettled = turn.isRepeat && answer.settled == nil
    if let settled = answer.settled {
      // By index: each message's outcome would be retained and released.
      for index in turn.settling.indices {
        claims.known.remove(turn.settling[index].number)
        if turn.settling[index].isCutShort { claims.givenBack += 1 }
      }
      // A repeat finds settled what the first call settled, so it cannot tell what is missing.
      if settled < turn.settling.count && !turn.isRepeat {
        say(.claimsMissing(turn.settling.count - settled, of: turn.settling))
      }
    } else {
      claims.unsettled = turn.settling + claims.unsettled
    }
    // What a repeat brings was perhaps not there before; and where outcomes are refused, more of them help nobody.
    let start: Arrived.Start = answer.refusal != nil ? .never : turn.isRepeat ? .whileRunning : .whileQuiet
    claimed(answer.claimed, by: turn.request, start, now: now)
    if let refusal = answer.refusal { failed(refusal, jitter: answer.jitter, now: now) }
  }

  /// Notes what was claimed, and what the answer says of the queue.
  mutating func claimed(_ claimed: ClaimAnswer?, by request: ClaimRequest, _ start: Arrived.Start, now: Instant) {
    guard let claimed else {
      // The lease is lost. The renewal tells to whom: a newer life of this name must not be superseded in turn.
      return lease.doubt(now: now)
    }
    // The first one is on record at once: a probe should not have to wait for the first renewal.
    if claims.lastTurn == nil { lease.doubt(now: now) }
    claims.lastTurn = now
    let count = claimed.messages.count + claimed.tooLarge.count
    noteForRing(claimed, took: count > 0)
    if request.limit > 0 {
      claims.isBlocked = claimed.isBlocked
      claims.limitedUntil = claimed.limitedFor.map { now + $0 }
      if claimed.messages.count == request.limit || claimed.isBlocked || claimed.isCutShort || claimed.limitedFor != nil
      {
        claims.mayHaveMessages = true
      }
      let isThere = claimed.waiting > 0 || claimed.nextDue == .zero
      if isThere && count == 0 && !claimed.paused && !claimed.isBlocked && claimed.limitedFor == nil {
        // Nothing is claimed outside a lease: by Redis' clock, which may have jumped, this one is over.
        lease.doubt(now: now)
        claims.mayHaveMessages = true
      }
      // What is due stays where it is while the queue is paused: nothing to be woken for.
      claims.nextDue = claimed.paused ? nil : claimed.nextDue.map { now + $0 }
      claims.nextNumber = claimed.nextNumber
      claims.known.insert(claimed.nextNumber - count..<claimed.nextNumber)
    }
    if let expired = claimed.expired { recovery.found(expired, mayTakeOver: lease.mayTakeOver(now)) }
    for message in claimed.tooLarge { bury(message) }
    if !claimed.messages.isEmpty {
      claims.arrived.append(
        Arrived(messages: claimed.messages, lifeNumber: lease.number, now: claimed.now, start: start)
      )
    }
  }

  /// Has messages put among the dead letters that are larger than this worker takes. What they hold it never sees.
  private mutating func bury(_ message: ClaimedMessage) {
    let reason = "payload_too_large: \(message.payloadSize) bytes, --max-payload is \(options.maxPayload)"
    say(.buried(message, reason: reason, code: "payload_too_large"))
    let verb = Settlement.Verb.dead(message.element(reason: reason))
    claims.unsettled.append(Finished(verb, of: message, lifeNumber: lease.number))
  }

  /// What has come and may be started. The rest is given back as if it had not been claimed.
  mutating func startArrived(_ conditions: Conditions, _ hands: inout Hands) -> Arrived? {
    while !claims.arrived.isEmpty {
      let arrived = claims.arrived.removeFirst()
      // A lease that is lost meanwhile took the claims along.
      guard arrived.lifeNumber == lease.number else { continue }
      let isSuspect = arrived.messages.contains { $0.history.crashes >= options.suspectAfter }
      let phase = hands.stop.phase
      let mayStart =
        switch arrived.start {
        case .whileQuiet: phase <= .quiet
        case .whileRunning: phase == .running
        case .never: false
        }
      // The gateway may have asked to slow down since the claim was sent.
      if mayStart && conditions.gateway.most > 0 && hands.mayStart(arrived.messages.count, isSuspect: isSuspect) {
        hands.started(arrived.messages.count, isSuspect: isSuspect, queue)
        say(.arrived(arrived.messages.count))
        return arrived
      }
      for message in arrived.messages {
        claims.unsettled.append(Finished(.back(message.element()), of: message, lifeNumber: lease.number))
      }
      claims.mayHaveMessages = true
    }
    return nil
  }

  /// Takes what handlers have finished. Outcomes of an earlier life are too late: the claims are another's.
  mutating func took(_ finished: [Finished]) {
    if finished.allSatisfy({ $0.lifeNumber == lease.number }) {
      claims.unsettled += finished
    } else {
      claims.unsettled += finished.filter { $0.lifeNumber == lease.number }
      reportLost(finished.filter { $0.lifeNumber != lease.number })
    }
  }

  /// Says of each outcome that cannot be recorded what it was: those messages may be sent again.
  mutating func reportLost(_ lost: [Finished]) {
    claims.lostOutcomes += lost.count
    claims.givenBack += lost.count(where: \.isCutShort)
    for finished in lost { say(.outcomeLost(finished)) }
  }
}
