import Glibc
import Logging
import MessageQueue
import RedisClient

/// Claims messages, has each handled, and settles what becomes of it.
///
/// One loop talks to Redis, one step after the other: it registers, renews, settles and claims in one round trip, and
/// recovers what others left behind. So no two of these can cross. Waits for messages are on connections of their own, and
/// an idle worker has its next claim brought by one; then the loop claims nothing there.
///
/// The loop runs when its own bell rings: a handler finished, the queue's bell rang or was waited for long enough, a timer
/// went off, or a signal changed the phase.
///
///     wait --ring--> loop --claim--> dispatcher --outcome--> box --ring--> loop --settle-->
///
/// Failure never ends the loop. A turn whose answer was lost is repeated as it was until it is answered, which is safe
/// because claims are numbered and each settlement is guarded by its own claim.
package actor Worker {
  package enum End: Sendable, Equatable {
    /// All that was in hand is finished and recorded.
    case clean
    /// So many messages were given back unfinished, or could not be recorded, when the time was over.
    case unfinished(Int)
    /// A newer worker has the same name. So many messages were given back, or could not be recorded.
    case superseded(by: WorkerLife, unfinished: Int)
  }

  let options: WorkerOptions
  let handler: any MessageHandler
  let logger: Logger
  let output: (any LogOutput)?
  let dispatcher: Dispatcher
  package nonisolated let control: WorkerControl

  /// The loop runs on its connection's thread: no change of thread between a call to Redis and what is done with its
  /// answer.
  package nonisolated var unownedExecutor: UnownedSerialExecutor { commands.unownedExecutor }

  let commands: RedisConnection
  let sessions: [QueueSession]
  /// Messages that were handed to handlers and have not been taken back from them.
  var inHand = 0
  /// A suspect is in hand, and nothing else may join it.
  var hasSuspect = false
  var outage = Outage()
  /// False until Redis was asked for its settings, and again after each outage.
  var isSafetyKnown = false
  /// What was last found unsafe about them.
  var hazards: Set<Finding> = []
  /// The queue at which the outage was last met.
  var outageQueue: QueueName?
  var saidQuiet = false
  var drainUntil: ContinuousClock.Instant?
  var abortUntil: ContinuousClock.Instant?
  var successor: WorkerLife?
  /// When the loop is rung for, because the gateway bears more then.
  var ringsForGatewayAt: ContinuousClock.Instant?

  /// - Parameters:
  ///   - queues: in the order of their priority, the most urgent first.
  ///   - output: where the logger's lines go; nil for one that has each line written when it returns.
  package init(
    queues: [QueueName],
    redis: RedisEndpoint,
    handler: any MessageHandler,
    options: WorkerOptions,
    logger: Logger,
    output: (any LogOutput)? = nil
  ) {
    self.options = options
    self.handler = handler
    self.logger = logger
    self.output = output
    // Half a lease, so that a renewal that got no answer can be tried again before the lease ends.
    let commands = RedisConnection(to: redis, options: .init(name: "smsq-commands", replyTimeout: options.lease / 2))
    self.commands = commands
    let sessions = queues.map { name in
      QueueSession(name, worker: options, commands: commands, loopMayBlock: queues.count == 1)
    }
    self.sessions = sessions
    let waits = sessions.flatMap(\.waits)
    let control = WorkerControl { for wait in waits { wait.interrupt() } }
    self.control = control
    dispatcher = Dispatcher(handler: handler, options: options, logger: logger) { control.ring() }
  }

  /// Works until ``control`` tells it to stop, or a newer worker with its name takes over.
  package func run() async -> End {
    let fields: Logger.Metadata = [
      "worker": "\(options.name)",
      "queues": "\(sessions.map(\.queue.name.description).joined(separator: ","))",
      "redis": "\(commands.endpoint)",
      "concurrency": "\(options.concurrency)",
      "pid": "\(getpid())",
    ]
    logger.notice("started", metadata: fields.merging(handler.startFields) { $1 })
    let end = await withTaskExecutorPreference(commands.taskExecutor) { await loop() }
    // Nobody waits for them: a handler that does not heed its cancellation must not hold up the end.
    dispatcher.cancel()

    switch end {
    case .clean, .superseded(_, unfinished: 0):
      logger.notice("stopped")
    case .unfinished(let count), .superseded(_, unfinished: let count):
      logger.warning("stopped", metadata: ["unfinished": "\(count)"])
    }
    return end
  }

  private func loop() async -> End {
    while true {
      notePhase()
      if let end = end() {
        await leave()
        return end
      }
      // All before any: what one queue's messages leave free is the most urgent queue's first.
      for session in sessions { collect(session) }
      for session in sessions where ContinuousClock.now >= session.retryAt {
        do {
          try await step(session)
        } catch {
          noteFailure(error, session)
          // The queues share the connection: if it is gone, the others would only say the same.
          if error.treatment == .reconnect { break }
        }
      }
      if !sessions.contains(where: hasWork) && end() == nil {
        await rest()
      } else if sessions.count > 1 {
        // A call to Redis does not leave the thread, so nothing else of this actor runs meanwhile: not even the news that
        // the bell of a more urgent queue has rung.
        await letOthersGoFirst()
      }
    }
  }

  /// Lets run what is in line for this actor's thread.
  private func letOthersGoFirst() async {
    await withCheckedContinuation { continuation in
      Task {
        _ = self
        continuation.resume()
      }
    }
  }

  /// Everything that one queue needs now.
  private func step(_ session: QueueSession) async throws(RedisError) {
    try await keepLease(session)
    try await checkSafety()
    try await takeTurn(session)
    try await recover(session)
    await listen(session)
    try await dropSurplus(session)
    if session.lostOutcomes > 0 {
      try await session.queue.count(lost: session.lostOutcomes)
      session.lostOutcomes = 0
    }
    noteSuccess(session)
  }

  /// Whether the loop must go round again without waiting for the bell.
  private func hasWork(_ session: QueueSession) -> Bool {
    ContinuousClock.now >= session.retryAt
      && (needsTurn(session) || !session.finished.isEmpty && !dispatcher.hasPlenty
        || !session.isRegistered && mayRegister || !session.toRecover.isEmpty && mayRegister
        || mayDrop(session))
  }

  /// Rings when the time is over.
  nonisolated func ring(after delay: Duration) {
    Task { [control] in
      try? await Task.sleep(for: max(delay, .zero))
      control.ring()
    }
  }
}
