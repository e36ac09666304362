import Logging
import MessageQueue
import Synchronization

/// Watches what the gateway answers, and says how many messages may be begun: all, as long as it neither throttles nor
/// fails. Then it costs a message one look at a flag.
///
/// Handlers report to it as they finish, each on its own thread: what is not begun yet must be held back at once, and a
/// failure that is the gateway's must be known as such before it is counted against the message.
package final class GatewayWatch: Sendable {
  private struct State {
    var pace = Pace()
    var health = GatewayHealth()
    /// How often messages were put off through the gateway's fault that are on their way back. One that is refused again and
    /// again, because its sender's queue is full for instance, must not hold up all others.
    var putOff: [String: Int] = [:]
    var saidThrottled = false

    /// - Returns: how often the message was put off before.
    mutating func countPutOff(_ id: String, most: Int) -> Int {
      if putOff.count >= most { putOff = [:] }
      let count = putOff[id, default: 0]
      putOff[id] = count + 1
      return count
    }

    mutating func allowance(now: Instant) -> Int { min(pace.allowance(now: now), health.allowance(now: now)) }
  }

  /// What an answer means for the message, and for those that have not begun.
  package struct Verdict: Sendable, Equatable {
    /// Whether a failure counts as one of the message's.
    package var counts = true
    /// The least time before the message is tried again, where a failure does not count.
    package var after: Duration?
    /// Nothing that has not begun may begin now.
    package var holdsBack = false

    package init(counts: Bool = true, after: Duration? = nil, holdsBack: Bool = false) {
      self.counts = counts
      self.after = after
      self.holdsBack = holdsBack
    }
  }

  /// So many messages that were put off are remembered: bounds the memory, and forgets a few too early.
  private static let mostRemembered = 10_000
  /// A message waits at most so long for its next turn as a probe. Ten that always fail leave room for others even so.
  private static let longestProbeWait = Duration.seconds(300)

  private let logger: Logger
  private let startFields: Logger.Metadata
  private let state = Mutex(State())
  private let attention = Atomic(false)

  private let longestBackoff: Duration

  /// - Parameters:
  ///   - longestBackoff: what a message waits at most that is throttled again and again, where the gateway names no longer
  ///     time.
  ///   - startFields: go into each line, such as `gateway`.
  package init(longestBackoff: Duration, logger: Logger, startFields: Logger.Metadata) {
    self.longestBackoff = longestBackoff
    self.logger = logger
    self.startFields = startFields
  }

  /// False while the gateway takes everything and nothing has failed.
  var isAttentive: Bool { attention.load(ordering: .relaxed) }

  /// How many messages may be begun now.
  func allowance() -> Int {
    guard isAttentive else { return .max }
    let now = Instant.now
    let (allowance, isOver) = locked { state in
      let allowance = state.allowance(now: now)
      let isOver = state.saidThrottled && state.pace.isOpen
      if isOver { state.saidThrottled = false }
      return (allowance, isOver)
    }
    if isOver { logger.notice("gateway-unthrottled", metadata: startFields) }
    return allowance
  }

  /// What the gateway bears at present.
  func room() -> QueueState.GatewayRoom {
    if !isAttentive { return QueueState.GatewayRoom() }
    return QueueState.GatewayRoom(most: allowance(), next: next(), isProbing: isProbing)
  }

  /// Takes the right to begin one message, where it may be begun now.
  package func beginsOne() -> Bool {
    guard isAttentive else { return true }
    let now = Instant.now
    return locked { state in
      guard state.allowance(now: now) > 0 else { return false }
      state.pace.began(1)
      state.health.began(1)
      return true
    }
  }

  /// Whether the next message is to find out if the gateway is back. One that was not tried yet tells more: those that were may
  /// have failed by themselves, and would be the probes for ever.
  var isProbing: Bool { isAttentive && isLost }

  /// Whether every try fails at present, whatever the message.
  package var isLost: Bool { state.withLock { $0.health.isLost } }

  /// Whether it has asked for fewer messages, and is given fewer since.
  package var isThrottled: Bool { state.withLock { !$0.pace.isOpen } }

  /// Messages were begun.
  func began(_ count: Int) {
    guard isAttentive else { return }
    state.withLock { state in
      state.pace.began(count)
      state.health.began(count)
    }
  }

  /// When to ask again, where less may be begun now than is wanted; nil where nothing is held back.
  package func next() -> Instant? {
    guard isAttentive else { return nil }
    let now = Instant.now
    return state.withLock { state in
      // Where a probe is under way, its answer is the next to come, and that wakes the loop by itself.
      if state.health.isLost { return state.health.nextProbe.map { max($0, state.pace.next(now: now) ?? $0) } }
      return state.pace.next(now: now)
    }
  }

  /// Takes note of what became of a message.
  ///
  /// - Parameters:
  ///   - handled: nil where it was not begun.
  ///   - begun: when it was begun, or its batch.
  package func note(_ handled: HandledMessage?, begun: Instant) -> Verdict {
    switch handled?.outcome {
    case .sent, .refused:
      if isAttentive, let handled { answered(handled.id, begun) }
      return Verdict()
    case .throttled(let reason, let after): return throttled(handled?.id ?? "", reason, after, begun)
    case .retry(let reason, _), .unknown(let reason): return failed(handled?.id ?? "", reason, begun)
    case .expired, .invalid, .putOff, .notStarted, .unfinished, nil:
      if isAttentive {
        state.withLock { $0.health.wasNotTried(begun: begun, now: .now) }
      }
      return Verdict()
    }
  }

  private func answered(_ id: String, _ begun: Instant) {
    let now = Instant.now
    let outage = locked { state in
      if !state.putOff.isEmpty { state.putOff[id] = nil }
      state.pace.accepted(begun: begun, now: now)
      let outage = state.health.answered(now: now)
      if outage != nil { state.pace.comeBack(now: now) }
      return outage
    }
    if let outage { logBack(outage) }
  }

  private func throttled(_ id: String, _ reason: String, _ after: Duration?, _ begun: Instant) -> Verdict {
    let now = Instant.now
    // "Now" is what a gateway would not have throttled for.
    let after = after.flatMap { $0 > .zero ? $0 : nil }
    let (isNews, hold, delay, outage) = locked { state in
      let isNews = !state.saidThrottled
      state.saidThrottled = true
      state.pace.throttled(begun: begun, after: after, now: now)
      let hold = state.pace.heldUntil.map { $0 - now } ?? .zero
      let count = state.countPutOff(id, most: Self.mostRemembered)
      // A little longer than all are held back: others are to show first whether it was about them, too.
      let delay = min(hold * 5 / 4 * (1 << min(count, 20)), max(hold * 5 / 4, longestBackoff))
      // It is there, whatever else it says.
      return (isNews, hold, delay, state.health.answered(now: now))
    }
    if let outage { logBack(outage) }
    if isNews {
      log(.notice, "gateway-throttled", ["reason": "\(reason)", "pause_in_ms": "\(hold.milliseconds)"])
    }
    return Verdict(counts: false, after: delay, holdsBack: true)
  }

  private func failed(_ id: String, _ reason: String, _ begun: Instant) -> Verdict {
    let now = Instant.now
    let (verdict, after) = locked { state in
      let verdict = state.health.failed(id, begun: begun, now: now)
      guard let pause = state.health.pause else { return (verdict, nil as Duration?) }
      // Longer each time: else the same few would be every probe, and if they never work, no other would get its turn.
      let count = state.countPutOff(id, most: Self.mostRemembered)
      return (verdict, min(pause * (2 + count), Self.longestProbeWait))
    }
    if verdict == .lost {
      let hint = "try after try has failed; one message now and then is tried until the gateway answers"
      log(.error, "gateway-lost", ["reason": "\(reason)", "hint": "\(hint)"])
    }
    return Verdict(counts: verdict == .counts, after: after, holdsBack: verdict == .lost)
  }

  /// Changes the state, and notes whether answers must be looked at from now on.
  private func locked<Result>(_ body: (inout State) -> Result) -> Result {
    state.withLock { state in
      let result = body(&state)
      if state.pace.isOpen && !state.health.isLost { state.putOff = [:] }
      attention.store(!state.pace.isOpen || !state.health.isWell, ordering: .relaxed)
      return result
    }
  }

  private func logBack(_ outage: Duration) { log(.notice, "gateway-back", ["after": "\(outage.inSeconds)"]) }

  private func log(_ level: Logger.Level, _ event: Logger.Message, _ fields: Logger.Metadata) {
    logger.log(level: level, event, metadata: startFields.merging(fields) { $1 })
  }
}
