import Testing

@testable import smsq

@Suite("ProgressBar")
struct ProgressBarTests {
  @Test("The line has count, percentage, bar, rate and ETA")
  func fullLine() {
    let progress = Progress(count: 12_345, bytes: 25, totalBytes: 100, elapsed: .seconds(5))
    let bar = "[" + String(repeating: "#", count: 9) + String(repeating: " ", count: 28) + "]"
    #expect(progress.line(width: 80) == "12,345 messages  25%  \(bar)  2,469/s  ETA 15s")
  }

  @Test("Without a total there is neither percentage nor ETA, at first no rate")
  func unknownTotal() {
    #expect(Progress(count: 1, bytes: 9, totalBytes: nil, elapsed: .zero).line(width: 80) == "1 message")
    let later = Progress(count: 2000, bytes: 9, totalBytes: nil, elapsed: .seconds(2))
    #expect(later.line(width: 80) == "2,000 messages  1,000/s")
  }

  @Test("No line is as wide as the terminal")
  func widths() {
    let progress = Progress(count: 1_234_567, bytes: 999, totalBytes: 1000, elapsed: .seconds(90_000))
    for width in 0...200 { #expect(progress.line(width: width).count <= max(0, width - 1)) }
  }

  @Test("A file that grew stays at 100 percent")
  func grownFile() {
    let line = Progress(count: 1, bytes: 300, totalBytes: 100, elapsed: .seconds(1)).line(width: 80)
    #expect(line.contains("100%") && !line.contains("ETA"))
  }

  @Test("It draws at most ten times a second and clears its line")
  func throttling() {
    let clock = ManualClock()
    let screen = Screen()
    let bar = ProgressBar(
      totalBytes: nil,
      terminal: .init(width: { 40 }, write: { screen.writes.append($0) }),
      clock: clock
    )
    bar.clear()
    #expect(screen.writes.isEmpty)
    for count in 1...100 {
      bar.update(count: count, bytes: 0)
      clock.now.offset += .milliseconds(10)
    }
    #expect(screen.writes.count == 10)
    #expect(screen.writes.first == "\r1 message\u{1B}[K")
    bar.clear()
    #expect(screen.writes.last == "\r\u{1B}[K")
  }

  @Test("Without a terminal nothing happens")
  func noTerminal() {
    let bar = ProgressBar(totalBytes: 10, terminal: nil, clock: ManualClock())
    bar.update(count: 1, bytes: 1)
    bar.clear()
  }
}

private final class Screen {
  var writes: [String] = []
}

/// A clock that stands still until it is set.
// `@unchecked` because each test uses its clock from one task only.
private final class ManualClock: Clock, @unchecked Sendable {
  struct Instant: InstantProtocol {
    var offset = Duration.zero
    func advanced(by duration: Duration) -> Self { Self(offset: offset + duration) }
    func duration(to other: Self) -> Duration { other.offset - offset }
    static func < (left: Self, right: Self) -> Bool { left.offset < right.offset }
  }

  var now = Instant()
  var minimumResolution: Duration { .nanoseconds(1) }
  func sleep(until deadline: Instant, tolerance: Duration?) async throws { now = deadline }
}
