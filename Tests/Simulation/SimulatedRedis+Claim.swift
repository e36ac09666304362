import MessageQueue
import RedisClient

// claim.lua
extension SimulatedRedis {
  package mutating func claim(_ request: ClaimRequest, now: Int64) throws(RedisError) -> ClaimAnswer? {
    if faults.isReadOnly {
      // Only one that writes is refused.
      var writable = self
      writable.faults.isReadOnly = false
      let answer = try writable.claim(request, now: now)
      if writable.state != state { try mayRemove() }
      return answer
    }
    try look(at: .workers)
    guard let index = index(of: request.life), state.lives[index].isRegistered else { return nil }
    try look(at: .list, .wake, .later, .turns, .claimed(request.life), .limit)

    var (hand, first) = claimedBefore(request, index)
    var (isBlocked, limitedFor) = (false, Duration?.none)
    var bucket = state.limit?.bucket(now)
    if hand.isEmpty, !state.isPaused, state.lives[index].leaseEnd! > now, request.limit > 0 {
      if let bucket, let left = state.limit?.left, left.since > now { state.limit?.left = (bucket, now) }
      let allowed = bucket.map { min(request.limit, Int($0 / 1_000_000)) } ?? request.limit
      promote(request, allowed, now)
      let count: Int
      (count, isBlocked) = nextInLine(request, allowed)
      if count > 0 {
        hand = state.waiting.suffix(count).reversed()
        state.waiting.removeLast(count)
        for (offset, element) in hand.enumerated() {
          let kept = request.notesTime ? element.stamped(now) : element
          state.lives[index].add(Claim(number: first + offset, element: kept))
        }
        state.lives[index].nextNumber = first + count
        if let had = bucket {
          bucket = had - Int64(count) * 1_000_000
          state.limit?.left = (had - Int64(count) * 1_000_000, now)
        }
      }
      let isLeft = !state.waiting.isEmpty || state.later.first.map { $0.score <= now } ?? false
      if let limit = state.limit, let bucket, bucket < 1_000_000, !isBlocked, isLeft {
        let wanted = max(1, min(request.limit, state.waiting.count, Int(20 * limit.rate / 1e6)))
        let wait = ((Double(wanted) * 1e6 - Double(bucket)) / limit.rate).rounded(.up)
        let lives = state.lives.count { $0.leaseEnd != nil }
        limitedFor = .milliseconds(Int64(wait) + (count > 0 && lives > 1 ? 3 : 0))
      }
    }
    let waiting = state.waiting.count
    let isDry = bucket.map { $0 < 1_000_000 } ?? false
    if waiting > 0 && !state.isPaused && !isBlocked && !isDry {
      if state.wake < 8 { state.wake += 1 }
    } else if waiting == 0 || isDry {
      state.wake = 0
    }

    var (messages, tooLarge) = ([ClaimedMessage](), [ClaimedMessage]())
    for (offset, element) in hand.enumerated() {
      let id = request.life.claimID(first + offset)
      let claimedAt = request.notesTime ? now : nil
      let message = element.claimed(as: id, of: queue, maxPayload: request.maxPayload, claimedAt: claimedAt)
      if message.isWithheld { tooLarge.append(message) } else { messages.append(message) }
    }
    let (expired, listener, isAlone) = others(besides: request.life, now)
    return ClaimAnswer(
      messages: messages,
      tooLarge: tooLarge,
      nextNumber: first + hand.count,
      now: now,
      nextDue: state.later.first.map { .milliseconds(max(0, $0.score - now)) },
      waiting: waiting,
      paused: state.isPaused,
      limitedFor: limitedFor,
      isBlocked: isBlocked,
      expired: expired,
      isListener: listener?.id == request.life.id,
      isAlone: isAlone && listener?.id == request.life.id
    )
  }

  /// What stands under numbers that were used already, the first unbroken run of it; and the number of its first.
  private func claimedBefore(_ request: ClaimRequest, _ index: Int) -> ([SimulatedElement], Int) {
    var (hand, first, bytes) = ([SimulatedElement](), request.firstNumber, 0)
    let nextNumber = state.lives[index].nextNumber ?? 0
    if first >= nextNumber || request.limit == 0 { return (hand, first) }
    let life = state.lives[index]
    while first + hand.count < nextNumber && hand.count < request.limit {
      if let claim = life.index(ofClaim: first + hand.count) {
        let element = life.claims[claim].element
        bytes += element.byteCount
        if bytes > request.mostBytes && !hand.isEmpty { break }
        hand.append(element)
      } else if hand.isEmpty {
        first += 1
      } else {
        break
      }
    }
    return (hand, first)
  }

  private mutating func promote(_ request: ClaimRequest, _ allowed: Int, _ now: Int64) {
    if request.untriedFirst && !state.waiting.isEmpty { return }
    var (count, bytes) = (0, 0)
    for member in state.later.members {
      guard member.score <= now, count < allowed else { break }
      bytes += member.element.byteCount
      if bytes > request.mostBytes && count > 0 { break }
      count += 1
    }
    if count == 0 { return }
    state.waiting += state.later.members.prefix(count).reversed().map(\.element)
    state.later.removeFirst(count)
  }

  /// How many of those that wait are claimed; and whether a suspect is next, which waits for an empty hand.
  private func nextInLine(_ request: ClaimRequest, _ allowed: Int) -> (Int, isBlocked: Bool) {
    var (most, count, bytes) = (min(allowed, state.waiting.count), 0, 0)
    // The script looks at them in groups, and asks between two groups whether there is room for more: that may differ, by an
    // empty message.
    var groupSize = 1
    while count < most && bytes < request.mostBytes {
      let (before, size, base) = (bytes, min(groupSize, most - count), state.waiting.count - count)
      for position in 1...size {
        let element = state.waiting[base - position]
        bytes += element.byteCount
        if bytes > request.mostBytes && count > 0 {
          most = count
          break
        }
        if element.isSuspect(after: request.suspectAfter) {
          if count > 0 {
            most = count
            break
          }
          if !request.isEmptyHanded { return (0, true) }
          most = 1
        }
        count += 1
        if count == most { break }
      }
      groupSize = bytes - before <= size * 4096 ? min(64, 4 * groupSize) : 1
    }
    return (count, false)
  }

  /// Another life whose lease has ended; the one that listens; and whether there is only one.
  private func others(
    besides life: WorkerLife,
    _ now: Int64
  ) -> (expired: WorkerLife?, listener: WorkerLife?, isAlone: Bool) {
    // Lives stand by their ids, so that of equal leases the first one counts.
    var (count, listener, hasEnded) = (0, (index: Int, leaseEnd: Int64)?.none, false)
    for index in state.lives.indices {
      guard let leaseEnd = state.lives[index].leaseEnd else { continue }
      count += 1
      if leaseEnd <= now {
        hasEnded = true
      } else if listener.map({ leaseEnd < $0.leaseEnd }) ?? true {
        listener = (index, leaseEnd)
      }
    }
    var expired: WorkerLife?
    if hasEnded {
      // Sorting keeps the order of equals.
      let ended = state.lives.filter { $0.leaseEnd.map { $0 <= now } ?? false }
        .sorted { ($0.leaseEnd!, $0.life.id) < ($1.leaseEnd!, $1.life.id) }.prefix(16)
      for offset in (1...ended.count).reversed() {
        let other = ended[Int((now + Int64(offset)) % Int64(ended.count))].life
        if other.id != life.id {
          expired = other
          break
        }
      }
    }
    return (expired, listener.map { state.lives[$0.index].life }, count == 1)
  }
}

extension SimulatedRedis.Limit {
  /// Millionths of a message that come into the bucket in a ms. The script's arithmetic, in its order.
  var rate: Double {
    Double(limit.rate.count) * 1e6 / (Double(limit.rate.per.milliseconds) * Double(limit.parts))
  }

  /// What is in it, in millionths of a message.
  func bucket(_ now: Int64) -> Int64 {
    guard let left else { return 1_000_000 }
    let room = max(100 * rate, min(100 * rate + 1e6, 1_999_999))
    return Int64(min(room, Double(left.bucket) + Double(max(0, now - left.since)) * rate).rounded(.down))
  }
}
