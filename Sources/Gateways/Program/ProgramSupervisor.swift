import Glibc
import Logging

/// Keeps the program running: one life that serves, and at most one more that finishes what it has. Runs on the gateway's
/// own thread.
///
/// Two are enough: what a retiring life has was read before it retired, so it owes nothing any more when the next one can be
/// late for the first time. Should the old one still linger then, it is killed first.
struct ProgramSupervisor {
  private let gateway: ProgramGateway
  private var serving: ProgramLife?
  private var retiring: ProgramLife?
  /// When the next life begins; nil while one serves, and at the end.
  private var nextStart: ContinuousClock.Instant?
  private var nextCheck = ContinuousClock.now
  private var lives = 0
  /// Lives that ended, or retired, without an answer in between.
  private var failures = 0

  init(for gateway: ProgramGateway, first program: Coprocess) {
    self.gateway = gateway
    begin(with: program)
  }

  /// Returns once the gateway has been stopped and the program is gone.
  mutating func run() {
    while true {
      let now = ContinuousClock.now
      let isStopping = gateway.isStopping
      if isStopping {
        nextStart = nil
        serving?.end(now)
        retiring?.end(now)
      }
      if let event = retiring?.keepTime(now) { followRetiring(event) }
      if let event = serving?.keepTime(now) { followServing(event, isStopping) }
      if now >= nextCheck {
        nextCheck = now + gateway.tick
        gateway.giveUpWaiting(now: now)
      }
      if let due = nextStart, now >= due { start() }
      if isStopping, serving == nil, retiring == nil { break }
      wait(isStopping)
    }
    gateway.end()
  }

  /// Waits until something can be done, and does it.
  private mutating func wait(_ isStopping: Bool) {
    var pollfds = [pollfd(fd: gateway.wakePipe.reads, events: Int16(POLLIN), revents: 0)]
    if let serving { pollfds += serving.pollfds }
    let servingEnd = pollfds.count
    if let retiring { pollfds += retiring.pollfds }
    let due = [nextStart, serving?.due, retiring?.due].compactMap(\.self).reduce(nextCheck, min)
    guard poll(&pollfds, nfds_t(pollfds.count), (due - .now).pollTimeout) > 0 else { return }
    if pollfds[0].revents != 0 { gateway.noticeWake() }
    if let event = retiring?.act(on: pollfds[servingEnd...]) { followRetiring(event) }
    if let event = serving?.act(on: pollfds[1..<servingEnd]) { followServing(event, isStopping) }
  }

  // MARK: Lives

  private mutating func begin(with program: Coprocess) {
    lives += 1
    serving = ProgramLife(lives, of: program, for: gateway)
    gateway.logger.notice("gateway-started", metadata: ["gateway": "\(gateway.name)", "pid": "\(program.pid)"])
  }

  private mutating func start() {
    nextStart = nil
    do throws(ProgramStartError) {
      begin(with: try Coprocess.start(gateway.command))
    } catch {
      failures += 1
      startLater("\(error)", ["unanswered": "0"])
    }
  }

  private mutating func followServing(_ event: ProgramLife.Event, _ isStopping: Bool) {
    guard let life = serving else { return }
    serving = nil
    switch event {
    case .ended(let end):
      if isStopping { return }
      failures = life.hasAnswered ? 1 : failures + 1
      startLater(end.reason, ["pid": "\(life.pid)", "unanswered": "\(end.unanswered)"])
    case .retired(let reason, let late, let owed):
      if let end = retiring?.kill() { followRetiring(.ended(end)) }
      retiring = life
      // One that has shown that it works is followed at once.
      failures = life.hasAnswered ? 0 : failures + 1
      startLater(
        "\(reason); it gets no more messages, and may finish what it has",
        ["pid": "\(life.pid)", "unanswered": "\(late)", "in_hand": "\(owed)"]
      )
    }
  }

  private mutating func followRetiring(_ event: ProgramLife.Event) {
    guard case .ended(let end) = event, let life = retiring else { return }
    retiring = nil
    let fields: Logger.Metadata = [
      "gateway": "\(gateway.name)", "pid": "\(life.pid)", "reason": "\(end.reason)", "unanswered": "\(end.unanswered)",
    ]
    gateway.logger.notice("gateway-ended", metadata: fields)
  }

  private mutating func startLater(_ reason: String, _ fields: Logger.Metadata) {
    let pauses = gateway.options.pauses
    // 2^20 times any sensible pause is beyond any sensible bound, and does not overflow.
    let pause = failures == 0 ? .zero : min(pauses.upperBound, pauses.lowerBound * (1 << min(failures - 1, 20)))
    nextStart = .now + pause
    let common: Logger.Metadata = [
      "gateway": "\(gateway.name)", "reason": "\(reason)", "restart_in_ms": "\(Int64(pause / .milliseconds(1)))",
    ]
    gateway.logger.error("gateway-lost", metadata: common.merging(fields) { common, _ in common })
  }
}

// What the gateway's thread asks of it.
extension ProgramGateway {
  var isStopping: Bool { state.withLock { $0.isStopping } }

  /// How often to look for what has taken too long.
  var tick: Duration { min(.seconds(1), max(.milliseconds(10), options.timeout / 8)) }

  /// Answers those whose messages waited for the program for too long, or must not be begun any more.
  func giveUpWaiting(now: ContinuousClock.Instant) {
    // A tick later than a life is found to be late: those that wait behind its late message wait for the next life.
    let overdue = state.withLock { $0.requests.takeOverdue(now: now, timeout: options.timeout + tick) }
    refuse(overdue.refused)
    let reason = "the gateway program did not take the message within \(options.timeout)"
    for caller in overdue.waiting { caller(.success(.gatewayDown(reason))) }
  }

  func refuse(_ callers: [OpenRequests.Completion]) {
    for caller in callers { caller(.failure(NotHandedOver())) }
  }

  /// Empties the pipe that woke the thread, so that it can be woken anew.
  func noticeWake() {
    state.withLock { state in
      var bytes = [UInt8](repeating: 0, count: 16)
      while read(wakePipe.reads, &bytes, bytes.count) > 0 {}
      state.isWoken = false
    }
  }

  /// Closes the gateway's own books, once the program is gone.
  func end() {
    let (waiting, stops) = state.withLock { state in
      state.hasEnded = true
      close(wakePipe.reads)
      close(wakePipe.writes)
      return (state.requests.takeWaiting(), state.whenEnded)
    }
    for caller in waiting { caller(.success(.gatewayDown("the gateway is being stopped"))) }
    for stop in stops { stop.resume() }
  }
}

extension Duration {
  /// In milliseconds for poll(2), rounded up so that it does not spin through the last one.
  var pollTimeout: Int32 { Int32(max(0, min(self / .milliseconds(1), 60_000)).rounded(.up)) }
}
