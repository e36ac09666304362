import Synchronization

/// Wakes the one who listens. A ring that has not been heard yet is as good as many.
final class Bell: Sendable {
  private enum State {
    case silent
    case rung
    case awaited(CheckedContinuation<Void, Never>)
  }

  private let state = Mutex(State.silent)

  func ring() {
    let listener = state.withLock { state in
      guard case .awaited(let listener) = state else {
        state = .rung
        return nil as CheckedContinuation<Void, Never>?
      }
      state = .silent
      return listener
    }
    listener?.resume()
  }

  /// Returns at the next ring, at once if it has rung since it was last heard. For one listener at a time.
  func heard() async {
    await withCheckedContinuation { listener in
      let hasRung = state.withLock { state in
        if case .rung = state {
          state = .silent
          return true
        }
        state = .awaited(listener)
        return false
      }
      if hasRung { listener.resume() }
    }
  }
}
