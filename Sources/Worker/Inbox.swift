import Synchronization

/// Where handlers, and what goes on beside the loop, leave what one queue's loop is to know.
final class Inbox: Sendable {
  private struct Contents {
    var finished: [Finished] = []
    /// How many of all that ever came are not counted as out of hand yet.
    var uncounted = 0
    var events: [QueueState.Event] = []
  }

  private let contents = Mutex(Contents())
  private let signal: LoopSignal

  init(wakes signal: LoopSignal) { self.signal = signal }

  /// - Returns: true when there was none: the loop must be woken.
  func put(_ finished: Finished) -> Bool {
    contents.withLock { contents in
      contents.finished.append(finished)
      contents.uncounted += 1
      return contents.finished.count == 1
    }
  }

  /// Puts in what belongs together: the loop takes all of it at once.
  func put(_ finished: [Finished]) {
    contents.withLock { contents in
      contents.finished += finished
      contents.uncounted += finished.count
    }
  }

  /// Puts in what came of an action beside the loop, and wakes the loop.
  func put(_ event: QueueState.Event) {
    contents.withLock { $0.events.append(event) }
    wake()
  }

  func wake() { signal.wake() }

  /// Takes what is there.
  ///
  /// - Returns: `uncounted` as ``takeUncounted()`` says.
  func take() -> (finished: [Finished], uncounted: Int, events: [QueueState.Event]) {
    contents.withLock { contents in
      defer { contents = Contents() }
      return (contents.finished, contents.uncounted, contents.events)
    }
  }

  /// How many messages have come back from their handlers since this was last asked, by whichever loop.
  func takeUncounted() -> Int {
    contents.withLock { contents in
      defer { contents.uncounted = 0 }
      return contents.uncounted
    }
  }
}
