import MessageQueue
import RedisClient

// What goes wrong with Redis: said once, and tried again for ever.
extension QueueState {
  struct Trouble {
    /// With Redis as a whole.
    fileprivate(set) var outage = Outage()
    /// With this queue's keys, or what may be done with them.
    fileprivate(set) var refusals = Outage()
    /// After a failure: nothing before this.
    fileprivate(set) var retryAt: Instant?
    /// False until Redis was asked for its settings, and again after each outage.
    fileprivate(set) var isSafetyKnown = false
    /// When the answer that the loop waits for is late.
    var lateAt: Instant?

    /// Redis does not answer, or lets nobody in.
    var isAway: Bool { outage.isOn }
    var isOn: Bool { outage.isOn || refusals.isOn }
  }

  /// Notes a failed call: says so once, and leaves Redis alone for a while.
  mutating func failed(_ error: RedisError, jitter: Double, now: Instant) {
    endRound()
    recovery.failed(error).map { reportRecovered($0) }
    if error.code == .interrupted { return }
    let pause: Duration
    if error.isOfOneQueue {
      // A refusal is an answer: Redis is there.
      _ = noteAnswer(now)
      if trouble.refusals.failed(error, now: now) { say(.queueError(error)) }
      pause = trouble.refusals.pause(jitter: jitter)
    } else {
      if trouble.outage.failed(error, now: now) { say(.redisLost(error)) }
      pause = trouble.outage.pause(jitter: jitter)
    }
    // At most a sixth of the lease, except where only a person can help: see `Lease.renewed`.
    trouble.retryAt = now + (error.treatment == .denied ? pause : min(pause, options.lease / 6))
  }

  /// Notes that all that this queue needed was done, what had failed before it included. A single command that succeeds
  /// says less: a renewal may, while the settlement that comes after it is refused as before.
  ///
  /// - Returns: whether an outage ended by that.
  mutating func noteRound(_ now: Instant) -> Bool {
    let isBack = noteAnswer(now)
    if let time = trouble.refusals.ended(now: now) { say(.queueBack(after: time)) }
    return isBack
  }

  private mutating func noteAnswer(_ now: Instant) -> Bool {
    guard let time = trouble.outage.ended(now: now) else { return false }
    say(.redisBack(after: time))
    // It may be another one by now, or an older state of it.
    trouble.isSafetyKnown = false
    recovery.mustCompare = true
    return true
  }

  mutating func foundUnsafe(_ found: [Finding], _ hands: inout Hands) {
    trouble.isSafetyKnown = true
    for finding in hands.newHazards(found, queue) { say(.unsafe(finding)) }
  }
}

extension RedisError {
  /// Whether it says something of the queue's keys, or of what may be done with them, and not of Redis as a whole.
  fileprivate var isOfOneQueue: Bool {
    switch treatment {
    case .refused, .full, .unwritable: true
    case .denied: cause == .noRight
    case .wait, .reconnect: false
    }
  }
}

/// Turns a stream of failures and successes into one line when something goes and one when it is back.
struct Outage {
  private var since: Instant?
  private var treatment: RedisError.Treatment?
  private var failures = 0

  var isOn: Bool { since != nil }

  /// - Returns: true when it is worth a line: the first failure, or one that asks for something else to be done.
  mutating func failed(_ error: RedisError, now: Instant) -> Bool {
    failures += 1
    let isNews = since == nil || (treatment != error.treatment && error.treatment == .denied)
    since = since ?? now
    treatment = error.treatment
    return isNews
  }

  /// - Returns: how long it lasted, when there was one.
  mutating func ended(now: Instant) -> Duration? {
    guard let since else { return nil }
    self = Outage()
    return now - since
  }

  /// How long to leave Redis alone: 50 ms doubled for each failure, up to 1 s; 5 s where only a person can help. Between half
  /// of that and all of it, so that many workers do not come back in step.
  ///
  /// - Parameter jitter: 0...1.
  func pause(jitter: Double) -> Duration {
    let longest = treatment == .denied ? .seconds(5) : min(.milliseconds(50) * (1 << min(failures - 1, 5)), .seconds(1))
    return .milliseconds(Int64(Double(longest.milliseconds) * (0.5 + jitter / 2)))
  }
}
