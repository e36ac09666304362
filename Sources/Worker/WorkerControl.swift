import Synchronization

/// What a worker is told from outside, by signals for one, and the bell that wakes its loop.
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
  /// Wakes the worker's loop.
  let bell = Bell()

  package init() {}

  package var phase: Phase { state.withLock { $0 } }

  /// Moves on to a later phase; a phase is never taken back.
  package func advance(to phase: Phase) {
    state.withLock { $0 = max($0, phase) }
    ring()
  }

  /// What SIGTERM and SIGINT mean: drain, and the second time, give back.
  package func stop() {
    state.withLock { $0 = $0 < .draining ? .draining : .aborting }
    ring()
  }

  /// Makes the loop look again.
  func ring() { bell.ring() }
}
