import RedisClient

/// What became of one claim.
package struct Settlement: Sendable, Equatable {
  /// Indirect, because nearly all are `sent`, and each is handed on many times: a word, and not a whole element's room.
  package indirect enum Verb: Sendable, Equatable {
    case sent
    case expired
    /// Sent or expired, and kept to be asked for, for so long.
    case ended(MessageEnd, id: String, keptFor: Duration)
    /// Back to the queue when the delay is over.
    case retry(Envelope, after: Duration)
    /// Back to the queue at this time, Unix ms by Redis' clock, as if it had not been claimed. Those of one time come back in the
    /// order of their envelopes' bytes, which begin with when they were first claimed, where that is noted.
    case later(Envelope, at: Int64)
    /// To the dead letters; the envelope names the reason.
    case dead(Envelope)
    /// Back to the right end of the list, next in line, without a failure or a crash more than it had.
    case back(Envelope)

    /// The verb's word in the script and in logs.
    package var name: String {
      switch self {
      case .sent: "sent"
      case .expired: "expired"
      case .ended(let end, _, _): end.outcome.rawValue
      case .retry: "retry"
      case .later: "later"
      case .dead: "dead"
      case .back: "back"
      }
    }

    /// How many bytes of payload it moves from one key to another.
    package var movedBytes: Int {
      switch self {
      case .sent, .expired, .ended: 0
      case .retry(let envelope, _), .later(let envelope, _), .dead(let envelope), .back(let envelope):
        envelope.payloadSize
      }
    }
  }

  package let claimID: String
  package let verb: Verb

  package init(claimID: String, _ verb: Verb) {
    self.claimID = claimID
    self.verb = verb
  }
}

/// Whose claims are settled.
package enum ClaimHolder: Sendable, Equatable {
  /// The caller's own, which it has in hand.
  case own(WorkerLife)
  /// The caller's own that it did not know of: ``MessageQueue/reconcile(_:known:before:limit:mostBytes:)``. What goes back
  /// counts as recovered, and not as returned.
  case lost(WorkerLife)
  /// Those of a life that ``MessageQueue/fence(_:isGone:limit:mostBytes:)`` has fenced.
  case fenced(WorkerLife)

  package var life: WorkerLife {
    switch self {
    case .own(let life), .lost(let life), .fenced(let life): life
    }
  }
}

extension MessageQueue {
  /// Records outcomes. May be repeated: a claim is settled once however often it is asked for.
  ///
  /// - Parameter settlements: bounded by the caller, in number and in ``Settlement/Verb/movedBytes``.
  /// - Returns: how many of the claims were still there: fewer than asked for where some were settled before, or are lost.
  ///   Nil when the claims are not the caller's any more; nothing was done then.
  package func settle(_ settlements: [Settlement], of holder: ClaimHolder) async throws(RedisError) -> Int? {
    try settleAnswer(try await connection.call(settleCall(settlements, of: holder)))
  }

  /// Counts outcomes that came too late to be recorded, because the claims had become another's.
  package func count(lost: Int) async throws(RedisError) {
    // Not worth a failure: a full Redis refuses it, and the log has named each of them.
    _ = try await connection.run([RedisCommand("HINCRBY", keys.stats, "lost", String(lost))])
  }

  /// Records outcomes and claims more, in one round trip. May be repeated as it was.
  ///
  /// - Returns: `settled` and `claimed` are nil when the life is not registered any more. `refusal` is what Redis said to
  ///   the settlement, if that was an error: nothing was settled; it claims all the same.
  /// - Throws: ``RedisError``: what was done is not known, and the turn is to be repeated.
  package func turn(
    settling settlements: [Settlement],
    claiming request: ClaimRequest
  ) async throws(RedisError) -> (settled: Int?, refusal: RedisError?, claimed: ClaimAnswer?) {
    if settlements.isEmpty {
      let reply = try await connection.call(claimCall(request))
      return (0, nil, try claimAnswer(reply, to: request))
    }
    let replies = try await connection.call([
      settleCall(settlements, of: .own(request.life)), claimCall(request),
    ])
    let claimed = try claimAnswer(replies[1], to: request)
    do throws(RedisError) {
      return (try settleAnswer(replies[0]), nil, claimed)
    } catch {
      return (nil, error, claimed)
    }
  }

  private func settleCall(_ settlements: [Settlement], of holder: ClaimHolder) -> ScriptCall {
    // Newest first: of those that go back, the oldest ends up next in line.
    let others = settlements.filter { if case .sent = $0.verb { false } else { true } }
      .sorted { $0.claimID > $1.claimID }
    var keys = [
      keys.list, keys.wake, keys.later, keys.dead, keys.stats, keys.workers, keys.claimed(holder.life),
    ]
    var recordKey = keys.count
    for other in others { if case .ended(_, let id, _) = other.verb { keys.append(self.keys.done(id)) } }
    keys.append(self.keys.absent)
    var call = ScriptCall(.settle, keys: keys)
    call.append(holder.life.id)
    switch holder {
    case .own: call.append("owner")
    case .lost: call.append("lost")
    case .fenced: call.append("fenced")
    }

    call.append(settlements.count - others.count)
    for settlement in settlements { if case .sent = settlement.verb { call.append(settlement.claimID) } }
    for settlement in others {
      switch settlement.verb {
      case .sent: continue
      case .expired: append(settlement, 0, [], 0, to: &call)
      case .ended(let end, _, let time):
        recordKey += 1
        append(settlement, time.milliseconds, Array(end.text.utf8), recordKey, to: &call)
      case .retry(let envelope, let delay): append(settlement, delay.milliseconds, envelope, to: &call)
      case .later(let envelope, let time): append(settlement, time, envelope, to: &call)
      case .dead(let envelope), .back(let envelope): append(settlement, 0, envelope, to: &call)
      }
    }
    return call
  }

  private func append(
    _ settlement: Settlement,
    _ time: Int64,
    _ envelope: Envelope,
    to call: inout ScriptCall
  ) {
    append(settlement, time, envelope.header, envelope.payloadSize, to: &call)
  }

  private func append(
    _ settlement: Settlement,
    _ time: Int64,
    _ line: [UInt8],
    _ number: Int,
    to call: inout ScriptCall
  ) {
    call.append(settlement.verb.name)
    call.append(settlement.claimID)
    call.append(time)
    call.append(line)
    call.append(number)
  }

  private func settleAnswer(_ reply: RedisReply) throws(RedisError) -> Int? {
    let fields = try reply.elements(1, of: .settle)
    if fields[0].integer == 0 { return nil }
    return Int(try reply.elements(2, of: .settle)[1].integer ?? 0)
  }
}
