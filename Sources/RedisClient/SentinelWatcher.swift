import Dispatch
import Synchronization

/// Keeps watch over a master: asks all its sentinels, again and again, and has connections cut when they name another one.
///
/// Twice a second, because the sentinels name a new master long before an old one that lives is demoted, which takes writes
/// until then. Their own message of a switch comes up to a second later than a question finds it.
///
/// On a thread and on connections of its own, so that no call to Redis holds it up.
package actor SentinelWatcher {
  private static let interval = Duration.milliseconds(500)
  /// While connections fail.
  private static let intervalInTrouble = Duration.milliseconds(100)
  /// Before a sentinel that could not be reached is tried again: to try may take as long as ``SentinelLine/patience``.
  private static let pause = Duration.seconds(2)

  private let resolver: RedisResolver
  private let sentinels: [RedisEndpoint.Address]
  private let master: String
  private let executor = ConnectionThread(name: "smsq-sentinels")
  private let sockets: [GuardedSocket]
  private var lines: [SentinelLine?]
  private var notBefore: [ContinuousClock.Instant]
  private var votes = MasterVotes()
  private let end = End()

  private final class End: Sendable {
    let isOver = Mutex(false)
    let signal = DispatchSemaphore(value: 0)
  }

  package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// Begins to keep watch.
  ///
  /// - Parameter onFailover: called on any thread when a first connection to a new master was made.
  /// - Returns: nil where there are no sentinels.
  package static func start(
    _ resolver: RedisResolver,
    onFailover: @escaping @Sendable (RedisResolver.Failover) -> Void
  ) -> SentinelWatcher? {
    guard case .sentinels(let sentinels, let master) = resolver.endpoint.place else { return nil }
    resolver.watch(onFailover)
    let watcher = SentinelWatcher(resolver, sentinels, master)
    Task { await watcher.run() }
    return watcher
  }

  private init(_ resolver: RedisResolver, _ sentinels: [RedisEndpoint.Address], _ master: String) {
    self.resolver = resolver
    self.sentinels = sentinels
    self.master = master
    sockets = sentinels.map { _ in GuardedSocket() }
    lines = sentinels.map { _ in nil }
    notBefore = sentinels.map { _ in .now }
  }

  isolated deinit { executor.stop() }

  /// Ends the watch, from any thread.
  package nonisolated func stop() {
    end.isOver.withLock { $0 = true }
    for socket in sockets { socket.interrupt() }
    end.signal.signal()
    resolver.unwatch()
  }

  /// Blocks its thread, which has nothing else to do.
  private func run() {
    while !end.isOver.withLock({ $0 }) {
      poll()
      let interval = resolver.isLost ? Self.intervalInTrouble : Self.interval
      _ = end.signal.wait(timeout: .now() + .milliseconds(Int(interval / .milliseconds(1))))
    }
    for line in lines { line?.stream.close() }
  }

  /// Asks all of them at once, and takes in what comes in time.
  private func poll() {
    for index in sentinels.indices { ask(index) }
    let deadline = ContinuousClock.now + SentinelLine.patience
    for index in sentinels.indices { take(index, until: deadline) }
    if let address = votes.elected(now: .now) { resolver.elected(address) }
  }

  private func ask(_ index: Int) {
    if lines[index] == nil && notBefore[index] > .now { return }
    do throws(RedisError) {
      // `??` would lose the type of what is thrown.
      let line = if let line = lines[index] { line } else { try connect(index) }
      lines[index] = line
      try line.ask(for: master)
    } catch {
      drop(index)
    }
  }

  private func connect(_ index: Int) throws(RedisError) -> SentinelLine {
    try SentinelLine(to: sentinels[index], of: resolver.endpoint, as: "smsq-sentinels", socket: sockets[index])
  }

  private func take(_ index: Int, until deadline: ContinuousClock.Instant) {
    guard let line = lines[index] else { return }
    do throws(RedisError) {
      // An answer that comes later would be taken for the next one's.
      guard let reply = try line.answer(within: max(.zero, deadline - .now)) else { return drop(index) }
      switch SentinelAnswer(reply) {
      case .master(let address): votes.got(address, from: sentinels[index], now: .now)
      case .failed: drop(index)
      case .unknown, nil: break
      }
    } catch {
      drop(index)
    }
  }

  private func drop(_ index: Int) {
    lines[index]?.stream.close()
    lines[index] = nil
    notBefore[index] = .now + Self.pause
  }
}
