/// How fast messages may be begun while their gateway asks for fewer of them. A pure value.
///
///     open --throttled--> held --as long as it said--> limited --a minute without a throttle--> open
///                          ^                              |
///                          +----------throttled-----------+
///
/// It comes back with one message, and with twice the rate for each that is taken, until the gateway throttles again. From
/// then on the rate is what the gateway took since it last throttled, a little less at first and then slowly more: so it
/// stays near what the gateway bears, is refused now and then, and finds out when that has changed.
///
/// A gateway may throttle for other reasons than the rate, one sender's for instance. Lowering the rate does not help there,
/// so it has a bound: one message for four times what the gateway asks to wait.
struct Pace: Sendable {
  private struct Limit {
    /// Messages a second.
    var rate: Double
    /// Since when it is this rate: what was begun before says nothing of it.
    var rateSince: Instant
    /// No rate of this limit was too high yet.
    var isSearching = true
    /// Before this nothing may be begun.
    var heldUntil: Instant
    /// So many messages may be begun, as of `countedAt`. Below zero where more were begun than that.
    var tokens = 1.0
    var countedAt: Instant
    var throttledAt: Instant
    /// What the gateway took since then.
    var taken = 0
    /// How often it has throttled since it last took one.
    var refusals = 1
    /// How long it has asked to wait, in seconds: the longest of late.
    var wait: Double

    /// To come back with at a time.
    init(at time: Instant, now: Instant) {
      let hold = max(0.001, (time - now) / .seconds(1))
      rate = min(max(1 / hold, Pace.firstRates.lowerBound), Pace.firstRates.upperBound)
      (rateSince, heldUntil, countedAt, throttledAt, wait) = (now, time, time, now, hold)
    }

    mutating func set(_ rate: Double, _ now: Instant) {
      self.rate = min(max(rate, Pace.rates.lowerBound), Pace.rates.upperBound)
      rateSince = now
    }

    /// The gateway has throttled at this rate.
    ///
    /// - Parameter wait: how long it asked to wait, in seconds.
    mutating func lower(after wait: Double, _ now: Instant) {
      // It may have been about to take another one.
      let measured = (Double(taken) + 0.5) / max(0.001, (now - throttledAt) / .seconds(1))
      self.wait = max(wait, self.wait * 0.9)
      set(min(rate, max(measured * Pace.margin, rate / 2, 0.25 / max(0.001, self.wait))), now)
      isSearching = false
    }
  }

  private var limit: Limit?

  /// How long to wait where the gateway does not say: doubled for each time that nothing was taken in between, at most
  /// `longestHold`. No longer, because all wait: it may be about one sender.
  private static let firstHold = Duration.seconds(1)
  private static let longestHold = Duration.seconds(10)
  /// Messages a second: a gateway that bears less is one that throttles for minutes, and says so.
  private static let rates = 1.0 / 60...100_000
  /// Rates to come back with: one message at first in any case.
  private static let firstRates = 1.0...10
  /// What a new rate stays below what was measured.
  private static let margin = 0.97
  /// How much the rate grows in its first second, and after so many seconds in each twice as much, then five times ...
  private static let growth = 0.01
  private static let growthTime = 5.0
  /// Seconds' worth of messages that may be begun at once, where a moment was missed.
  private static let burst = 0.05
  /// Seconds' worth of messages that it waits for: to begin each by itself would take a round trip for each.
  private static let batch = 0.01
  /// After so long without a throttle, or behind the end of one, nothing is held back any more.
  private static let calm = Duration.seconds(60)

  /// Whether everything may be begun at once.
  var isOpen: Bool { limit == nil }

  /// The gateway took a message.
  ///
  /// - Parameter begun: when that was begun.
  mutating func accepted(begun: Instant, now: Instant) {
    guard limit != nil else { return }
    limit!.taken += 1
    limit!.refusals = 0
    if limit!.isSearching, begun >= limit!.rateSince { limit!.set(limit!.rate * 2, now) }
  }

  /// The gateway asked for fewer messages.
  ///
  /// - Parameters:
  ///   - begun: when the message was begun that it refused.
  ///   - after: for how long it asked to wait.
  mutating func throttled(begun: Instant, after: Duration?, now: Instant) {
    guard var limit else {
      limit = Limit(at: now + (after ?? Self.firstHold), now: now)
      return
    }
    // What was begun at the old rate says nothing of the new one.
    let isNew = begun >= limit.throttledAt
    if isNew { limit.refusals += 1 }
    let hold = after ?? min(Self.longestHold, Self.firstHold * (1 << min(limit.refusals - 1, 10)))
    if isNew {
      limit.lower(after: hold / .seconds(1), now)
      (limit.throttledAt, limit.taken) = (now, 0)
      limit.tokens = min(limit.tokens, 1)
    }
    limit.heldUntil = max(limit.heldUntil, now + hold)
    limit.countedAt = max(limit.countedAt, limit.heldUntil)
    self.limit = limit
  }

  /// The gateway was away and is back: with one message at first, as after a throttle.
  mutating func comeBack(now: Instant) { limit = Limit(at: now, now: now) }

  /// How many messages may be begun now.
  mutating func allowance(now: Instant) -> Int {
    guard var limit else { return .max }
    if now < limit.heldUntil { return 0 }
    if now - max(limit.heldUntil, limit.throttledAt) >= Self.calm {
      self.limit = nil
      return .max
    }
    let time = (now - limit.countedAt) / .seconds(1)
    if time > 0 {
      limit.countedAt = now
      limit.tokens += limit.rate * time
      let most = max(1, limit.rate * Self.burst)
      if limit.tokens > most {
        // There was less to begin than it allows: that teaches nothing about the rate.
        limit.tokens = most
      } else if !limit.isSearching {
        let calm = (now - limit.throttledAt) / .seconds(1) / Self.growthTime
        limit.rate = min(limit.rate * (1 + time * min(1, Self.growth * (1 + calm * calm))), Self.rates.upperBound)
      }
      self.limit = limit
    }
    return max(0, Int(limit.tokens))
  }

  mutating func began(_ count: Int) { limit?.tokens -= Double(count) }

  /// When it is worth to ask again, where nothing or little may be begun now; nil where enough may be.
  func next(now: Instant) -> Instant? {
    guard let limit else { return nil }
    if now < limit.heldUntil { return limit.heldUntil }
    let wanted = max(1, limit.rate * Self.batch) - limit.tokens
    if wanted <= 0 { return nil }
    return limit.countedAt + .seconds(max(0.001, wanted / limit.rate))
  }

  /// Until when nothing may be begun.
  var heldUntil: Instant? { limit?.heldUntil }
}
