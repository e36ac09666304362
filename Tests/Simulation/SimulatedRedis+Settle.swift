import MessageQueue
import RedisClient

// settle.lua
extension SimulatedRedis {
  package mutating func settle(
    _ settlements: [Settlement],
    of holder: ClaimHolder,
    now: Int64
  ) throws(RedisError) -> Int? {
    let life = holder.life
    try look(at: .workers)
    let isFenced = if case .fenced = holder { true } else { false }
    guard let index = index(of: life), let leaseEnd = state.lives[index].leaseEnd, (leaseEnd == 0) == isFenced else {
      return nil
    }
    try look(at: .list, .wake, .later, .dead, .stats)
    if settlements.isEmpty { return 0 }
    try mayRemove()
    try look(at: .claimed(life))

    var (settled, hasReturned) = (0, false)
    var others: [Settlement] = []
    for settlement in settlements {
      guard case .sent = settlement.verb else {
        others.append(settlement)
        continue
      }
      if takeClaim(settlement.claimID, index) != nil {
        settled += 1
        state.counters.sent += 1
      }
    }
    // As MessageQueue gives them to the script.
    if others.count > 1 { others.sort { $0.claimID > $1.claimID } }
    if !faults.isFull {
      for settlement in others {
        guard case .ended(let end, let id, _) = settlement.verb, holds(settlement.claimID, index) else { continue }
        state.done[id] = "\(now) \(end.text)"
      }
    }
    for settlement in others {
      guard let element = takeClaim(settlement.claimID, index) else { continue }
      settled += 1
      switch settlement.verb {
      case .ended(let end, _, _) where end.outcome == .sent:
        state.counters.sent += 1
      case .sent, .expired, .ended:
        state.counters.expired += 1
      case .retry(let envelope, let delay):
        state.later.add(Self.stored(element, envelope), score: now + delay.milliseconds)
        state.counters.retried += 1
      case .later(let envelope, let time):
        state.later.add(Self.stored(element, envelope), score: time)
      case .dead(let envelope):
        state.dead.add(Self.stored(element, envelope), score: now)
        state.counters.deadTotal += 1
      case .back(let envelope):
        state.waiting.append(Self.stored(element, envelope))
        hasReturned = true
        if case .own = holder { state.counters.returned += 1 } else { state.counters.recovered += 1 }
      }
    }
    if hasReturned && state.wake < 8 { state.wake += 1 }
    return settled
  }

  /// Two scripts in one round trip: the claim is carried out whatever became of the settlement.
  package mutating func turn(
    settling settlements: [Settlement],
    claiming request: ClaimRequest,
    now: Int64
  ) throws(RedisError) -> (settled: Int?, refusal: RedisError?, claimed: ClaimAnswer?) {
    if settlements.isEmpty { return (0, nil, try claim(request, now: now)) }
    var (settled, refusal) = (Int?.none, RedisError?.none)
    do throws(RedisError) {
      settled = try settle(settlements, of: .own(request.life), now: now)
    } catch {
      refusal = error
    }
    return (settled, refusal, try claim(request, now: now))
  }

  /// Refused in silence, as there: it is not worth a failure.
  package mutating func count(lost: Int) {
    if faults.isReadOnly || faults.isFull || refuses(.stats) { return }
    state.counters.lost += lost
  }

  private func holds(_ claimID: String, _ index: Int) -> Bool {
    let number = state.lives[index].life.number(ofClaim: claimID)
    return number.flatMap(state.lives[index].index(ofClaim:)) != nil
  }

  private mutating func takeClaim(_ claimID: String, _ index: Int) -> SimulatedElement? {
    guard let number = state.lives[index].life.number(ofClaim: claimID),
      let claim = state.lives[index].index(ofClaim: number)
    else { return nil }
    return state.lives[index].claims.remove(at: claim).element
  }

  private static func stored(_ element: SimulatedElement, _ envelope: Envelope) -> SimulatedElement {
    var payload = element.payload
    if envelope.payloadSize != payload.count {
      // Another message's envelope: what string.sub makes of that. A history in which this happens has lost a message.
      let bytes = element.sealed
      let start = bytes.count - envelope.payloadSize
      payload = Array(bytes.dropFirst(start < -1 ? max(bytes.count + start + 1, 0) : max(start, 0)))
    }
    return SimulatedElement(history: envelope.history, reason: envelope.reason, payload: payload)
  }
}
