import MessageQueue

/// How a worker behaves. The defaults are those of `smsq worker`.
package struct WorkerOptions: Sendable {
  /// What becomes of a message that may have been sent, or not.
  package enum MayBeSent: String, Sendable, CaseIterable {
    /// It is sent again, perhaps for the second time.
    case resend
    /// It goes to the dead letters as `unknown`, for a person to decide.
    case hold
  }

  package var name: String
  /// The most messages in hand at once.
  package var concurrency = 100
  /// How long a worker may be silent before its claims are given to another. Renewed every third of it.
  package var lease = Duration.seconds(10)
  /// How long an idle worker waits in Redis before it looks for itself: the longest that a message stays unseen where nobody
  /// is woken by its push.
  package var wakeTimeout = Duration.milliseconds(250)
  /// How long a stop waits for messages in hand.
  package var drain = Duration.seconds(30)
  /// Temporary failures before a message is given up.
  package var maxAttempts = 10
  /// Crashes with the message in hand before it is given up as poison.
  package var maxCrashes = 3
  /// Crashes after which a message is handled alone: one more, and it must be clear that it was this one's.
  var suspectAfter: Int { max(1, maxCrashes - 1) }
  /// The largest payload to take, in bytes: a larger one goes to the dead letters unread.
  package var maxPayload = MessageQueue.defaultMaxPayload
  package var backoff = Backoff(base: .seconds(2), max: .seconds(600))
  /// For what a crashed worker held, and what is cut short by a stop.
  package var afterCrash = MayBeSent.resend
  /// For what the gateway did not answer, or cannot say, and what is cut short by a stop.
  package var onUnknown = MayBeSent.resend
  /// How many replicas Redis should have online: a worker that finds fewer warns of it.
  package var replicas = 0
  /// Whether each message is to keep the time of its first claim. What it is put off to keeps its order by it, and it may expire
  /// by it.
  package var notesClaimTime = false
  /// How long to keep what became of a message that is not in the queue any more; nil for not at all.
  package var keep: Duration?
  package var deadLetters = DeadLetterBounds(count: 100_000, age: .seconds(30 * 86400))

  package init(name: String) { self.name = name }
}

/// Exponential back-off with full jitter: a random time up to `base` doubled for each failure so far, at most `max`.
///
/// Full jitter spreads the retries of many messages that failed together better than any fixed spacing ("Exponential
/// Backoff and Jitter", AWS Architecture Blog, 2015).
package struct Backoff: Sendable, Equatable {
  package var base: Duration
  package var max: Duration

  package init(base: Duration, max: Duration) {
    self.base = base
    self.max = max
  }

  /// The upper bound of the delay after so many failures, from 1.
  package func bound(afterFailures failures: Int) -> Duration {
    // 2^30 times any sensible base is beyond any sensible bound, and does not overflow.
    let doublings = Swift.min(Swift.max(failures - 1, 0), 30)
    return Swift.min(base * (1 << doublings), max)
  }

  /// - Parameter jitter: 0..<1.
  package func delay(afterFailures failures: Int, jitter: Double) -> Duration {
    let bound = bound(afterFailures: failures).milliseconds
    return .milliseconds(min(bound, Int64(jitter * Double(bound + 1))))
  }
}
