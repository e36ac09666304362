import Logging
import MessageQueue
import RedisClient

// Leases: how a worker keeps its claims, loses them, and takes over those of others.
extension Worker {
  /// Registers this life, or renews its lease when a third of it is over.
  func keepLease(_ session: QueueSession) async throws(RedisError) {
    let now = ContinuousClock.now
    if !session.isRegistered {
      guard mayRegister else { return }
      session.olderLives = try await session.queue.join(session.life, lease: options.lease)
      session.isRegistered = true
      session.mayHaveMessages = true
      for life in session.olderLives where life.process.map(ProcessIdentity.isGone) == true {
        session.toRecover[life] = .gone
      }
      noteRenewal(session, askedFor: now)
      // Redis may just be back from an outage that this life has not seen: time for those that are well to renew.
      session.takeOverAt = max(session.takeOverAt, now + options.lease / 2)
    } else if now >= session.renewAt {
      let lastClaim = session.lastTurn.map { now - $0 }
      let answer = try await session.queue.renew(session.life, lease: options.lease, lastClaim: lastClaim)
      let newer = answer.others.subtracting(session.olderLives).first
      if answer.isRenewed {
        noteRenewal(session, askedFor: now)
      } else {
        loseLife(session, to: newer, unrecorded: session.unanswered?.settling ?? [])
      }
      if let newer { noteSuccessor(newer, session) }
    }
  }

  /// A newer worker has this one's name: this one finishes what it has in hand, and ends.
  private func noteSuccessor(_ life: WorkerLife, _ session: QueueSession) {
    guard successor == nil else { return }
    successor = life
    logger.error(
      "superseded",
      metadata: [
        "by": "\(life.id)",
        "in_hand": "\(inHand)",
        "hint": "two workers run with the same --name, and this one, the older, ends; give each its own",
      ]
    )
  }

  /// A worker that could not renew for half of its lease does not take over from others before another lease is over.
  ///
  /// When Redis was away, or refused to write, for longer than the leases, all of them have ended, of workers that are
  /// well and about to renew, too. Whoever came back first would take the others' messages and send them again,
  /// although nobody crashed. Half a lease, because the others renew every third of theirs and are back within a sixth
  /// (`noteFailure`): an outage that was shorter has ended no lease.
  private func noteRenewal(_ session: QueueSession, askedFor asked: ContinuousClock.Instant) {
    let now = ContinuousClock.now
    if now - session.renewedAt > options.lease / 2 {
      session.takeOverAt = now + options.lease
      session.toRecover = session.toRecover.filter { $0.value != .expired }
    }
    session.renewedAt = asked
    session.lease.extend(from: asked, by: options.lease)
    session.renewAt = asked + options.lease / 3
    // Dead letters grow old where nothing dies, too.
    session.mayHaveSurplus = true
    ring(after: session.renewAt - now)
  }

  /// The claims of this life are another's: nothing of it starts any more, nothing of it is recorded. A new life begins.
  ///
  /// - Parameter newer: a newer life of the same name, if there is one.
  private func loseLife(_ session: QueueSession, to newer: WorkerLife?, unrecorded: [Finished]) {
    let why = Self.reasonOfLoss(leaseHeld: session.lease.holds, newer, lease: options.lease)
    session.lease.revoke()
    logger.error(
      "lease-lost",
      metadata: ["queue": "\(session.queue.name)", "in_hand": "\(inHand)", "hint": "\(why)"]
    )
    reportLost(unrecorded + session.unsettled, session)
    session.unsettled = []
    session.unanswered = nil
    session.life = WorkerLife(name: options.name, process: ProcessIdentity.own)
    session.lease = LeaseClock()
    session.isRegistered = false
    session.nextNumber = 0
    session.lastTurn = nil
  }

  /// What there is to say of a lost lease.
  ///
  /// - Parameter leaseHeld: whether, as far as this worker knows, it had renewed it in time.
  static func reasonOfLoss(leaseHeld: Bool, _ newer: WorkerLife?, lease: Duration) -> String {
    if !leaseHeld { return "this worker could not renew its lease for \(lease); what it held is another worker's now" }
    if let newer { return "\(newer.id), a newer worker with the same --name, has taken over what this one held" }
    return "Redis does not know this worker any more, though its lease held: FLUSHALL, a failover, or another program"
  }

  /// Takes back some of what other lives held. What one call to Redis would settle, were it not for its bytes, is settled
  /// before anything else is claimed, so that it stands in the queue in its old order; unless that takes too long.
  func recover(_ session: QueueSession) async throws(RedisError) {
    var count = 0
    repeat {
      guard let recovered = try await recoverNext(session) else { return }
      count += recovered
    } while count < 500 && ContinuousClock.now < session.renewAt
  }

  /// Takes one step in that.
  ///
  /// - Returns: of how many claims; nil where there was nothing to do, or a life is done with.
  private func recoverNext(_ session: QueueSession) async throws(RedisError) -> Int? {
    guard session.isRegistered, mayRegister, let (life, why) = session.toRecover.first else { return nil }
    let fenced = try await session.queue.fence(life, isGone: why == .gone)
    guard let fenced, fenced.remaining > 0 else {
      session.toRecover[life] = nil
      return nil
    }
    // It may take more than one call to find some.
    let claims = fenced.claims
    if claims.isEmpty { return 0 }
    let settlements = claims.map { recovered($0) }
    noteBurials(settlements, session)
    session.mayHaveMessages = true
    let settled: Int?
    do throws(RedisError) {
      settled = try await session.queue.settle(settlements, of: .fenced(life))
    } catch {
      // If it was carried out, nothing will be found the next time: better said twice than never.
      if error.treatment == .reconnect { reportRecovered(claims.count, from: life, zip(claims, settlements), session) }
      throw error
    }
    // Where another worker was faster, it has said so.
    if let settled, settled > 0 { reportRecovered(settled, from: life, zip(claims, settlements), session) }
    return claims.count
  }

  private func reportRecovered(
    _ count: Int,
    from life: WorkerLife,
    _ recovered: some Sequence<(ClaimedMessage, Settlement)>,
    _ session: QueueSession
  ) {
    for (message, settlement) in recovered {
      guard case .dead(let envelope) = settlement.verb else { continue }
      var fields = handler.describe(message)
      fields["queue"] = "\(session.queue.name)"
      fields["attempt"] = "\(message.attempt)"
      fields["reason"] = "\(envelope.reason ?? "")"
      logger.warning("dead", metadata: fields)
    }
    logger.warning(
      "recovered",
      metadata: ["queue": "\(session.queue.name)", "from": "\(life.id)", "messages": "\(count)"]
    )
  }

  /// What becomes of a message whose worker went away with it in hand.
  private func recovered(_ claim: ClaimedMessage) -> Settlement {
    let crashes = claim.history.crashes + 1
    if crashes >= options.maxCrashes {
      let reason = "poison: in hand in \(crashes) crashes"
      return Settlement(claimID: claim.claimID, .dead(claim.element(crashes: 1, reason: reason)))
    }
    if options.afterCrash == .hold {
      let reason = "unknown: in hand when its worker crashed; it may have been sent"
      return Settlement(claimID: claim.claimID, .dead(claim.element(crashes: 1, reason: reason)))
    }
    return Settlement(claimID: claim.claimID, .back(claim.element(crashes: 1)))
  }
}
