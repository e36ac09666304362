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
      let olderLives = try await session.queue.join(session.life, lease: options.lease)
      session.isRegistered = true
      session.mayHaveMessages = true
      for life in olderLives { session.toRecover[life] = .superseded }
      noteRenewal(session, askedFor: now)
      // Redis may just be back from an outage that this life has not seen: time for those that are well to renew.
      session.takeOverAt = max(session.takeOverAt, now + options.lease / 2)
    } else if now >= session.renewAt {
      let lastClaim = session.lastTurn.map { now - $0 }
      let answer = try await session.queue.renew(session.life, lease: options.lease, lastClaim: lastClaim)
      switch answer {
      case .renewed:
        noteRenewal(session, askedFor: now)
      case .lost(let newer):
        loseLife(session, unrecorded: session.unanswered?.settling ?? [])
        successor = newer
      }
    }
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
  func loseLife(_ session: QueueSession, unrecorded: [Finished]) {
    session.lease.revoke()
    logger.error(
      "lease-lost",
      metadata: [
        "queue": "\(session.queue.name)",
        "in_hand": "\(inHand)",
        "hint": "this worker could not renew its lease for \(options.lease); what it held is another worker's now",
      ]
    )
    reportLost(unrecorded + session.unsettled, session)
    session.unsettled = []
    session.unanswered = nil
    session.life = WorkerLife(name: options.name)
    session.lease = LeaseClock()
    session.isRegistered = false
    session.nextNumber = 0
    session.lastTurn = nil
  }

  /// Takes one step in taking back what other lives held.
  func recover(_ session: QueueSession) async throws(RedisError) {
    guard session.isRegistered, mayRegister, let (life, why) = session.toRecover.first else { return }
    let claims = try await session.queue.fence(life, superseded: why == .superseded)
    guard let claims, !claims.isEmpty else {
      session.toRecover[life] = nil
      return
    }
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
  }

  private func reportRecovered(
    _ count: Int,
    from life: WorkerLife,
    _ recovered: some Sequence<(ClaimedMessage, Settlement)>,
    _ session: QueueSession
  ) {
    for (message, settlement) in recovered {
      guard case .dead(let element) = settlement.verb else { continue }
      var fields = handler.describe(message)
      fields["queue"] = "\(session.queue.name)"
      fields["attempt"] = "\(message.attempt)"
      fields["reason"] = "\(element.reason ?? "")"
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
