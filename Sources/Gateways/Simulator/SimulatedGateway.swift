import Glibc
import SMS
import Synchronization

// A gateway that sends nothing: for development, for tests, and to find out what a queue does when its provider is slow,
// throttles, fails, or drops the connection after it took a message.
//
// What happens to a try is a pure function of the seed, the message's id and the attempt's number. So the same messages
// have the same outcomes in any order, on any number of workers, today and tomorrow. Only the cap on messages a second
// depends on when they come.

/// The connection dropped before the answer came. Whether the message was taken is not known to the caller.
package struct GatewayConnectionLost: Error, Equatable, CustomStringConvertible {
  package init() {}
  package var description: String { "the connection to the gateway was lost before it answered" }
}

package final class SimulatedGateway: Gateway {
  /// What became of the tries so far, as a provider would count them.
  package struct Counts: Sendable, Equatable {
    /// Taken, those included whose answer was dropped.
    package var accepted = 0
    /// Refused because too many came.
    package var throttled = 0
    package var temporary = 0
    package var permanent = 0
    /// Those of the accepted whose answer was dropped: what their sender tries again is sent twice.
    package var dropped = 0
  }

  package let name = "simulator"
  package let options: SimulatorOptions

  private let elapsed: @Sendable () -> Duration
  private let sleep: @Sendable (Duration) async throws -> Void
  private let state: Mutex<State>
  private let ledger: SimulatorLedger?

  /// - Parameter clock: what latency and the cap are measured by.
  package init<C: Clock>(_ options: SimulatorOptions, clock: C = ContinuousClock()) where C.Duration == Duration {
    self.options = options
    let start = clock.now
    elapsed = { start.duration(to: clock.now) }
    sleep = { try await clock.sleep(for: $0) }
    state = Mutex(State(bucket: options.maxPerSecond.map(TokenBucket.init)))
    ledger = options.ledgerPath.map(SimulatorLedger.init)
  }

  package var counts: Counts { state.withLock { $0.counts } }

  /// Answers as the options and the magic numbers say. Without latency it never suspends.
  ///
  /// - Throws: ``GatewayConnectionLost`` where the options ask for it; `CancellationError` when cancelled during the
  ///   latency, and ``SimulatorLedger/Failure``, in which cases nothing was accepted.
  package func send(_ message: TextMessage, attempt: Attempt) async throws -> GatewayAnswer {
    var draws = Draws(seed: options.seed, id: message.id, attempt: attempt.number)
    let outcome = draws.fraction()
    let latency =
      options.latency.lowerBound + (options.latency.upperBound - options.latency.lowerBound) * draws.fraction()
    if latency > .zero { try await sleep(latency) }

    if let crashText = options.crashText, message.text?.contains(crashText) == true { kill(getpid(), SIGKILL) }
    if let answer = MagicNumbers.answer(to: message) { return record(answer) }
    if let wait = throttled() {
      return record(.throttled(code: "throttled", reason: "too many messages a second", retryAfter: wait))
    }

    var limit = options.failureRatio
    if outcome < limit {
      return record(.temporaryFailure(code: "system_error", reason: "simulated system error", retryAfter: nil))
    }
    limit += options.throttleRatio
    if outcome < limit {
      return record(.throttled(code: "throttled", reason: "simulated throttling", retryAfter: .seconds(1)))
    }
    limit += options.permanentRatio
    if outcome < limit {
      return record(.permanentFailure(code: "undeliverable", reason: "simulated permanent failure"))
    }
    limit += options.dropRatio
    try ledger?.append(message.id, attempt: attempt.number)
    let answer = record(
      // The text of a template, which it does not have, is one segment here.
      .accepted(providerID: draws.providerID(), segments: message.segmentation?.segments ?? 1),
      dropped: outcome < limit
    )
    if outcome < limit { throw GatewayConnectionLost() }
    return answer
  }

  private func throttled() -> Duration? {
    guard options.maxPerSecond != nil else { return nil }
    // The clock is read under the lock, or the bucket would see time run backwards.
    return state.withLock { $0.bucket?.take(at: elapsed()) }
  }

  private func record(_ answer: GatewayAnswer, dropped: Bool = false) -> GatewayAnswer {
    state.withLock {
      switch answer {
      case .accepted: $0.counts.accepted += 1
      case .throttled: $0.counts.throttled += 1
      case .temporaryFailure: $0.counts.temporary += 1
      case .permanentFailure: $0.counts.permanent += 1
      case .unknown: break
      }
      if dropped { $0.counts.dropped += 1 }
    }
    return answer
  }
}

private struct State {
  var counts = SimulatedGateway.Counts()
  var bucket: TokenBucket?
}

/// A token bucket that holds a tenth of a second's messages, but one at least, so that no second sees more than 1.1
/// times the cap.
private struct TokenBucket {
  private let interval: Duration
  private let burst: Duration
  /// When the bucket is full again. Every message that is let through moves it by one interval.
  private var full = Duration.zero

  init(perSecond: Int) {
    interval = .seconds(1) / perSecond
    burst = interval * max(1, perSecond / 10)
  }

  /// Takes a token; if there is none, says how long until there is.
  mutating func take(at now: Duration) -> Duration? {
    let next = max(full, now) + interval
    if next - now > burst { return next - now - burst }
    full = next
    return nil
  }
}

/// Numbers drawn from a seed, an id and an attempt.
private struct Draws {
  private var state: UInt64

  init(seed: UInt64, id: String, attempt: Int) {
    // FNV-1a over the id, then mixed with the rest: ids that count up differ in one bit, their draws in half.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    let bytes = id.utf8.span
    for index in bytes.indices { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3 }
    state = Self.mixed(Self.mixed(hash ^ Self.mixed(seed)) &+ UInt64(bitPattern: Int64(attempt)))
  }

  /// SplitMix64's generator.
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    return Self.mixed(state)
  }

  /// Even over 0..<1, in steps of 2^-53.
  mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Looks like Twilio's: `SM` and 32 hexadecimal digits.
  mutating func providerID() -> String {
    let halves = (next(), next())
    return String(unsafeUninitializedCapacity: 34) { buffer in
      buffer[0] = UInt8(ascii: "S")
      buffer[1] = UInt8(ascii: "M")
      for index in 0..<32 {
        let half = index < 16 ? halves.0 : halves.1
        let digit = UInt8(truncatingIfNeeded: half >> UInt64(60 - index % 16 * 4)) & 15
        buffer[2 + index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
      }
      return 34
    }
  }

  private static func mixed(_ value: UInt64) -> UInt64 {
    var value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
