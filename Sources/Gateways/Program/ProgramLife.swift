import Glibc
import Logging
import Wire

/// One life of the program, from its start until it is gone: moves lines in and out, and watches the clock.
///
///     serving --a message is late, or its input is closed--> retiring --owes nothing more--> ending --> gone
///
/// Only a serving life gets messages. A retiring one may finish what it has, and each message of that has its own time-out,
/// so it owes nothing once another time-out is over. Then, and at a stop, it gets the end of its input, SIGTERM, and SIGKILL.
/// However it ends, the whole process group is killed and the program reaped before its books are closed.
struct ProgramLife {
  struct End {
    var reason: String
    /// Messages that it had and did not answer.
    var unanswered: Int
  }

  enum Event {
    /// Some messages are late, `owed` more are in hand.
    case retired(reason: String, late: Int, owed: Int)
    case ended(End)
  }

  private enum Phase: Equatable {
    case serving, retiring
    /// `due` is when the next, harder step is taken.
    case ending(due: ContinuousClock.Instant, isTerminated: Bool)
  }

  private enum Input {
    case open
    /// The program takes no more. Our end stays open, because it knows how much the program has read.
    case broken
    case closed
  }

  /// How often to look at what lies in the pipe: whether it may still be begun.
  private static let lookInterval = Duration.milliseconds(10)

  private let number: OpenRequests.Life
  private let program: Coprocess
  private let gateway: ProgramGateway

  private var phase = Phase.serving
  private var input = Input.open
  private var areErrorsOpen = true
  /// Lines on their way, of which `sent` bytes are in the pipe or read.
  private var outgoing: [UInt8] = []
  private var sent = 0
  /// Bytes of lines that are in the pipe or read, since the start.
  private var written = 0
  /// Whether the program has read all that it was given, as far as is known.
  private var hasReadAll = true
  private var readAhead = ReadAhead(now: .now)
  private var answers = LineSplitter(limit: 1 << 20)
  private var errorLines = LineSplitter(limit: 4 << 10)
  private var buffer = [UInt8](repeating: 0, count: 64 << 10)
  private var noise = GatewayNoise()
  private var nextCheck = ContinuousClock.now
  /// When to look again at what lies in the pipe.
  private var nextLook = ContinuousClock.now
  private(set) var hasAnswered = false

  var pid: pid_t { program.pid }
  /// When ``keepTime(_:)`` has something to do.
  var due: ContinuousClock.Instant { hasReadAll ? nextCheck : min(nextCheck, nextLook) }

  init(_ number: OpenRequests.Life, of program: Coprocess, for gateway: ProgramGateway) {
    self.number = number
    self.program = program
    self.gateway = gateway
  }

  // MARK: Pipes

  /// What ``act(on:)`` wants to hear of, in its order.
  var pollfds: [pollfd] {
    // poll(2) passes over negative descriptors. POLLERR comes without asking: the program has closed its input.
    [
      pollfd(fd: program.output, events: Int16(POLLIN), revents: 0),
      pollfd(fd: areErrorsOpen ? program.errors : -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: input == .open ? program.input : -1, events: Int16(hasReadAll ? 0 : POLLOUT), revents: 0),
    ]
  }

  /// Does what the pipes are ready for.
  mutating func act(on pollfds: ArraySlice<pollfd>) -> Event? {
    let ready = pollfds.map { Int32($0.revents) }
    if ready[2] & POLLERR != 0 {
      noteBrokenInput()
    } else if ready[2] != 0 {
      lookAtPipe(.now)
      if sent < outgoing.count {
        write()
      } else if !hasReadAll {
        // Not every kernel calls a pipe writable only when it is empty.
        usleep(1_000)
      }
    }
    if ready[1] != 0 { _ = readErrors() }
    if ready[0] != 0, case .end = readAnswers() { return .ended(finish("ended")) }
    return nil
  }

  private mutating func handOver(_ now: ContinuousClock.Instant) {
    guard phase == .serving, input == .open, hasReadAll else { return }
    let limit = (lines: readAhead.lines(now: now), bytes: Coprocess.inputSize)
    let next = gateway.state.withLock { $0.requests.handOver(to: number, at: written, limit: limit, now: now) }
    gateway.refuse(next.refused)
    if next.bytes.isEmpty { return }
    outgoing = next.bytes
    sent = 0
    hasReadAll = false
    write()
  }

  private mutating func write() {
    let count = outgoing.withUnsafeBytes { bytes in
      let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
      return Glibc.write(program.input, rest.baseAddress, rest.count)
    }
    if count > 0 {
      sent += count
      written += count
    } else if errno != EAGAIN && errno != EINTR {
      noteBrokenInput()
    }
  }

  /// The program may still answer what it has. Or it is about to end, of which this is the first sign: that comes within the
  /// moment that it is given.
  private mutating func noteBrokenInput() {
    input = .broken
    nextCheck = min(nextCheck, .now + .milliseconds(100))
  }

  /// Notes what the program has read by now.
  private mutating func lookAtPipe(_ now: ContinuousClock.Instant) {
    if hasReadAll || input == .closed { return }
    let unread = program.unreadInput
    hasReadAll = unread == 0 && sent == outgoing.count
    gateway.state.withLock { $0.requests.read(by: number, upTo: written - unread, now: now) }
  }

  /// Takes back the lines that the program has not begun to read, so that it cannot read them any more.
  private mutating func takeBack(_ now: ContinuousClock.Instant) {
    if hasReadAll || input == .closed { return }
    let taken = program.takeBackInput()
    guard program.unreadInput == 0 else { return }
    written -= taken
    sent -= taken
    let start = written - sent
    let end = gateway.state.withLock { state in
      state.requests.read(by: number, upTo: written, now: now)
      return state.requests.takeBack(from: number)
    }
    // Of a line that it has begun to read it must get the rest.
    if let end { outgoing.removeSubrange((end - start)...) }
    hasReadAll = sent == outgoing.count
    if !hasReadAll, input == .open { write() }
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
    let matches = gateway.state.withLock { state in answers.map { state.requests.answered($0.ref, by: number) } }
    readAhead.answered(answers.count, now: .now)
    // It may have been the last answer that it owed.
    if phase == .retiring { nextCheck = .now }
    for (answer, match) in zip(answers, matches) {
      switch match {
      case .none: note(.unknownRef)
      case .late: note(.late)
      case .open(let request):
        if let outcome = answer.answer(ourSegments: request.segments) {
          hasAnswered = true
          request.completion?(.success(outcome))
        } else {
          note(.unknownOutcome)
          let outcomes = "accepted, throttled, retry, failed or unknown"
          request.completion?(.success(.noAnswer("the gateway program's answer has no outcome of \(outcomes)")))
        }
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

  // MARK: Time

  /// Hands over what the program can take, and does what is due by the clock.
  mutating func keepTime(_ now: ContinuousClock.Instant) -> Event? {
    handOver(now)
    if now >= nextLook {
      nextLook = now + Self.lookInterval
      lookAtPipe(now)
      if gateway.state.withLock({ $0.requests.mustTakeBack(from: number) }) { takeBack(now) }
    }
    guard now >= nextCheck else { return nil }
    nextCheck = now + (phase == .serving ? gateway.tick : Self.lookInterval)
    if program.hasExited { return .ended(finish("ended")) }
    let late = findLate(now)
    switch phase {
    case .serving:
      if late > 0 || isStuck(now) {
        return retire("the program did not answer within \(gateway.options.timeout)", late, now)
      }
      if input == .broken { return retire("the program closed its input", late, now) }
    case .retiring:
      if gateway.state.withLock({ $0.requests.owed(by: number) }) == 0 { end(now) }
    case .ending(let due, let isTerminated):
      guard now >= due else { break }
      if isTerminated { return .ended(finish("had to be killed")) }
      program.signal(SIGTERM)
      phase = .ending(due: now + gateway.options.grace, isTerminated: true)
    }
    return nil
  }

  /// Answers those whose messages the program has kept for too long.
  private func findLate(_ now: ContinuousClock.Instant) -> Int {
    let timeout = gateway.options.timeout
    let late = gateway.state.withLock { $0.requests.takeLate(from: number, now: now, timeout: timeout) }
    let answer = GatewayAnswer.noAnswer("the gateway program had the message and did not answer within \(timeout)")
    for caller in late.callers { caller(.success(answer)) }
    return late.count
  }

  private func isStuck(_ now: ContinuousClock.Instant) -> Bool {
    gateway.state.withLock { $0.requests.isStuck(number, now: now, timeout: gateway.options.timeout) }
  }

  // MARK: The end

  private mutating func retire(_ reason: String, _ late: Int, _ now: ContinuousClock.Instant) -> Event {
    takeBack(now)
    phase = .retiring
    nextCheck = now
    return .retired(reason: reason, late: late, owed: gateway.state.withLock { $0.requests.owed(by: number) })
  }

  /// Begins the end: nothing more for the program, which may still answer.
  mutating func end(_ now: ContinuousClock.Instant) {
    if case .ending = phase { return }
    takeBack(now)
    close(program.input)
    input = .closed
    phase = .ending(due: now + gateway.options.grace, isTerminated: false)
    nextCheck = now
  }

  /// Ends it at once.
  mutating func kill() -> End { finish("was killed, as the next one was late, too") }

  private mutating func finish(_ how: String) -> End {
    program.signal(SIGKILL)
    let status = program.reap()
    // What it said last counts. Bounded, as a child that left the group may go on writing.
    for _ in 0..<16 { guard case .bytes = readAnswers() else { break } }
    for _ in 0..<16 { guard case .bytes = readErrors() else { break } }
    take(answers.finish())
    pass(errorLines.finish())
    for (kind, count) in noise.takeRest() { log(kind, count) }

    // A child that left the group may hold the pipe, and must not read on in it.
    let unread = input == .closed ? 0 : program.takeBackInput() + program.unreadInput
    if input != .closed { close(program.input) }
    close(program.output)
    close(program.errors)

    let lost = gateway.state.withLock { $0.requests.ended(number, consumed: written - unread, now: .now) }
    for caller in lost {
      caller(.success(.noAnswer("the gateway program had the message and \(how) (\(status))")))
    }
    return End(reason: "the program \(how) (\(status))", unanswered: lost.count)
  }
}
