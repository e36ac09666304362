import Testing

@testable import Gateways

@Suite struct ReadAheadTests {
  @Test(
    "One line lies ahead of a slow program, and of a fast one as many as it answered in the last hundredth of a second"
  )
  func pace() {
    let start = ContinuousClock.now
    func time(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }
    var ahead = ReadAhead(now: start)
    #expect(ahead.lines(now: time(0)) == 1)
    ahead.answered(30, now: time(5))
    #expect(ahead.lines(now: time(6)) == 30)
    ahead.answered(2, now: time(11))
    #expect(ahead.lines(now: time(12)) == 30)
    #expect(ahead.lines(now: time(22)) == 2)
    #expect(ahead.lines(now: time(32)) == 1)
    ahead.answered(9, now: time(1_000))
    #expect(ahead.lines(now: time(1_001)) == 9)
    #expect(ahead.lines(now: time(2_000)) == 1)
  }
}
