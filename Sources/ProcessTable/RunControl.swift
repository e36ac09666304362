import Synchronization

/// What a run is told from outside and by its own rows, and what wakes its loop.
package final class RunControl: Sendable {
  private struct State {
    var finished: [(row: ClaimedRow, outcome: RowOutcome)] = []
    var stops = 0
  }

  private let state = Mutex(State())
  /// To be woken often is as good as once: what there is to do stands in the state.
  let wakes: AsyncStream<Void>
  private let waker: AsyncStream<Void>.Continuation

  package init() {
    (wakes, waker) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    // For the first batch.
    wake()
  }

  /// The first call: claim nothing more, finish what is in hand. The second one: interrupt what is in hand, too.
  package func stop() {
    state.withLock { $0.stops += 1 }
    wake()
  }

  package var mustStop: Bool { state.withLock { $0.stops >= 1 } }
  package var mustAbort: Bool { state.withLock { $0.stops >= 2 } }

  func finish(_ row: ClaimedRow, _ outcome: RowOutcome) {
    state.withLock { $0.finished.append((row, outcome)) }
    wake()
  }

  func takeFinished() -> [(row: ClaimedRow, outcome: RowOutcome)] {
    state.withLock { state in
      defer { state.finished = [] }
      return state.finished
    }
  }

  func wake() { waker.yield() }

  /// Wakes it again and again, until it is cancelled.
  func wake(every interval: Duration) async {
    while (try? await Task.sleep(for: interval)) != nil { wake() }
  }
}
