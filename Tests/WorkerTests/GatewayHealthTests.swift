import TestSupport
import Testing

@testable import Worker

@Suite struct GatewayHealthTests {
  private let now = Instant.now

  private func verdicts(of ids: [String], _ health: inout GatewayHealth) -> [GatewayHealth.Verdict] {
    ids.map { health.failed($0, begun: now, now: now) }
  }

  @Test("One message that fails again and again is its own fault, and so are four")
  func poison() {
    var health = GatewayHealth()
    let ids = (0..<1_000).map { "m-\($0 % 4)" }
    #expect(verdicts(of: ids, &health).allSatisfy { $0 == .counts })
    #expect(health.allowance(now: now) == .max)
  }

  @Test("Ten failures in a row of several messages are the gateway's, and the tenth counts against none")
  func lost() {
    var health = GatewayHealth()
    let ids = (0..<12).map { "m-\($0 % 5)" }
    #expect(verdicts(of: ids, &health) == Array(repeating: .counts, count: 9) + [.lost, .excused, .excused])
    #expect(health.isLost)
  }

  @Test("An answer in between, whatever it says, starts the count anew")
  func answered() {
    var health = GatewayHealth()
    for _ in 0..<20 {
      #expect(verdicts(of: (0..<9).map { "m-\($0)" }, &health).allSatisfy { $0 == .counts })
      #expect(health.answered(now: now) == nil)
    }
    #expect(health.isWell)
  }

  @Test("While it is lost, one message is tried at a time, with growing pauses, and the first answer ends it")
  func probes() {
    var health = GatewayHealth()
    _ = verdicts(of: (0..<10).map { "m-\($0)" }, &health)
    var time = now
    var pauses: [Duration] = []
    for _ in 0..<8 {
      #expect(health.allowance(now: time) == 0)
      guard let probe = health.nextProbe else { break }
      pauses.append(probe - time)
      time = probe
      #expect(health.allowance(now: time) == 1)
      health.began(1)
      #expect(health.allowance(now: time + .seconds(3_600)) == 0)
      #expect(health.failed("m-1", begun: time, now: time) == .excused)
    }
    #expect(pauses == [1, 1, 2, 4, 8, 16, 30, 30].map { .seconds($0) })
    #expect(health.answered(now: time) == time - now)
    #expect(health.allowance(now: time) == .max)
    #expect(health.isWell)
  }

  @Test("What was under way when it was lost is no probe, and a probe that is not tried makes room for another")
  func untried() {
    var health = GatewayHealth()
    _ = verdicts(of: (0..<10).map { "m-\($0)" }, &health)
    let probe = now + .seconds(1)
    #expect(health.failed("late", begun: now - .seconds(1), now: now) == .excused)
    #expect(health.nextProbe == probe)
    health.began(1)
    health.wasNotTried(begun: now - .seconds(1), now: probe)
    #expect(health.allowance(now: probe) == 0)
    health.wasNotTried(begun: probe, now: probe)
    #expect(health.allowance(now: probe) == 1)
  }

  @Test("A gateway that the first probe finds well must fail twice as often the next time, up to a bound")
  func falseAlarms() {
    var health = GatewayHealth()
    var needed: [Int] = []
    for _ in 0..<6 {
      var count = 1
      while health.failed("m-\(count)", begun: now, now: now) != .lost { count += 1 }
      needed.append(count)
      _ = health.answered(now: now)
    }
    #expect(needed == [10, 20, 40, 80, 80, 80])
    _ = verdicts(of: (0..<80).map { "m-\($0)" }, &health)
    _ = health.failed("probe", begun: now, now: now)
    _ = health.answered(now: now)
    #expect(verdicts(of: (0..<10).map { "m-\($0)" }, &health).last == .lost)
  }

  @Test("A gateway that fails every second try at random hardly ever looks lost")
  func flaky() {
    var generator = SeededGenerator(seed: 1)
    var health = GatewayHealth()
    var alarms = 0
    for number in 0..<1_000_000 {
      if Bool.random(using: &generator) {
        if health.failed("m-\(number)", begun: now, now: now) == .lost { alarms += 1 }
      } else {
        _ = health.answered(now: now)
      }
    }
    #expect(alarms < 10, "\(alarms)")
  }
}
