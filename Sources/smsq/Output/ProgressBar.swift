import Glibc

/// One line on the terminal that says how far a bulk command has come. Off a terminal it does nothing.
///
/// Not Sendable: the loop that does the work updates it.
final class ProgressBar<C: Clock> where C.Duration == Duration {
  /// Where the bar goes.
  struct Terminal {
    /// Its columns. Asked at each drawing, because a window can be resized.
    var width: () -> Int
    var write: (String) -> Void
  }

  private let terminal: Terminal?
  private let clock: C
  private let began: C.Instant
  private var lastDrawn: C.Instant?
  private let totalBytes: Int?

  /// - Parameters:
  ///   - totalBytes: the size of the whole input, if known: without it there is no percentage and no ETA.
  ///   - terminal: nil for no bar at all.
  init(totalBytes: Int?, terminal: Terminal?, clock: C) {
    self.totalBytes = totalBytes
    self.terminal = terminal
    self.clock = clock
    began = clock.now
  }

  /// Says how far the work is. Draws at most ten times a second, so it can be called for every message.
  ///
  /// - Parameters:
  ///   - count: messages done.
  ///   - bytes: bytes of the input done.
  func update(count: Int, bytes: Int) {
    guard let terminal else { return }
    let now = clock.now
    if let lastDrawn, lastDrawn.duration(to: now) < .milliseconds(100) { return }
    lastDrawn = now
    let progress = Progress(count: count, bytes: bytes, totalBytes: totalBytes, elapsed: began.duration(to: now))
    // Back to the line's start, and after the text clear what an earlier, longer one left.
    terminal.write("\r\(progress.line(width: terminal.width()))\u{1B}[K")
  }

  /// Clears the line. Call it before anything else is printed; a later `update` draws again.
  func clear() {
    guard lastDrawn != nil else { return }
    terminal?.write("\r\u{1B}[K")
    lastDrawn = nil
  }
}

extension ProgressBar<ContinuousClock> {
  /// A bar on standard error.
  convenience init(totalBytes: Int?) {
    self.init(totalBytes: totalBytes, terminal: .standardError, clock: ContinuousClock())
  }
}

extension ProgressBar.Terminal {
  /// nil if standard error is no terminal or a dumb one.
  static var standardError: Self? {
    let kind = getenv("TERM").map { String(cString: $0) }
    guard isatty(STDERR_FILENO) == 1, let kind, kind != "dumb", !kind.isEmpty else { return nil }
    return Self(
      width: {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
      },
      write: { text in
        // A bar that cannot be drawn is no reason to fail, hence the ignored result.
        var text = text
        _ = text.withUTF8 { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
      }
    )
  }
}
