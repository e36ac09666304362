import Glibc
import Logging

// Keeps the program running. Runs on the gateway's own thread.
extension CommandGateway {
  /// Lets the program live, and live again, until the gateway is stopped.
  func supervise(_ program: Coprocess) {
    var program: Coprocess? = program
    var deaths = 0
    while true {
      let pause: Duration
      if let living = program {
        program = nil
        logger.notice("gateway-started", metadata: ["gateway": "\(name)", "pid": "\(living.pid)"])
        var life = ProgramLife(of: living, for: self)
        let end = life.run()
        deaths = life.hasAnswered ? 1 : deaths + 1
        pause = self.pause(after: deaths)
        if isStopping { break }
        logLoss(end, pause)
      } else {
        do throws(ProgramStartError) {
          program = try Coprocess.start(command)
          continue
        } catch {
          deaths += 1
          pause = self.pause(after: deaths)
          logLoss(.init(reason: "\(error)", unanswered: 0), pause)
        }
      }
      wait(pause)
      if isStopping { break }
    }
    end()
  }

  var isStopping: Bool { state.withLock { $0.isStopping } }

  /// Answers those whose messages waited for the program for too long.
  func giveUpWaiting(now: ContinuousClock.Instant) {
    let overdue = state.withLock { $0.ledger.takeOverdue(now: now, timeout: options.timeout) }
    let reason = "the gateway program did not take the message within \(options.timeout)"
    for completion in overdue { completion(.success(.gatewayDown(reason))) }
  }

  /// How often to look for what has taken too long.
  var tick: Duration { min(.seconds(1), max(.milliseconds(10), options.timeout / 8)) }

  /// Hears the bell out, so that the next ring is a new one.
  func silenceBell() {
    state.withLock { state in
      var bytes = [UInt8](repeating: 0, count: 16)
      while read(bell.hears, &bytes, bytes.count) > 0 {}
      state.isRung = false
    }
  }

  private func pause(after deaths: Int) -> Duration {
    // 2^20 times any sensible pause is beyond any sensible bound, and does not overflow.
    min(options.pauses.upperBound, options.pauses.lowerBound * (1 << min(deaths - 1, 20)))
  }

  /// Waits for the pause to pass, or for the stop.
  private func wait(_ pause: Duration) {
    let end = ContinuousClock.now + pause
    while !isStopping, case let now = ContinuousClock.now, now < end {
      giveUpWaiting(now: now)
      var bell = pollfd(fd: bell.hears, events: Int16(POLLIN), revents: 0)
      if poll(&bell, 1, min(tick, end - now).pollTimeout) > 0 { silenceBell() }
    }
  }

  private func logLoss(_ end: ProgramLife.End, _ pause: Duration) {
    logger.error(
      "gateway-lost",
      metadata: [
        "gateway": "\(name)",
        "reason": "\(end.reason)",
        "unanswered": "\(end.unanswered)",
        "restart_in_ms": "\(Int64(pause / .milliseconds(1)))",
      ]
    )
  }

  private func end() {
    let (waiting, stops) = state.withLock { state in
      state.hasEnded = true
      close(bell.hears)
      close(bell.rings)
      return (state.ledger.takeWaiting(), state.whenEnded)
    }
    for completion in waiting { completion(.success(.gatewayDown("the gateway is being stopped"))) }
    for stop in stops { stop.resume() }
  }
}

extension Duration {
  /// In milliseconds for poll(2), rounded up so that it does not spin through the last one.
  var pollTimeout: Int32 { Int32(max(0, min(self / .milliseconds(1), 60_000)).rounded(.up)) }
}
