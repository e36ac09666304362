/// How many lines may lie ahead of the program: as many as it answered within the last hundredth of a second, and one at
/// least. A pure value.
///
/// What lies there has been handed over: its expiry has been looked at, and will not be again once the program has it in a
/// buffer of its own. So a program that takes its time gets line by line, as it comes to read; one that is fast gets many at
/// once, because a line at a time would cost it almost half of its pace.
struct ReadAhead {
  private static let window = Duration.milliseconds(10)

  private var windowStart: ContinuousClock.Instant
  private var answers = 0
  private var answersBefore = 0

  init(now: ContinuousClock.Instant) { windowStart = now }

  mutating func answered(_ count: Int, now: ContinuousClock.Instant) {
    turnWindow(now)
    answers += count
  }

  mutating func lines(now: ContinuousClock.Instant) -> Int {
    turnWindow(now)
    return max(1, answers, answersBefore)
  }

  private mutating func turnWindow(_ now: ContinuousClock.Instant) {
    let age = now - windowStart
    guard age >= Self.window else { return }
    answersBefore = age < Self.window * 2 ? answers : 0
    answers = 0
    windowStart = now
  }
}
