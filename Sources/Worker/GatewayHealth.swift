/// Whether the gateway is there at all: lost when every try fails, whatever the message. A pure value.
///
/// One message that always fails, or a few, must not look like that: they would be tried for ever. So it takes many failures
/// in a row, of several messages. While the gateway is lost one message now and then is tried, and what fails is no fault of
/// any message's.
struct GatewayHealth: Sendable {
  private struct Lost {
    let since: Instant
    /// To the next probe, once this one has failed.
    var pause = GatewayHealth.pauses.lowerBound
    /// Nil while a probe is under way.
    var nextProbe: Instant?
    var hasProbed = false
  }

  /// What a failure means.
  enum Verdict: Equatable {
    /// It counts as one of the message's failures.
    case counts
    /// It is the gateway's.
    case excused
    /// It is the gateway's, and shows that it is lost.
    case lost
  }

  /// So many failures in a row, of so many messages at least. Ten: a gateway that fails every second try looks lost once in
  /// a thousand. It is doubled, up to `mostFailures`, when the first probe finds that it was not.
  private static let fewestFailures = 10
  private static let mostFailures = 80
  private static let fewestMessages = 5
  /// Between two probes.
  private static let pauses: ClosedRange<Duration> = .seconds(1) ... .seconds(30)

  private var failures = 0
  /// The messages that have failed, as many as it takes.
  private var failed: Set<String> = []
  private var needed = fewestFailures
  private var lost: Lost?

  /// Nothing has failed since a message was last answered.
  var isWell: Bool { failures == 0 && lost == nil }

  /// Try after try has failed.
  var isLost: Bool { lost != nil }

  /// A try failed: with a system error, or without an answer.
  ///
  /// - Parameter begun: when it was begun.
  mutating func failed(_ id: String, begun: Instant, now: Instant) -> Verdict {
    if var lost {
      // What was under way when the gateway was lost is no probe.
      if begun >= lost.since {
        lost.hasProbed = true
        lost.nextProbe = now + lost.pause
        lost.pause = min(lost.pause * 2, Self.pauses.upperBound)
        self.lost = lost
      }
      return .excused
    }
    failures += 1
    if failed.count < Self.fewestMessages { failed.insert(id) }
    guard failures >= needed, failed.count >= Self.fewestMessages else { return .counts }
    lost = Lost(since: now, nextProbe: now + Self.pauses.lowerBound)
    return .lost
  }

  /// The gateway answered, whatever it said.
  ///
  /// - Returns: for how long it was lost, when it was.
  mutating func answered(now: Instant) -> Duration? {
    failures = 0
    failed = []
    guard let lost else { return nil }
    self.lost = nil
    needed = lost.hasProbed ? Self.fewestFailures : min(needed * 2, Self.mostFailures)
    return now - lost.since
  }

  /// A message was not tried after all. If it was to be the probe, another one may be.
  mutating func wasNotTried(begun: Instant, now: Instant) {
    if let lost, lost.nextProbe == nil, begun >= lost.since { self.lost?.nextProbe = now }
  }

  /// How many messages may be begun now.
  func allowance(now: Instant) -> Int {
    guard let lost else { return .max }
    return lost.nextProbe.map { $0 <= now } ?? false ? 1 : 0
  }

  mutating func began(_ count: Int) { if count > 0 { lost?.nextProbe = nil } }

  /// From one failed probe to the next, as of now; nil where it is not lost.
  var pause: Duration? { lost?.pause }

  /// When the next probe is due.
  var nextProbe: Instant? { lost?.nextProbe }
}
