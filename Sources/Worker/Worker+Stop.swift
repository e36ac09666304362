import Logging
import RedisClient

// How a worker comes to its end.
extension Worker {
  /// How long an abort waits for handlers to give back what they have in hand, and for Redis to record it.
  static let abortTime = Duration.seconds(2)

  /// What it was told from outside; one that is superseded drains.
  private var phase: WorkerControl.Phase { successor == nil ? control.phase : max(control.phase, .draining) }

  var mayRegister: Bool { phase < .draining }

  /// Acts on a phase that is new: says so, and sets its clock.
  func notePhase() {
    if control.phase == .quiet && !saidQuiet {
      saidQuiet = true
      logger.notice("quiet", metadata: ["in_hand": "\(inHand)"])
    }
    if phase == .draining {
      if drainUntil == nil {
        drainUntil = .now + options.drain
        ring(after: options.drain)
        logger.notice("draining", metadata: ["in_hand": "\(inHand)"])
      }
      if let drainUntil, ContinuousClock.now >= drainUntil { control.advance(to: .aborting) }
    }
    if control.phase == .aborting && abortUntil == nil {
      abortUntil = .now + Self.abortTime
      if inHand > 0 { logger.warning("giving-back", metadata: ["in_hand": "\(inHand)"]) }
      dispatcher.cancel()
      ring(after: Self.abortTime / 2)
      Task { [commands, control] in
        try? await Task.sleep(for: Self.abortTime)
        // Redis may hang in the middle of an answer.
        commands.interrupt()
        control.ring()
      }
    }
  }

  /// How it ends, if it is time.
  func end() -> End? {
    if phase < .draining { return nil }
    let open = sessions.reduce(inHand) { sum, session in
      // What an unanswered claim may have taken was never started: it is safe in Redis, and another worker's when the lease
      // ends. It is worth one more question, but not a wait for a Redis that is away.
      let mayHaveClaimed = session.unanswered != nil || session.claimBehindBell != nil
      let claimed = mayHaveClaimed && !outage.isOn ? 1 : 0
      return sum + session.unsettled.count + max(claimed, session.unanswered?.settling.count ?? 0)
    }
    let isOver = abortUntil.map { ContinuousClock.now >= $0 } ?? false
    if let successor, open == 0 || isOver {
      return .superseded(by: successor, unfinished: dispatcher.givenBackCount + open)
    }
    if open == 0 {
      let count = dispatcher.givenBackCount
      return count == 0 ? .clean : .unfinished(count)
    }
    return isOver ? .unfinished(open) : nil
  }

  /// Strikes this life off, where Redis is there to hear it; elsewhere its lease ends by itself.
  func leave() async {
    for session in sessions {
      for wait in session.waits { wait.interrupt() }
      if session.isRegistered && !outage.isOn { _ = try? await session.queue.leave(session.life) }
    }
  }

  /// Notes a failed call: says so once, and leaves Redis alone for a while.
  func noteFailure(_ error: RedisError, _ session: QueueSession) {
    if error.code == .interrupted { return }
    let pause: Duration
    if error.isOfOneQueue {
      // A refusal is an answer: Redis is there.
      noteAnswer()
      if session.trouble.failed(error) {
        logger.error("queue-error", metadata: ["queue": "\(session.queue.name)", "error": "\(error)"])
      }
      pause = session.trouble.pause
    } else {
      if outage.failed(error) { logger.error("redis-lost", metadata: ["error": "\(error)"]) }
      outageQueue = session.queue.name
      pause = outage.pause
    }
    // At most a sixth of the lease, except where only a person can help: see `noteRenewal`.
    let bounded = error.treatment == .denied ? pause : min(pause, options.lease / 6)
    session.retryAt = .now + bounded
    ring(after: bounded)
  }

  /// Notes that all that one queue needed was done, what had failed before it included. A single command that succeeds
  /// says less: a renewal may, while the settlement that comes after it is refused as before; and so may another queue.
  func noteSuccess(_ session: QueueSession) {
    if outageQueue == session.queue.name { noteAnswer() }
    if let time = session.trouble.ended() {
      logger.notice("queue-back", metadata: ["queue": "\(session.queue.name)", "after": "\(time.inSeconds)"])
    }
  }

  private func noteAnswer() {
    outageQueue = nil
    if let time = outage.ended() {
      logger.notice("redis-back", metadata: ["after": "\(time.inSeconds)"])
      isSafetyKnown = false
    }
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

extension Duration {
  var inSeconds: String {
    let milliseconds = self.milliseconds
    let fraction = String(milliseconds % 1000 + 1000).dropFirst()
    return "\(milliseconds / 1000).\(fraction)s"
  }
}
