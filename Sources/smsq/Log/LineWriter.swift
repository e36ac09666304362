import CLinux
import Dispatch
import Glibc
import Synchronization

/// Writes lines to a descriptor on a thread of its own, so that a reader that stalls never stalls its caller.
///
/// Lines wait in a bounded buffer. When it is full they are dropped and counted, and as soon as there is room again a
/// line says how many are missing. A line finds room in an empty buffer, however long it is. Each write(2) ends at the
/// end of a line. A line that comes alone is written at once; those that come within a millisecond of it are written
/// together.
///
/// What cannot be written, because the disk is full for one, is tried again for as long as the process lives: whatever it
/// was, somebody may mend it.
final class LineWriter: Sendable {
  /// How much may wait. A worker at full speed fills it in about a tenth of a second, a person's reading pause does not.
  static let bufferLimit = 4 << 20
  /// Between two tries at a file that takes nothing: soon enough for whoever has made room and watches the log, and too
  /// seldom to be felt.
  static let retryPause = DispatchTimeInterval.milliseconds(500)

  private struct State {
    var buffer: [UInt8] = []
    /// Dropped since the line that last said so.
    var dropped = 0
    /// Why the last write failed while they were; nil where the reader was too slow.
    var droppedFor: ErrorNumber?
    /// Dropped ever.
    var lost = 0
    /// How many lines were taken on, and how many of those the kernel has.
    var taken = 0
    var written = 0
    var isWriting = false
    /// Why the last write failed; nil once one succeeds.
    var failure: ErrorNumber?
    var failures = 0
  }

  private let descriptor: Int32
  private let state = Mutex(State())
  private let wakeUps = DispatchSemaphore(value: 0)
  private let droppedLine: @Sendable (Int, ErrorNumber?) -> [UInt8]
  private let failed: @Sendable (ErrorNumber) -> Void

  /// - Parameters:
  ///   - failed: called when nothing can be written any more, once until something can. On the writer's own thread.
  ///   - droppedLine: makes the line that says how many lines are missing, and for which error if it was not for a slow
  ///     reader.
  init(
    descriptor: Int32,
    failed: @escaping @Sendable (ErrorNumber) -> Void = { _ in },
    droppedLine: @escaping @Sendable (Int, ErrorNumber?) -> [UInt8]
  ) {
    self.descriptor = descriptor
    self.failed = failed
    self.droppedLine = droppedLine
    let code = clinux_start_thread(
      nil,
      { Unmanaged<LineWriter>.fromOpaque($0!).takeRetainedValue().loop() },
      Unmanaged.passRetained(self).toOpaque()
    )
    precondition(code == 0, "the system refused a thread (\(code)); raise the process limit (ulimit -u)")
  }

  /// How many lines were dropped, ever.
  var droppedLines: Int { state.withLock(\.lost) }

  /// - Parameter line: appends a line, with its line feed. It is called at once, unless the line is dropped, and no two are
  ///   called at a time: a line that is written later has the later time.
  func write(_ line: (inout [UInt8]) -> Void) {
    let wasEmpty = state.withLock { state in
      let start = state.buffer.count
      if state.dropped == 0 { line(&state.buffer) }
      if state.dropped > 0 || start > 0 && state.buffer.count > Self.bufferLimit {
        state.buffer.removeLast(state.buffer.count - start)
        state.dropped += 1
        state.droppedFor = state.failure ?? state.droppedFor
        state.lost += 1
        return false
      }
      state.taken += 1
      return start == 0
    }
    if wasEmpty { wakeUps.signal() }
  }

  /// Waits until all lines are written, but not for longer than the timeout: at its end a program must not hang on
  /// somebody who does not read, nor on a full disk, which is given one more try.
  func flush(timeout: Duration) {
    let end = ContinuousClock.now + timeout
    let failures = state.withLock(\.failures)
    wakeUps.signal()
    while ContinuousClock.now < end {
      let isDone = state.withLock { state in
        state.buffer.isEmpty && !state.isWriting && state.dropped == 0
          || state.failure != nil && state.failures > failures
      }
      if isDone { return }
      // Polled, once at the end of a process: a signal for it would cost each write of a line.
      usleep(1_000)
    }
  }

  /// Waits until all lines so far are written, but not for longer than the timeout.
  ///
  /// - Returns: how many lines were dropped, ever; nil when some still wait, or nothing can be written now.
  func flushed(within timeout: Duration) async -> Int? {
    let goal = state.withLock(\.taken)
    let end = ContinuousClock.now + timeout
    while true {
      let (isOut, lost, isFailing) = state.withLock { ($0.written >= goal, $0.lost, $0.failure != nil) }
      if isOut { return lost }
      if isFailing || ContinuousClock.now >= end { return nil }
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
          chunk += droppedLine(state.dropped, state.droppedFor)
          (state.dropped, state.droppedFor) = (0, nil)
        }
        state.isWriting = !chunk.isEmpty
        return chunk
      }
      if chunk.isEmpty {
        wakeUps.wait()
      } else {
        write(UnwrittenLines(chunk))
        // Lines gather meanwhile: a write for each would cost several times as much as the line itself.
        usleep(1_000)
      }
    }
  }

  /// Returns when all is written, however long that takes.
  private func write(_ lines: consuming UnwrittenLines) {
    var lines = lines
    while let error = tryToWrite(&lines) {
      lines.failed(fileSize: Descriptor.fileSize(descriptor))
      let isNews = state.withLock { state in
        defer {
          state.failure = error
          state.failures += 1
        }
        return state.failure == nil
      }
      if isNews { failed(error) }
      // A line that finds the buffer empty, and a flush, wake it before the time: once each.
      _ = wakeUps.wait(timeout: .now() + Self.retryPause)
      lines.resume(fileSize: Descriptor.fileSize(descriptor))
    }
    state.withLock { $0.failure = nil }
  }

  private func tryToWrite(_ lines: inout UnwrittenLines) -> ErrorNumber? {
    let (written, error) = lines.rest.withUnsafeBytes { Descriptor.writeAll($0, to: descriptor) }
    lines.wrote(written)
    return error
  }
}
