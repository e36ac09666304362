import Glibc
import Logging

/// One life of the program, from its start until it is gone: moves lines in and out, and watches the clock.
///
/// It ends when the program ends or closes its output, when it keeps a message for too long, or when the gateway is
/// stopped. However it ends, the whole process group is killed and the program reaped before its books are closed.
struct ProgramLife {
  struct End {
    var reason: String
    /// Messages that it had and did not answer.
    var unanswered: Int
  }

  private enum Cause {
    case closedOutput, exited, closedInput, hung, stopped
  }

  private enum Input {
    case open
    /// The program takes no more. Our end stays open, because it knows how much the program has read.
    case broken
    case closed
  }

  private let program: Coprocess
  private let gateway: CommandGateway

  private var input = Input.open
  private var areErrorsOpen = true
  /// Lines on their way, of which `sent` bytes are in the pipe.
  private var outgoing: [UInt8] = []
  private var sent = 0
  /// Bytes of lines in the pipe since the start.
  private var written = 0
  private var answers = LineSplitter(limit: 1 << 20)
  private var errorLines = LineSplitter(limit: 4 << 10)
  private var buffer = [UInt8](repeating: 0, count: 64 << 10)
  private var noise = GatewayNoise()
  private var nextCheck = ContinuousClock.now
  /// While stopping: when the next, harder step is due.
  private var stopStep: (due: ContinuousClock.Instant, isTerminated: Bool)?
  private(set) var hasAnswered = false

  init(of program: Coprocess, for gateway: CommandGateway) {
    self.program = program
    self.gateway = gateway
  }

  mutating func run() -> End {
    while true {
      if let cause = turn() { return finish(cause) }
    }
  }

  /// Waits until something can be done, and does it.
  private mutating func turn() -> Cause? {
    if let cause = keepTime(.now) { return cause }
    if outgoing.count == sent, input == .open {
      sent = 0
      outgoing = gateway.state.withLock { $0.ledger.handOver(limit: 64 << 10, now: .now) }
    }

    var pollfds = [
      pollfd(fd: gateway.bell.hears, events: Int16(POLLIN), revents: 0),
      pollfd(fd: program.output, events: Int16(POLLIN), revents: 0),
      // poll(2) passes over negative descriptors.
      pollfd(fd: areErrorsOpen ? program.errors : -1, events: Int16(POLLIN), revents: 0),
      // POLLERR comes without asking: the program has closed its input.
      pollfd(fd: input == .open ? program.input : -1, events: Int16(sent < outgoing.count ? POLLOUT : 0), revents: 0),
    ]
    guard poll(&pollfds, 4, (nextCheck - .now).pollTimeout) > 0 else { return nil }
    if pollfds[0].revents != 0 { gateway.silenceBell() }
    if pollfds[3].revents & Int16(POLLERR) != 0 {
      // It may still answer what it has.
      input = .broken
    } else if pollfds[3].revents != 0 {
      write()
    }
    if pollfds[2].revents != 0 { _ = readErrors() }
    if pollfds[1].revents != 0, case .end = readAnswers() { return .closedOutput }
    return nil
  }

  /// What is due by the clock.
  private mutating func keepTime(_ now: ContinuousClock.Instant) -> Cause? {
    if gateway.isStopping, let cause = stop(now) { return cause }
    guard now >= nextCheck else { return nil }
    nextCheck = now + (stopStep == nil ? gateway.tick : .milliseconds(10))
    if program.hasExited { return .exited }
    gateway.giveUpWaiting(now: now)
    let consumed = consumed
    return gateway.state.withLock { state in
      if state.ledger.hasHung(now: now, timeout: gateway.options.timeout) { return .hung }
      return input == .broken && !state.ledger.isOwed(consumed: consumed) ? .closedInput : nil
    }
  }

  /// How many bytes of lines the program has read, or may have.
  private var consumed: Int { written - (input == .closed ? 0 : program.unreadInput) }

  /// One step after the other: the end of its input, SIGTERM, and SIGKILL, which is `finish`'s.
  private mutating func stop(_ now: ContinuousClock.Instant) -> Cause? {
    guard let step = stopStep else {
      close(program.input)
      input = .closed
      stopStep = (now + gateway.options.grace, false)
      nextCheck = now
      return nil
    }
    guard now >= step.due else { return nil }
    if step.isTerminated { return .stopped }
    program.signal(SIGTERM)
    stopStep = (now + gateway.options.grace, true)
    return nil
  }

  // MARK: Pipes

  private mutating func write() {
    let count = outgoing.withUnsafeBytes { bytes in
      let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
      return Glibc.write(program.input, rest.baseAddress, rest.count)
    }
    if count > 0 {
      sent += count
      written += count
    } else if errno != EAGAIN && errno != EINTR {
      input = .broken
    }
  }

  private mutating func readAnswers() -> PipeRead {
    let result = PipeRead(program.output, into: &buffer)
    guard case .bytes(let count) = result else { return result }
    take(answers.feed(buffer[..<count]))
    return result
  }

  private mutating func take(_ lines: [LineSplitter.Line]) {
    var answers: [ProgramAnswer] = []
    for line in lines {
      if line.isCut {
        note(.tooLong)
      } else if let answer = try? ProgramAnswer(line: line.bytes) {
        answers.append(answer)
      } else {
        note(.unreadable)
      }
    }
    let requests = gateway.state.withLock { state in answers.map { state.ledger.answered($0.ref) } }
    for (answer, request) in zip(answers, requests) {
      guard let request else {
        note(.unknownRef)
        continue
      }
      if let outcome = answer.answer(ourSegments: request.segments) {
        hasAnswered = true
        request.completion?(.success(outcome))
      } else {
        note(.unknownOutcome)
        let reason = "the gateway program's answer has no outcome of accepted, retry or failed"
        request.completion?(.failure(GatewayNoAnswer(description: reason)))
      }
    }
  }

  private mutating func readErrors() -> PipeRead {
    let result = PipeRead(program.errors, into: &buffer)
    switch result {
    case .bytes(let count): pass(errorLines.feed(buffer[..<count]))
    case .nothingYet: break
    case .end: areErrorsOpen = false
    }
    return result
  }

  private func pass(_ lines: [LineSplitter.Line]) {
    for line in lines { gateway.errorLine(line.bytes) }
  }

  private mutating func note(_ kind: GatewayNoise.Kind) {
    if let count = noise.note(kind, now: .now) { log(kind, count) }
  }

  private func log(_ kind: GatewayNoise.Kind, _ count: Int) {
    let fields: Logger.Metadata = [
      "gateway": "\(gateway.name)", "pid": "\(program.pid)", "what": "\(kind.rawValue)", "lines": "\(count)",
    ]
    gateway.logger.warning("gateway-noise", metadata: fields)
  }

  // MARK: The end

  private mutating func finish(_ cause: Cause) -> End {
    program.signal(SIGKILL)
    let status = program.reap()
    // What it said last counts. Bounded, as a child that left the group may go on writing.
    for _ in 0..<16 { guard case .bytes = readAnswers() else { break } }
    for _ in 0..<16 { guard case .bytes = readErrors() else { break } }
    take(answers.finish())
    pass(errorLines.finish())
    for (kind, count) in noise.takeRest() { log(kind, count) }

    let consumed = consumed
    if input != .closed { close(program.input) }
    close(program.output)
    close(program.errors)

    let reason =
      switch cause {
      case .closedOutput, .exited, .stopped: "ended (\(status))"
      case .closedInput: "closed its input"
      case .hung: "did not answer within \(gateway.options.timeout) and was killed"
      }
    let lost = gateway.state.withLock { $0.ledger.programEnded(consumed: consumed) }
    for completion in lost {
      completion(.failure(GatewayNoAnswer(description: "the gateway program had the message and \(reason)")))
    }
    return End(reason: "the program \(reason)", unanswered: lost.count)
  }
}
