import MessageQueue
import RedisClient

// fence.lua, reconcile.lua
extension SimulatedRedis {
  package mutating func fence(
    _ life: WorkerLife,
    isGone: Bool,
    limit: Int = 500,
    mostBytes: Int = MessageQueue.mostBytesPerCall,
    now: Int64
  ) throws(RedisError) -> FencedClaims? {
    try look(at: .workers)
    guard let index = index(of: life), let leaseEnd = state.lives[index].leaseEnd, leaseEnd <= now || isGone else {
      return nil
    }
    try look(at: .claimed(life), .turns)
    try mayRemove()
    let claims = state.lives[index].claims
    if claims.isEmpty {
      strikeOff(at: index)
      return FencedClaims(claims: [], remaining: 0)
    }
    state.lives[index].leaseEnd = 0

    var page = Page(limit: limit, mostBytes: mostBytes)
    var above = state.lives[index].nextNumber ?? 0
    if claims.count > limit && above > 0 {
      var passed = 0
      for number in (0..<above).reversed() {
        if let claim = state.lives[index].index(ofClaim: number) {
          if !page.append(claims[claim], handedOut(claims[claim], life)) { break }
        } else if page.messages.isEmpty {
          above = number
        }
        passed += 1
        if passed == 4 * limit { break }
      }
      state.lives[index].nextNumber = above
    } else {
      for claim in claims.reversed() {
        if !page.append(claim, handedOut(claim, life)) { break }
      }
    }
    return FencedClaims(claims: page.messages, remaining: claims.count)
  }

  package func reconcile(
    _ life: WorkerLife,
    known: [Int],
    before nextNumber: Int = .max,
    limit: Int = 500,
    mostBytes: Int = MessageQueue.mostBytesPerCall
  ) throws(RedisError) -> ReconcileAnswer? {
    try look(at: .workers)
    guard let index = index(of: life), state.lives[index].isRegistered else { return nil }
    try look(at: .claimed(life))
    let unknown = state.lives[index].claims.filter { $0.number < nextNumber && !known.contains($0.number) }
    var page = Page(limit: limit, mostBytes: mostBytes)
    if limit > 0 {
      for claim in unknown.reversed() {
        if !page.append(claim, handedOut(claim, life)) { break }
      }
    }
    return ReconcileAnswer(lost: page.messages, count: unknown.count)
  }

  /// Of a payload over 16 KiB it is the size.
  private func handedOut(_ claim: Claim, _ life: WorkerLife) -> ClaimedMessage {
    claim.element.claimed(as: life.claimID(claim.number), of: queue, maxPayload: MessageQueue.largestFencedPayload)
  }

  /// Claims that are handed out in one call.
  private struct Page {
    let limit: Int
    let mostBytes: Int
    private(set) var messages: [ClaimedMessage] = []
    private var bytes = 0

    init(limit: Int, mostBytes: Int) {
      self.limit = limit
      self.mostBytes = mostBytes
    }

    /// - Returns: whether there may be room for more.
    mutating func append(_ claim: Claim, _ message: @autoclosure () -> ClaimedMessage) -> Bool {
      bytes += claim.element.byteCount
      if bytes > mostBytes && !messages.isEmpty { return false }
      messages.append(message())
      return messages.count < limit
    }
  }
}
