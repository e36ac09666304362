import Dispatch
import Glibc
import Synchronization

/// Writes lines to a descriptor on a thread of its own, so that a reader that stalls never stalls its caller.
///
/// Lines wait in a bounded buffer. When it is full they are dropped and counted, and as soon as there is room again a
/// line says how many are missing. A line finds room in an empty buffer, however long it is. Each write(2) ends at the
/// end of a line. A line that comes alone is written at once; those that come within a millisecond of it are written
/// together.
final class LineWriter: Sendable {
  /// How much may wait. A worker at full speed fills it in about a tenth of a second, a person's reading pause does not.
  static let bufferLimit = 4 << 20

  private struct State {
    var buffer: [UInt8] = []
    /// Dropped since the line that last said so.
    var dropped = 0
    /// Dropped ever.
    var lost = 0
    /// How many lines were taken on, and how many of those the kernel has.
    var taken = 0
    var written = 0
    var isWriting = false
    var broken = false
  }

  private let descriptor: Int32
  private let state = Mutex(State())
  private let wakeUps = DispatchSemaphore(value: 0)
  private let droppedLine: @Sendable (Int) -> [UInt8]

  /// - Parameter droppedLine: makes the line that says how many lines are missing.
  init(descriptor: Int32, droppedLine: @escaping @Sendable (Int) -> [UInt8]) {
    self.descriptor = descriptor
    self.droppedLine = droppedLine
    var thread = pthread_t()
    let code = pthread_create(
      &thread,
      nil,
      { argument in
        Unmanaged<LineWriter>.fromOpaque(argument!).takeRetainedValue().loop()
        return nil
      },
      Unmanaged.passRetained(self).toOpaque()
    )
    precondition(
      code == 0,
      "the system refused a thread (pthread_create: \(code)); raise the process limit (ulimit -u)"
    )
    pthread_detach(thread)
  }

  /// - Parameter line: appends a line, with its line feed. It is called at once, unless the line is dropped, and no two are
  ///   called at a time: a line that is written later has the later time.
  func write(_ line: (inout [UInt8]) -> Void) {
    let wasEmpty = state.withLock { state in
      let start = state.buffer.count
      if state.dropped == 0 { line(&state.buffer) }
      if state.dropped > 0 || start > 0 && state.buffer.count > Self.bufferLimit {
        state.buffer.removeLast(state.buffer.count - start)
        state.dropped += 1
        state.lost += 1
        return false
      }
      state.taken += 1
      return start == 0
    }
    if wasEmpty { wakeUps.signal() }
  }

  /// Waits until all lines are written, but not for longer than the timeout: at its end a program must not hang on
  /// somebody who does not read.
  func flush(timeout: Duration) {
    let end = ContinuousClock.now + timeout
    while ContinuousClock.now < end {
      let isDone = state.withLock { $0.broken || $0.buffer.isEmpty && !$0.isWriting && $0.dropped == 0 }
      if isDone { return }
      // Polled, once at the end of a process: a signal for it would cost each write of a line.
      usleep(1_000)
    }
  }

  /// Waits until all lines so far are written, but not for longer than the timeout.
  ///
  /// - Returns: how many lines were dropped, ever; nil when some still wait, or nobody will ever read them.
  func flushed(within timeout: Duration) async -> Int? {
    let goal = state.withLock(\.taken)
    let end = ContinuousClock.now + timeout
    while true {
      let (isOut, lost, broken) = state.withLock { ($0.written >= goal, $0.lost, $0.broken) }
      if broken { return nil }
      if isOut { return lost }
      if ContinuousClock.now >= end { return nil }
      // Polled: it is rare, and a signal for it would cost each write of a line.
      try? await Task.sleep(for: .microseconds(200))
    }
  }

  private func loop() {
    var taken = 0
    while true {
      let chunk = state.withLock { state in
        state.written = taken
        taken = state.taken
        var chunk = state.buffer
        state.buffer.removeAll(keepingCapacity: true)
        if state.dropped > 0 {
          chunk += droppedLine(state.dropped)
          state.dropped = 0
        }
        state.isWriting = !chunk.isEmpty
        return chunk
      }
      if chunk.isEmpty {
        wakeUps.wait()
      } else if !writeAll(chunk) {
        // Nobody will ever read it (EPIPE, EBADF). The work goes on; lines are counted as dropped and go nowhere.
        state.withLock { $0.broken = true }
        return
      } else {
        // Lines gather meanwhile: a write for each would cost several times as much as the line itself.
        usleep(1_000)
      }
    }
  }

  private func writeAll(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let written = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if written >= 0 {
          rest = rest.dropFirst(written)
        } else if errno == EAGAIN {
          var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = Glibc.poll(&poll, 1, -1)
        } else if errno != EINTR {
          return false
        }
      }
      return true
    }
  }
}
