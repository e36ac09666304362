import Glibc
import Logging
import MessageQueue
import RedisClient

/// Claims messages, has each handled, and settles what becomes of it.
///
/// For each of its queues, and each shard of them, it has a loop with connections of its own, so that one whose Redis is slow or
/// gone holds up no other. What a loop does next is decided by a value, ``QueueState``, and by what the queues share, ``Hands``:
///
///     QueueLoop ──start──► Dispatcher ──► handlers ──outcome──► Inbox ──wakes──► QueueLoop
///        │  ▲
///     next  got
///        ▼  │
///     QueueState
package final class Worker: Sendable {
  package enum End: Sendable, Equatable {
    /// All that was in hand is finished and recorded.
    case clean
    /// So many messages were given back unfinished, or could not be recorded, when the time was over.
    case unfinished(Int)
    /// A newer worker has the same name. So many messages were given back, or could not be recorded.
    case superseded(by: WorkerLife, unfinished: Int)
  }

  package let control: WorkerControl
  private let common: QueueLoop.Common
  private let services: [QueueService]
  private let resolver: RedisResolver
  private let startFields: Logger.Metadata

  /// - Parameters:
  ///   - queues: in the order of their priority, the most urgent first.
  ///   - output: where the logger's lines go; nil for one that has each line written when it returns.
  ///   - metrics: to be counted in; nil where nobody asks.
  package init(
    queues: [QueueName],
    redis: RedisEndpoint,
    handler: any MessageHandler,
    options: WorkerOptions,
    logger: Logger,
    output: (any LogOutput)? = nil,
    metrics: WorkerMetrics? = nil
  ) {
    let resolver = RedisResolver(redis)
    self.resolver = resolver
    let common = QueueLoop.Common(
      resolver: resolver,
      handler: handler,
      options: options,
      logger: logger,
      output: output,
      metrics: metrics
    )
    self.common = common
    services = queues.enumerated().map { rank, name in
      QueueService(name, rank: rank, given: Set(queues), common: common)
    }
    control = WorkerControl { [loops = common.loops] in
      // A loop may be blocked in a wait, which is to end now.
      loops.interruptWaits()
      loops.wakeAll()
    }
    var startFields: Logger.Metadata = [
      "worker": "\(options.name)",
      "queues": "\(queues.map(\.description).joined(separator: ","))",
      "redis": "\(redis)",
      "concurrency": "\(options.concurrency)",
      "pid": "\(getpid())",
    ]
    // Never silently: whoever reads the log is to know.
    if redis.tls?.isInsecure == true { startFields["tls"] = "insecure: any certificate is accepted" }
    self.startFields = startFields
  }

  /// What it counts in; nil where nobody asks.
  package var metrics: WorkerMetrics? { common.metrics }
  /// What the gateway bears, as far as its answers have told.
  package var gateway: GatewayWatch { common.dispatcher.watch }

  /// Works until ``control`` tells it to stop, or a newer worker with its name takes over.
  package func run() async -> End {
    common.logger.notice("started", metadata: startFields.merging(common.handler.startFields) { $1 })
    let watcher = SentinelWatcher.start(resolver) { [logger = common.logger] failover in
      logger.notice(
        "redis-failover",
        metadata: ["from": "\(failover.from)", "to": "\(failover.to)", "after": "\(failover.duration.inSeconds)"]
      )
    }
    defer { watcher?.stop() }
    let unfinished = await withTaskGroup { group in
      for service in services { group.addTask { [control] in await service.run { control.phase } } }
      return await group.reduce(0, +)
    }
    // Nobody waits for them: a handler that does not heed its cancellation must not hold up the end.
    common.dispatcher.cancel()

    if unfinished == 0 {
      common.logger.notice("stopped")
    } else {
      common.logger.warning("stopped", metadata: ["unfinished": "\(unfinished)"])
    }
    if let successor = common.loops.withLock(\.hands.stop.successor) {
      return .superseded(by: successor, unfinished: unfinished)
    }
    return unfinished == 0 ? .clean : .unfinished(unfinished)
  }
}
