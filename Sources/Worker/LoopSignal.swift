import Synchronization

/// Wakes one loop that rests. To be woken twice before it looks is as good as once.
final class LoopSignal: Sendable {
  private enum State {
    case silent
    case woken
    case awaited(CheckedContinuation<Void, Never>)
  }

  private let state = Mutex(State.silent)

  func wake() {
    let loop = state.withLock { state in
      guard case .awaited(let loop) = state else {
        state = .woken
        return nil as CheckedContinuation<Void, Never>?
      }
      state = .silent
      return loop
    }
    loop?.resume()
  }

  /// Returns when it is woken, at once if it has been since it last was. For one loop.
  func woken() async {
    await withCheckedContinuation { loop in
      let isWoken = state.withLock { state in
        if case .woken = state {
          state = .silent
          return true
        }
        state = .awaited(loop)
        return false
      }
      if isWoken { loop.resume() }
    }
  }
}
