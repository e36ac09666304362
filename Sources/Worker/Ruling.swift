import MessageQueue

/// What an outcome means for a message: what is settled, and what is said. A pure value.
package struct Ruling: Sendable, Equatable {
  /// What there is to say of it.
  package enum Line: Sendable, Equatable {
    case sent, expired, givenBack
    case retry(reason: String, after: Duration)
    case dead(reason: String)
  }

  package var verb: Settlement.Verb
  /// Nil where the message was not touched.
  package var line: Line?
  /// It was in hand when the worker had to stop.
  package var isCutShort = false

  package static let sent = Ruling(.sent, .sent)

  /// - Parameters:
  ///   - outcome: nil when the message was never started.
  ///   - verdict: what the outcome says of the gateway.
  ///   - isCancelled: whether the worker has to stop now.
  ///   - jitter: 0..<1, drawn by the caller: messages that failed together must not come back together.
  package init(
    _ outcome: Outcome?,
    of message: ClaimedMessage,
    _ verdict: GatewayWatch.Verdict,
    isCancelled: Bool,
    jitter: Double,
    options: WorkerOptions
  ) {
    switch outcome {
    case .sent: self = .sent

    case .expired: self.init(.expired, .expired)

    case .throttled(let reason, _):
      self.init(putOff: message, reason, verdict.after ?? .zero, failures: 0)

    case .retry(let reason, let after):
      self.init(retry: message, reason, after, verdict, jitter, options)

    case .unknown(let reason):
      if options.onUnknown == .hold {
        self.init(bury: message, "unknown: it may have been sent: \(reason)", failures: 1)
      } else {
        self.init(retry: message, reason, nil, verdict, jitter, options)
      }

    case .refused(let reason), .invalid(let reason):
      self.init(bury: message, reason, failures: 0)

    case .putOff(let time, _):
      // No line for each: there may be a million of them.
      self.init(.later(message.element(), at: time), nil)

    case .notStarted, nil:
      self.init(.back(message.element()), nil)
      isCutShort = isCancelled

    case .unfinished:
      if options.afterCrash == .hold || options.onUnknown == .hold {
        self.init(bury: message, "unknown: the worker stopped before the gateway answered", failures: 0)
      } else {
        self.init(.back(message.element()), .givenBack)
      }
      isCutShort = true
    }
  }

  private init(_ verb: Settlement.Verb, _ line: Line?) {
    self.verb = verb
    self.line = line
  }

  private init(
    retry message: ClaimedMessage,
    _ reason: String,
    _ after: Duration?,
    _ verdict: GatewayWatch.Verdict,
    _ jitter: Double,
    _ options: WorkerOptions
  ) {
    let failures = message.history.failures + 1
    if verdict.counts && failures >= options.maxAttempts {
      self.init(bury: message, "gave up after \(failures) attempts: \(reason)", failures: 1)
      return
    }
    let backoff = options.backoff.delay(afterFailures: failures, jitter: jitter)
    let delay = max(backoff, after ?? .zero, verdict.after ?? .zero)
    self.init(putOff: message, reason, delay, failures: verdict.counts ? 1 : 0)
  }

  private init(putOff message: ClaimedMessage, _ reason: String, _ delay: Duration, failures: Int) {
    self.init(.retry(message.element(failures: failures), after: delay), .retry(reason: reason, after: delay))
  }

  private init(bury message: ClaimedMessage, _ reason: String, failures: Int) {
    self.init(.dead(message.element(failures: failures, reason: reason)), .dead(reason: reason))
  }
}
