import Synchronization

/// What a run is told from outside and by its own rows, and the bell that wakes its loop.
package final class RunControl: Sendable {
  private struct State {
    var finished: [(row: ClaimedRow, outcome: RowOutcome)] = []
    var stops = 0
  }

  private let state = Mutex(State())
  /// Rung often, heard once: what there is to do stands in the state.
  let bell: AsyncStream<Void>
  private let ringer: AsyncStream<Void>.Continuation

  package init() {
    (bell, ringer) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    // For the first batch.
    ring()
  }

  /// The first call: claim nothing more, finish what is in hand. The second one: interrupt what is in hand, too.
  package func stop() {
    state.withLock { $0.stops += 1 }
    ring()
  }

  package var mustStop: Bool { state.withLock { $0.stops >= 1 } }
  package var mustAbort: Bool { state.withLock { $0.stops >= 2 } }

  func finish(_ row: ClaimedRow, _ outcome: RowOutcome) {
    state.withLock { $0.finished.append((row, outcome)) }
    ring()
  }

  func takeFinished() -> [(row: ClaimedRow, outcome: RowOutcome)] {
    state.withLock { state in
      defer { state.finished = [] }
      return state.finished
    }
  }

  func ring() { ringer.yield() }

  /// Rings again and again, until it is cancelled.
  func ring(every interval: Duration) async {
    while (try? await Task.sleep(for: interval)) != nil { ring() }
  }
}
