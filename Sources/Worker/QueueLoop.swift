import Logging
import MessageQueue
import RedisClient
import Synchronization

/// Carries out what ``QueueState`` decides for one queue, and tells it what came of that. Decides nothing itself.
///
/// It runs on its connection's thread, and does one thing after the other. Whatever happens elsewhere comes through its inbox.
actor QueueLoop {
  /// What it has in common with the loops of the worker's other queues.
  final class Common: Sendable {
    let resolver: RedisResolver
    let options: WorkerOptions
    let handler: any MessageHandler
    let logger: Logger
    let output: (any LogOutput)?
    /// Nil where nobody asks.
    let metrics: WorkerMetrics?
    let dispatcher: Dispatcher
    let loops: Loops

    init(
      resolver: RedisResolver,
      handler: any MessageHandler,
      options: WorkerOptions,
      logger: Logger,
      output: (any LogOutput)?,
      metrics: WorkerMetrics? = nil
    ) {
      self.resolver = resolver
      self.options = options
      self.handler = handler
      self.logger = logger
      self.output = output
      self.metrics = metrics
      let loops = Loops(concurrency: options.concurrency)
      self.loops = loops
      dispatcher = Dispatcher(handler: handler, options: options, logger: logger) { loops.wakeAll() }
    }
  }

  let common: Common
  let name: QueueName
  /// Its place in the worker's hands.
  let place: Int
  private let signal: LoopSignal
  private let inbox: Inbox
  private let connections: QueueConnections

  private var state: QueueState
  private var lease = LeaseClock()
  private var leaseNumber = 0
  private var changedShards: @Sendable (Int) -> Void = { _ in }
  private var timer: (at: Instant, task: Task<Void, Never>)?

  nonisolated var unownedExecutor: UnownedSerialExecutor { connections.commands.unownedExecutor }

  /// - Parameters:
  ///   - name: of a queue, or of one of its shards.
  ///   - rank: the queue's priority; 0 is the most urgent.
  init(_ name: QueueName, rank: Int, common: Common) {
    self.name = name
    self.common = common
    signal = LoopSignal()
    inbox = Inbox(wakes: signal)
    connections = QueueConnections(name, by: common.resolver, lease: common.options.lease)
    place = common.loops.add(rank: rank, inbox, waits: connections.waits)
    state = QueueState(at: place, options: common.options)
  }

  /// Works until the state says that it is over.
  ///
  /// - Parameters:
  ///   - told: what the worker was told from outside.
  ///   - changedShards: called with how many shards of the queue are to be served, as that changes.
  /// - Returns: how many messages were left undone.
  func run(
    _ told: @Sendable () -> WorkerControl.Phase,
    changedShards: @escaping @Sendable (Int) -> Void = { _ in }
  ) async -> Int {
    self.changedShards = changedShards
    return await withTaskExecutorPreference(connections.commands.taskExecutor) {
      while true {
        let action = decide(told())
        if case .end(let unfinished) = action {
          timer?.task.cancel()
          for wait in connections.waits { wait.interrupt() }
          return unfinished
        }
        if let event = await carryOut(action) { note(event) }
      }
    }
  }

  /// Takes in what has come, and asks what to do.
  private func decide(_ told: WorkerControl.Phase) -> QueueState.Action {
    let conditions = QueueState.Conditions(
      now: .now,
      told: told,
      gateway: common.dispatcher.watch.room(),
      hasPlenty: common.dispatcher.hasPlenty
    )
    let (action, toTell) = common.loops.withLock { loops in
      // Within the lock: what another queue's loop counts as out of hand, this one has, or is woken for.
      let (finished, uncounted, events) = inbox.take()
      loops.hands.finished(uncounted, place)
      // Another queue's loop may be stuck, and not know yet that it has room to give.
      for other in loops.inboxes.indices where other != place {
        loops.hands.finished(loops.inboxes[other].takeUncounted(), other)
      }
      if !finished.isEmpty { state.got(.finished(finished), now: conditions.now, &loops.hands) }
      for event in events { state.got(event, now: conditions.now, &loops.hands) }
      let action = state.next(conditions, &loops.hands)
      common.metrics?.change(name) { queue in
        for event in events { queue.note(event, leaseEnd: state.leaseEnd, now: conditions.now) }
        queue.inHand = loops.hands.inHand(place)
        queue.isLeaving = state.isLeaving(loops.hands)
      }
      return (action, loops.takeToTell())
    }
    spread(toTell)
    return action
  }

  private func note(_ event: QueueState.Event) {
    let now = Instant.now
    let toTell = common.loops.withLock { loops in
      state.got(event, now: now, &loops.hands)
      return loops.takeToTell()
    }
    common.metrics?.change(name) { $0.note(event, leaseEnd: state.leaseEnd, now: now) }
    switch event {
    case .joined, .renewed: showLease()
    default: break
    }
    spread(toTell)
  }

  /// Says what is to be said, and wakes those who are to look again.
  private func spread(_ toTell: [Inbox]) {
    for note in state.takeNotes() {
      log(note)
      common.metrics?.change(name) { $0.note(note) }
      switch note {
      // The loops of the other queues may be blocked in waits, and are to end as well.
      case .superseded: common.loops.interruptWaits()
      case .shards(let number): changedShards(number)
      default: break
      }
    }
    for inbox in toTell { inbox.wake() }
  }

  /// Shows the lease to the handlers.
  private func showLease() {
    if state.lifeNumber != leaseNumber {
      lease.set(nil)
      lease = LeaseClock()
      leaseNumber = state.lifeNumber
    }
    lease.set(state.leaseEnd)
  }

  // MARK: Actions

  /// - Returns: what came of it; nil where nothing is to be told.
  private func carryOut(_ action: QueueState.Action) async -> QueueState.Event? {
    do throws(RedisError) {
      return try await perform(action)
    } catch {
      return .failed(error, jitter: .random(in: 0...1))
    }
  }

  private func perform(_ action: QueueState.Action) async throws(RedisError) -> QueueState.Event? {
    let queue = connections.queue
    switch action {
    case .beginLife:
      return .began(WorkerLife(name: common.options.name, process: ProcessIdentity.own))
    case .join(let life):
      let older = try await queue.join(life, lease: common.options.lease)
      return .joined(older: older, gone: older.filter { $0.process.map(ProcessIdentity.isGone) == true })
    case .renew(let life, let lastClaim):
      return .renewed(try await queue.renew(life, lease: common.options.lease, lastClaim: lastClaim))
    case .checkSafety:
      return .foundUnsafe(try await hazards())
    case .turn(let turn):
      let answer = try await queue.turn(settling: turn.settling.map(\.settlement), claiming: turn.request)
      return .turned(
        .init(
          settled: answer.settled,
          refusal: answer.refusal,
          claimed: answer.claimed,
          jitter: answer.refusal == nil ? 0 : .random(in: 0...1)
        )
      )
    case .fence(let life, let isGone):
      return .fenced(try await queue.fence(life, isGone: isGone))
    case .settle(let settlements, let holder):
      return .settled(try await queue.settle(settlements, of: holder))
    case .compare(let life, let known, let before):
      return .compared(try await queue.reconcile(life, known: known, before: before))
    case .drop(let logged, let life):
      let (bounds, lease) = (common.options.deadLetters, common.options.lease)
      return .dropped(try await queue.drop(logged, keeping: bounds, for: life, lease: lease))
    case .writeOut(let letters, let until):
      Task { inbox.put(.wroteOut(await writeOut(letters, until: until))) }
      return nil
    case .count(let lost):
      try await queue.count(lost: lost)
      return .counted
    case .askForRing(let ring):
      return .askedForRing(await askForRing(ring))
    case .wait(let wait):
      if !wait.isBeside { return .heard(await Self.wait(wait, on: connections.idleBell)) }
      Task { [inbox, bell = connections.bell] in inbox.put(.heard(await Self.wait(wait, on: bell))) }
      return nil
    case .start(let arrived):
      let claims = Dispatcher.Claims(lease: lease, lifeNumber: arrived.lifeNumber, inbox: inbox, now: arrived.now)
      common.dispatcher.start(arrived.messages, claims)
      return nil
    case .cutShort(let until):
      common.dispatcher.cancel()
      // Redis may hang in the middle of an answer.
      Task { [commands = connections.commands, signal] in
        try? await Task.sleep(until: until)
        commands.interrupt()
        signal.wake()
      }
      return nil
    case .leave(let life):
      for wait in connections.waits { wait.interrupt() }
      return .left(try await queue.leave(life))
    case .rest(let until):
      if let until { wake(at: until) }
      await signal.woken()
      return nil
    case .end:
      return nil
    }
  }

  /// - Throws: what asks for another try. A Redis that does not let us ask is itself a thing to warn of.
  private func hazards() async throws(RedisError) -> [Finding] {
    do {
      return RedisSafety.hazards(try await connections.commands.info(), replicas: common.options.replicas)
    } catch {
      guard error.treatment == .denied || error.treatment == .refused else { throw error }
      return [
        Finding("info", .warning, "not permitted", hint: "settings that lose messages cannot be seen; ACL: +info")
      ]
    }
  }

  private static func wait(_ wait: QueueState.Wait, on bell: MessageQueue) async -> QueueState.WaitEnd {
    do throws(RedisError) {
      if wait.isAtLimit {
        return try await bell.waitForLimit(atMost: wait.timeout) ? .rang : .limitHolds
      }
      if let claim = wait.claim {
        let (refusal, claimed) = try await bell.wait(atMost: wait.timeout, claiming: claim)
        return .claimed(claimed, refusal: refusal)
      }
      _ = try await bell.wait(atMost: wait.timeout)
      return .rang
    } catch {
      return .failed(error)
    }
  }

  private func askForRing(_ ring: QueueState.Ring) async -> RedisError? {
    do throws(RedisError) {
      try await connections.ringer.ringAtPush(
        atMost: ring.timeout,
        hasRung: ring.hasRung,
        mayConnect: ring.mayConnect
      )
      return nil
    } catch {
      return error
    }
  }

  /// Sees to it that the loop is woken at that time, or before.
  private func wake(at time: Instant) {
    if let timer, timer.at > .now, timer.at <= time { return }
    timer?.task.cancel()
    timer = (time, Self.waking(signal, at: time))
  }

  /// Not on the loop's thread, which may be blocked.
  private nonisolated static func waking(_ signal: LoopSignal, at time: Instant) -> Task<Void, Never> {
    Task {
      do {
        try await Task.sleep(until: time)
        signal.wake()
      } catch {
        // A sooner one has taken its place.
      }
    }
  }
}

/// One queue's connections to Redis.
struct QueueConnections: Sendable {
  /// What the loop's thread belongs to.
  let commands: RedisConnection
  let queue: MessageQueue
  /// On a thread of its own, for waits while the loop works.
  let bell: MessageQueue
  /// On the loop's thread, for waits in which the loop has nothing else to do.
  let idleBell: MessageQueue
  /// On the loop's thread, to ask Redis to ring for plain pushes: nobody waits for its answers.
  let ringer: MessageQueue
  /// The connections of the last three, which are in use for waits alone, and may be interrupted.
  let waits: [RedisConnection]

  init(_ name: QueueName, by resolver: RedisResolver, lease: Duration) {
    let redis = resolver.route(for: QueueKeys(name).list)
    // Where a slot is on its way to another node of a cluster, which takes less as a rule.
    let settleTimeout = min(.milliseconds(400), lease / 24)
    // Half a lease, so that a renewal that got no answer can be tried again before the lease ends.
    commands = RedisConnection(
      to: redis,
      options: .init(name: "smsq-commands", replyTimeout: lease / 2, settleTimeout: settleTimeout)
    )
    queue = MessageQueue(name, on: commands)
    // The loop itself may be in a wait that gets no answer, until its next renewal is due. That must get its time, and where
    // it gets no answer either, be repeated within the lease.
    let waitOptions = RedisConnection.Options(
      name: "smsq-wait-\(name)",
      connectTimeout: min(.seconds(5), lease / 4),
      replyTimeout: max(.milliseconds(200), min(.seconds(2), lease / 12)),
      settleTimeout: settleTimeout
    )
    let beside = RedisConnection(to: redis, options: waitOptions)
    let idle = RedisConnection(besides: commands, options: waitOptions)
    // Within the loop's own time, which must be enough for renewals: see `QueueState.Ring`.
    let ringTimeout = max(.milliseconds(50), min(.seconds(1), lease / 24))
    let ring = RedisConnection(
      besides: commands,
      options: .init(name: "smsq-ring-\(name)", connectTimeout: ringTimeout, replyTimeout: ringTimeout)
    )
    bell = MessageQueue(name, on: beside)
    idleBell = MessageQueue(name, on: idle)
    ringer = MessageQueue(name, on: ring)
    waits = [beside, idle, ring]
  }
}
