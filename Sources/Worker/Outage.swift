import RedisClient

/// Turns a stream of failures and successes into one line when something goes and one when it is back.
struct Outage {
  private var since: ContinuousClock.Instant?
  private var treatment: RedisError.Treatment?
  private var failures = 0

  var isOn: Bool { since != nil }

  /// - Returns: true when it is worth a line: the first failure, or one that asks for something else to be done.
  mutating func failed(_ error: RedisError) -> Bool {
    failures += 1
    let isNews = since == nil || (treatment != error.treatment && error.treatment == .denied)
    since = since ?? .now
    treatment = error.treatment
    return isNews
  }

  /// - Returns: how long it lasted, when there was one.
  mutating func ended() -> Duration? {
    defer { self = Outage() }
    return since.map { ContinuousClock.now - $0 }
  }

  /// How long to leave Redis alone: 50 ms doubled for each failure, up to 1 s; 5 s where only a person can help.
  var pause: Duration {
    if treatment == .denied { return jittered(.seconds(5)) }
    return jittered(min(.milliseconds(50) * (1 << min(failures - 1, 5)), .seconds(1)))
  }

  /// Between half and all of it, so that many workers do not come back in step.
  private func jittered(_ duration: Duration) -> Duration {
    .milliseconds(Int64.random(in: duration.milliseconds / 2...duration.milliseconds))
  }
}
