import Dispatch
import Glibc
import Logging
import ProcessTable
import Worker

/// Turns the signals that supervisord, terminals and people send into what a worker or a run of cron understands.
///
/// Dispatch sources and not ServiceLifecycle: that has neither TSTP nor a meaning for the second TERM.
final class SignalHandlers {
  private let sources: [any DispatchSourceSignal]

  /// A worker's: TERM and INT stop, TSTP makes quiet, HUP does nothing but a line in the log.
  ///
  /// To a daemon HUP says that its log was moved, or its configuration changed. This one's log is its standard output, and
  /// options are read once; one that ended would stay down, because 0 is an exit code that supervisord expects. But where
  /// standard output is a terminal, and that is gone, whoever closed it wants nothing to run there any more.
  convenience init(for control: WorkerControl, logger: Logger) async {
    let stop: @Sendable () -> Void = { control.stop() }
    let hadTerminal = isatty(STDOUT_FILENO) == 1
    let hangup: @Sendable () -> Void = {
      guard hadTerminal && isatty(STDOUT_FILENO) == 0 else {
        logger.notice("hangup", metadata: ["hint": "HUP changes nothing; TERM stops"])
        return
      }
      // The shell and the kernel both say so, and a second stop would give back what is in hand.
      if control.phase < .draining { control.stop() }
    }
    await self.init([
      (SIGTERM, stop), (SIGINT, stop), (SIGTSTP, { @Sendable in control.advance(to: .quiet) }), (SIGHUP, hangup),
    ])
  }

  /// A run's of cron, which is short: all of them have it finish what is in hand.
  convenience init(for control: RunControl) async {
    let stop: @Sendable () -> Void = { control.stop() }
    await self.init([
      (SIGTERM, stop), (SIGINT, stop), (SIGHUP, { @Sendable in if !control.mustStop { control.stop() } }),
    ])
  }

  /// Returns when the signals are listened for. One that comes before then has its default effect: nothing has begun yet.
  ///
  /// On Linux Dispatch brings its own signal handlers. To ignore the signals first, as is done on Darwin, loses those that
  /// come before a source listens, so that a worker which is told to stop right after its start would not.
  private init(_ actions: [(Int32, @Sendable () -> Void)]) async {
    // nohup(1) has HUP ignored, so that a program outlives its terminal: it is to stay so.
    sources = actions.filter { $0.0 != SIGHUP || !Self.isIgnored(SIGHUP) }.map { number, action in
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler(handler: action)
      return source
    }
    for source in sources {
      await withCheckedContinuation { continuation in
        source.setRegistrationHandler { continuation.resume() }
        source.resume()
      }
    }
  }

  func cancel() { for source in sources { source.cancel() } }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    sigaction(number, nil, &action)
    // The two are numbers that stand for functions, which Swift does not compare.
    let handler = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
    return handler == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
