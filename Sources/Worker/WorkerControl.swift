import Synchronization

/// What a worker is told from outside, by signals for one.
package final class WorkerControl: Sendable {
  package enum Phase: Int, Sendable, Comparable {
    case running
    /// Claims no more, keeps running.
    case quiet
    /// Claims no more, finishes what is in hand, then ends.
    case draining
    /// Gives back what is in hand and ends.
    case aborting

    package static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
  }

  private let state = Mutex(Phase.running)
  private let leftRunning: @Sendable () -> Void

  /// - Parameter leftRunning: called with each phase that comes after `running`, on whatever thread that comes from.
  init(leftRunning: @escaping @Sendable () -> Void) { self.leftRunning = leftRunning }

  package var phase: Phase { state.withLock { $0 } }

  /// Moves on to a later phase; a phase is never taken back.
  package func advance(to phase: Phase) {
    state.withLock { $0 = max($0, phase) }
    tell()
  }

  /// What SIGTERM and SIGINT mean: drain, and the second time, give back.
  package func stop() {
    state.withLock { $0 = $0 < .draining ? .draining : .aborting }
    tell()
  }

  private func tell() { if phase > .running { leftRunning() } }
}
