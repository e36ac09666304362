import Logging
import MessageQueue
import Synchronization
import Web
import Worker

/// Counts what becomes of messages, and how long that takes, in front of the handler that does it.
struct MeteredHandler: MessageHandler {
  let base: SMSHandler
  let counts: HandledCounts

  var startFields: Logger.Metadata { base.startFields }

  nonisolated(nonsending) func handle(_ message: ClaimedMessage, during tenure: Tenure) async -> HandledMessage {
    let start = Instant.now
    let handled = await base.handle(message, during: tenure)
    counts.add(handled.outcome, of: message.queue, took: Instant.now - start)
    return handled
  }

  func describe(_ message: ClaimedMessage) -> Logger.Metadata { base.describe(message) }
}

/// What became of the messages that were handled, counted.
final class HandledCounts: Sendable {
  struct Key: Hashable, Sendable {
    let queue: String
    /// As ``Outcome`` has it.
    let outcome: String
  }

  /// A gateway's own word for why.
  struct Code: Hashable, Sendable {
    let outcome: String
    let code: String
  }

  struct State: Sendable {
    var handled: [Key: Int] = [:]
    var codes: [Code: Int] = [:]
    /// Of the messages that a gateway was asked to take.
    var gateway = Histogram()
  }

  /// A gateway may make up new ones for ever, and each would be a series of its own.
  static let mostCodes = 100

  private let state = Mutex(State())

  func snapshot() -> State { state.withLock { $0 } }

  func add(_ outcome: Outcome, of queue: String, took time: Duration) {
    let (name, reason) = Self.describe(outcome)
    state.withLock { state in
      state.handled[Key(queue: queue, outcome: name), default: 0] += 1
      guard case .sent = outcome else {
        if let reason { state.count(reason, name, took: time) }
        return
      }
      state.gateway.add(time / .seconds(1))
    }
  }

  /// - Returns: a reason where a gateway gave it: its code, a colon and words.
  private static func describe(_ outcome: Outcome) -> (name: String, reason: String?) {
    switch outcome {
    case .sent: ("sent", nil)
    case .expired: ("expired", nil)
    case .throttled(let reason, _): ("throttled", reason)
    case .retry(let reason, _): ("temporary", reason)
    case .unknown(let reason): ("unknown", reason)
    case .refused(let reason): ("permanent", reason)
    case .invalid: ("invalid", nil)
    case .putOff: ("put_off", nil)
    case .notStarted: ("not_started", nil)
    case .unfinished: ("unfinished", nil)
    }
  }
}

extension HandledCounts.State {
  fileprivate mutating func count(_ reason: String, _ outcome: String, took time: Duration) {
    gateway.add(time / .seconds(1))
    var key = HandledCounts.Code(outcome: outcome, code: String(reason.prefix { $0 != ":" }))
    if codes[key] == nil && codes.count >= HandledCounts.mostCodes { key = .init(outcome: outcome, code: "other") }
    codes[key, default: 0] += 1
  }
}
