import Logging
import MessageQueue
import RedisClient

// A turn: settle what is finished, claim what there is room for, in one round trip.
extension Worker {
  /// The most outcomes that one turn settles: bounds the time that Redis spends in one script.
  private static let mostSettledPerTurn = 2_000

  /// How long a suspect waits for the hands to be empty while a more urgent queue has messages.
  private static let suspectPatience = Duration.seconds(1)

  /// How many messages of this queue there is room for.
  func claimLimit(_ session: QueueSession) -> Int {
    guard control.phase == .running, successor == nil, !hasSuspect else { return 0 }
    if let request = session.claimBehindBell, request.life == session.life { return 0 }
    // While outcomes are refused, there must not be more and more of them.
    if session.trouble.isOn && !session.unsettled.isEmpty { return 0 }
    // A suspect that is next in its queue waits for an empty hand, and must get it: from its own queue and the less urgent
    // ones at once, and in the end from all.
    if let overdue = sessions.first(where: isOverdue), overdue !== session { return 0 }
    let taken = roomTaken(besides: session)
    if taken > 0 {
      for other in sessions {
        if isBlocked(other) { return 0 }
        if other === session { break }
      }
    }
    return max(0, min(options.concurrency - taken, dispatcher.watch.allowance()))
  }

  /// A suspect is next in the queue, and nothing but full hands keeps it there.
  private func isBlocked(_ session: QueueSession) -> Bool { session.blockedSince != nil && !session.trouble.isOn }

  private func isOverdue(_ session: QueueSession) -> Bool {
    // While a claim stands behind some bell, its hand would not be empty in any case.
    guard let since = session.blockedSince, isBlocked(session), !sessions.contains(where: { $0.claimBehindBell != nil })
    else { return false }
    return ContinuousClock.now - since >= Self.suspectPatience
  }

  /// How many messages are in hand, or may be soon: other queues' claims that are not answered may bring as many as they
  /// asked for, or a suspect, which must be alone. A queue that refuses its claims must not hold up the others.
  private func roomTaken(besides session: QueueSession) -> Int {
    sessions.reduce(inHand) { sum, other in
      if other === session { return sum }
      let unanswered = other.trouble.isOn ? nil : other.unanswered?.request
      guard let request = other.claimBehindBell ?? unanswered, request.life == other.life else { return sum }
      return sum + (request.isEmptyHanded ? options.concurrency : request.limit)
    }
  }

  func needsTurn(_ session: QueueSession) -> Bool {
    guard session.isRegistered else { return false }
    // What is given back goes back in one turn, so that it stands in the queue in its old order.
    if let abortUntil, inHand > 0, ContinuousClock.now < abortUntil - Self.abortTime / 2 { return false }
    if session.unanswered != nil || mustShowHealth(session) { return true }
    if dispatcher.hasPlenty { return false }
    return !session.unsettled.isEmpty || session.mayHaveMessages && claimLimit(session) > 0
  }

  /// A worker that has no reason to claim, because its hands are full or it is quiet, takes a turn now and then all the
  /// same: its health says that it can claim, and only a claim can tell, if one of no messages.
  private func mustShowHealth(_ session: QueueSession) -> Bool {
    session.lastTurn.map { ContinuousClock.now - $0 >= options.lease / 3 } ?? true
  }

  func takeTurn(_ session: QueueSession) async throws(RedisError) {
    guard needsTurn(session) else { return }

    let turn: QueueSession.Turn
    if let unanswered = session.unanswered {
      turn = unanswered
    } else {
      let request = claimRequest(session)
      var settling = settledNext(session)
      if settling.count < session.unsettled.count {
        // More than a turn's worth, of which some may go back: newest first, so that it stands in its old order then.
        session.unsettled.sort { $0.settlement.claimID > $1.settlement.claimID }
        settling = settledNext(session)
      }
      turn = .init(settling: settling, request: request)
      session.unsettled.removeFirst(turn.settling.count)
    }
    // Until it is answered, it is not known whether it was carried out.
    session.unanswered = turn
    session.unanswered?.isRepeat = true
    // Set before the call: a bell that rings during it must not be forgotten.
    if turn.request.limit > 0 { session.mayHaveMessages = false }
    let settlements = turn.settling.map(\.settlement)
    noteBurials(settlements, session)
    let answer = try await session.queue.turn(
      settling: settlements,
      claiming: turn.request
    )
    session.unanswered = nil

    if let settled = answer.settled {
      note(settled: settled, of: turn, session)
    } else {
      session.unsettled = turn.settling + session.unsettled
    }
    // A stop may have come in between; what a repeat brings was perhaps not there before; and where outcomes are refused,
    // more of them help nobody.
    let mayStart = control.phase == .running || control.phase == .quiet && !turn.isRepeat
    note(answer.claimed, to: turn.request, session, mayStart: mayStart && answer.refusal == nil)
    if let refusal = answer.refusal { throw refusal }
  }

  /// As many outcomes as one turn settles.
  private func settledNext(_ session: QueueSession) -> [Finished] {
    var bytes = 0
    let most = min(session.unsettled.count, Self.mostSettledPerTurn)
    for index in 0..<most {
      // Nearly all are, and move nothing.
      if case .sent = session.unsettled[index].settlement.verb { continue }
      bytes += session.unsettled[index].settlement.verb.movedBytes
      if bytes > MessageQueue.mostBytesPerCall && index > 0 { return Array(session.unsettled[..<index]) }
    }
    return Array(session.unsettled[..<most])
  }

  /// A request for as much as there is room for, and no more than `most`.
  func claimRequest(_ session: QueueSession, most: Int = .max) -> ClaimRequest {
    ClaimRequest(
      life: session.life,
      firstNumber: session.nextNumber,
      limit: min(most, claimLimit(session)),
      suspectAfter: options.suspectAfter,
      isEmptyHanded: most >= options.concurrency && roomTaken(besides: session) == 0,
      maxPayload: options.maxPayload,
      untriedFirst: dispatcher.watch.isProbing
    )
  }

  /// Starts what was claimed, and notes what the answer says of the queue.
  ///
  /// - Parameter mayStart: false to give back what was claimed, which is also done where there is no room for it any more.
  func note(_ claimed: ClaimAnswer?, to request: ClaimRequest, _ session: QueueSession, mayStart: Bool) {
    guard let claimed else {
      // The lease is lost. The renewal tells to whom: a newer life of this name must not be superseded in turn.
      session.renewAt = .now
      control.ring()
      return
    }
    // The first one is on record at once: a probe should not have to wait for the first renewal.
    if session.lastTurn == nil {
      session.renewAt = .now
      control.ring()
    }
    session.lastTurn = .now
    if !claimed.messages.isEmpty || !claimed.tooLarge.isEmpty { session.hasTaken = true }
    if claimed.waiting > 0 {
      session.mustAskForRing = false
    } else if claimed.isListener || session.hasTaken {
      session.mustAskForRing = true
    }
    session.isAlone = claimed.isAlone
    if request.limit > 0 {
      session.blockedSince = claimed.isBlocked ? session.blockedSince ?? .now : nil
      if claimed.messages.count == request.limit || claimed.isBlocked || claimed.isCutShort {
        session.mayHaveMessages = true
      }
      // What is due stays where it is while the queue is paused: nothing to be woken for.
      session.nextDue = claimed.paused ? nil : claimed.nextDue.map { .now + $0 }
      session.nextNumber = claimed.nextNumber
    }
    if let expired = claimed.expired, session.toRecover[expired] == nil, ContinuousClock.now >= session.takeOverAt {
      session.toRecover[expired] = .expired
    }
    bury(claimed.tooLarge, session)
    start(claimed.messages, now: claimed.now, session, mayStart: mayStart)
  }

  /// Takes what handlers have finished. Outcomes of an earlier life are too late: the claims are another's.
  func collect(_ session: QueueSession) {
    let finished = session.finished.takeAll()
    inHand -= finished.count
    if inHand == 0 { hasSuspect = false }
    let late = finished.filter { $0.lease !== session.lease }
    if late.isEmpty {
      session.unsettled += finished
    } else {
      session.unsettled += finished.filter { $0.lease === session.lease }
      reportLost(late, session)
    }
  }

  private func note(settled: Int, of turn: QueueSession.Turn, _ session: QueueSession) {
    // A repeat finds settled what the first call settled, so it cannot tell what is missing.
    if settled < turn.settling.count && !turn.isRepeat {
      logger.error(
        "claims-missing",
        metadata: [
          "queue": "\(session.queue.name)",
          "missing": "\(turn.settling.count - settled)",
          "of": "\(turn.settling.map(\.messageID).joined(separator: ","))",
        ]
      )
    }
  }

  /// Says of each outcome that cannot be recorded what it was: those messages may be sent again.
  func reportLost(_ lost: [Finished], _ session: QueueSession) {
    session.lostOutcomes += lost.count
    for finished in lost {
      logger.error(
        "outcome-lost",
        metadata: [
          "id": "\(finished.messageID)",
          "queue": "\(session.queue.name)",
          "outcome": "\(finished.settlement.verb.name)",
          "hint": "the lease had ended; the message is another worker's and may be sent again",
        ]
      )
    }
  }

  private func start(_ messages: [ClaimedMessage], now: Int64, _ session: QueueSession, mayStart: Bool) {
    if messages.isEmpty { return }
    let isSuspect = messages.contains { $0.history.crashes >= options.suspectAfter }
    // Where an answer was long in coming, others may have been given its room.
    let hasRoom = inHand + messages.count <= options.concurrency && !hasSuspect && (!isSuspect || inHand == 0)
    // The gateway may have asked to slow down since the claim was sent.
    guard mayStart && hasRoom && dispatcher.watch.allowance() > 0 else { return giveBack(messages, session) }
    inHand += messages.count
    hasSuspect = isSuspect
    let claims = Dispatcher.Claims(lease: session.lease, finished: session.finished, now: now)
    logger.debug("claimed", metadata: ["queue": "\(session.queue.name)", "messages": "\(messages.count)"])
    dispatcher.start(messages, claims)
  }

  /// Has messages put among the dead letters that are larger than this worker takes. What they hold it never sees.
  private func bury(_ messages: [ClaimedMessage], _ session: QueueSession) {
    for message in messages {
      let reason = "payload_too_large: \(message.payloadSize) bytes, --max-payload is \(options.maxPayload)"
      logger.warning(
        "dead",
        metadata: [
          "id": "\(message.assignedID)",
          "queue": "\(session.queue.name)",
          "attempt": "\(message.attempt)",
          "code": "payload_too_large",
          "reason": "\(reason)",
        ]
      )
      let settlement = Settlement(claimID: message.claimID, .dead(message.element(reason: reason)))
      session.unsettled.append(
        Finished(settlement: settlement, lease: session.lease, messageID: message.assignedID)
      )
    }
  }

  /// Has messages settled that were never started, as if they had not been claimed.
  private func giveBack(_ messages: [ClaimedMessage], _ session: QueueSession) {
    for message in messages {
      let settlement = Settlement(claimID: message.claimID, .back(message.element()))
      session.unsettled.append(
        Finished(settlement: settlement, lease: session.lease, messageID: message.assignedID)
      )
    }
    session.mayHaveMessages = true
  }
}
