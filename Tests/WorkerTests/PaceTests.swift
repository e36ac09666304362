import TestSupport
import Testing

@testable import Worker

/// A pace at gateways that exist only here, in a time of their own.
@Suite struct PaceTests {
  /// A gateway that takes so many messages a second and names the time to wait, or does not.
  private struct Bucket {
    let rate: Double
    let burst: Double
    var tokens: Double
    var time = 0.0

    init(_ rate: Double) {
      self.rate = rate
      burst = max(1, (rate / 10).rounded(.down))
      tokens = burst
    }

    /// - Returns: nil for a message that it takes; else the seconds until it takes the next.
    mutating func take(at now: Double) -> Double? {
      tokens = min(burst, tokens + (now - time) * rate)
      time = now
      if tokens < 1 { return (1 - tokens) / rate }
      tokens -= 1
      return nil
    }
  }

  /// A gateway that takes so many in each full second.
  private struct Window {
    let most: Int
    var second = -1.0
    var used = 0

    mutating func take(at now: Double) -> Double? {
      if now.rounded(.down) != second { (second, used) = (now.rounded(.down), 0) }
      if used == most { return second + 1 - now }
      used += 1
      return nil
    }
  }

  private struct Course {
    /// When the last one was taken, in seconds.
    var end = 0.0
    var refused = 0
  }

  /// Sends so many messages as a worker does.
  ///
  /// - Parameters:
  ///   - latency: from the handing over to the answer, in seconds.
  ///   - says: what the gateway says of the time to wait.
  private func course(
    of messages: Int,
    concurrency: Int,
    latency: Double,
    says: (Double) -> Duration?,
    take: (Double) -> Double?
  ) -> Course {
    let start = Instant.now
    func instant(_ time: Double) -> Instant { start + .seconds(time) }
    var (pace, course) = (Pace(), Course())
    var (time, waiting, taken) = (0.0, messages, 0)
    var inHand: [(end: Double, begun: Double, wait: Double?)] = []
    var later: [Double] = []
    while taken < messages {
      waiting += later.count { $0 <= time }
      later.removeAll { $0 <= time }
      for answer in inHand where answer.end <= time {
        if let wait = answer.wait {
          course.refused += 1
          pace.throttled(begun: instant(answer.begun), after: says(wait), now: instant(time))
          later.append(time + (says(wait).map { $0 / .seconds(1) } ?? 1))
        } else {
          (taken, course.end) = (taken + 1, time)
          pace.accepted(begun: instant(answer.begun), now: instant(time))
        }
      }
      inHand.removeAll { $0.end <= time }
      let beginning = min(pace.allowance(now: instant(time)), concurrency - inHand.count, waiting)
      pace.began(beginning)
      waiting -= beginning
      for _ in 0..<beginning { inHand.append((time + latency, time, take(time))) }
      let next = waiting > 0 && inHand.count < concurrency ? pace.next(now: instant(time)) : nil
      let events = inHand.map(\.end) + later + [next.map { ($0 - start) / .seconds(1) }].compactMap(\.self)
      time = max(time + 0.000_1, events.min() ?? time)
    }
    return course
  }

  @Test(
    "At a gateway that says how long to wait, it takes hardly longer than its rate does, and few are refused",
    arguments: [1, 7, 100, 1_000] as [Double],
    [0.001, 0.05, 0.5]
  )
  func nearTheRate(rate: Double, latency: Double) {
    var bucket = Bucket(rate)
    let (messages, concurrency) = (Int(rate * 30), 100)
    let course = course(of: messages, concurrency: concurrency, latency: latency, says: { .seconds($0) }) {
      bucket.take(at: $0)
    }
    // Where so many in hand can bear the rate at all.
    let bound = max(30, Double(messages) * latency / Double(concurrency))
    #expect(course.end < bound * 1.75, "\(course)")
    if rate == 100, latency == 0.001 { #expect(course.end < bound * 1.2) }
    // All that was in hand at the first throttle, and a few each time that it finds out what the gateway bears now.
    #expect(course.refused < concurrency + messages / 5 + 20, "\(course)")
  }

  @Test(
    "At a gateway that counts by the second, or says to wait a second, or nothing, it takes twice as long at most",
    arguments: [5, 100, 1_000] as [Double]
  )
  func coarseGateways(rate: Double) {
    let messages = Int(rate * 30)
    var window = Window(most: Int(rate))
    let counted = course(of: messages, concurrency: 100, latency: 0.02, says: { .seconds($0) }) { window.take(at: $0) }
    for says in [{ _ in .seconds(1) }, { _ in nil }] as [(Double) -> Duration?] {
      var bucket = Bucket(rate)
      let course = course(of: messages, concurrency: 100, latency: 0.02, says: says) { bucket.take(at: $0) }
      #expect(course.end < 60, "\(course)")
      #expect(course.refused < 100 + messages / 5, "\(course)")
    }
    #expect(counted.end < 45, "\(counted)")
    #expect(counted.refused < 100 + messages / 5, "\(counted)")
  }

  @Test("A gateway that bears ten times as much after a while is found out")
  func faster() {
    let slow = 20.0
    var (bucket, isFast) = (Bucket(slow), false)
    let course = course(of: 20 * 20 + 200 * 60, concurrency: 100, latency: 0.02, says: { .seconds($0) }) { time in
      if time > 20, !isFast { (bucket, isFast) = (Bucket(slow * 10), true) }
      return bucket.take(at: time)
    }
    // By the rates it would be 80 s.
    #expect(course.end < 130, "\(course)")
  }

  @Test("Throttles that have nothing to do with the rate do not bring it to a standstill")
  func byChance() {
    var generator = SeededGenerator(seed: 3)
    let course = course(of: 1_000, concurrency: 100, latency: 0.02, says: { .seconds($0) }) { _ in
      Int.random(in: 0..<3, using: &generator) == 0 ? 0.01 : nil
    }
    // One message for four times the wait that it asks for would be 40 s.
    #expect(course.end < 200, "\(course)")
  }

  @Test("Nothing may be begun for as long as the gateway said, and then one message")
  func held() throws {
    let now = Instant.now
    var pace = Pace()
    #expect(pace.allowance(now: now) == .max)
    #expect(pace.next(now: now) == nil)
    pace.throttled(begun: now, after: .seconds(60), now: now)
    #expect(pace.allowance(now: now + .seconds(59)) == 0)
    #expect(pace.next(now: now + .seconds(59)) == now + .seconds(60))
    // An older one that named a shorter time takes nothing off.
    pace.throttled(begun: now - .seconds(1), after: .seconds(1), now: now + .seconds(10))
    #expect(pace.allowance(now: now + .seconds(59)) == 0)
    #expect(pace.allowance(now: now + .seconds(60)) == 1)
  }

  @Test("Where the gateway says nothing, it waits twice as long for each throttle with nothing taken in between")
  func silent() {
    var now = Instant.now
    var pace = Pace()
    var holds: [Duration] = []
    for _ in 0..<8 {
      pace.throttled(begun: now, after: nil, now: now)
      holds.append((pace.heldUntil ?? now) - now)
      now = pace.heldUntil ?? now
    }
    #expect(holds == [1, 2, 4, 8, 10, 10, 10, 10].map { .seconds($0) })
    pace.accepted(begun: now, now: now)
    pace.throttled(begun: now, after: nil, now: now)
    #expect(pace.heldUntil == now + .seconds(1))
  }

  @Test("An idle worker is not rung for what it may begin already")
  func idle() {
    var now = Instant.now
    var pace = Pace()
    pace.throttled(begun: now, after: .milliseconds(10), now: now)
    now += .seconds(5)
    for _ in 0..<100 {
      #expect(pace.allowance(now: now) > 0)
      #expect(pace.next(now: now) == nil)
      now += .milliseconds(1)
    }
  }

  @Test("A minute without a throttle, and everything may be begun again")
  func calm() {
    let now = Instant.now
    var pace = Pace()
    pace.throttled(begun: now, after: .zero, now: now)
    #expect(pace.allowance(now: now + .seconds(59)) < .max)
    #expect(pace.allowance(now: now + .seconds(60)) == .max)
    #expect(pace.isOpen)
  }

  @Test("A million events leave it with a time at which more may be begun, and never more than its rate allows")
  func random() {
    var generator = SeededGenerator(seed: 16)
    var now = Instant.now
    var pace = Pace()
    for _ in 0..<1_000_000 {
      now += .milliseconds(Int.random(in: 0...50, using: &generator))
      let begun = now - .milliseconds(Int.random(in: 0...500, using: &generator))
      switch Int.random(in: 0..<8, using: &generator) {
      case 0:
        let after: Duration? = [nil, .zero, .milliseconds(30), .seconds(2)].randomElement(using: &generator) ?? nil
        pace.throttled(begun: begun, after: after, now: now)
      case 1: pace.comeBack(now: now)
      case 2...4: pace.accepted(begun: begun, now: now)
      default:
        let allowance = pace.allowance(now: now)
        guard allowance < .max else { continue }
        #expect((0...5_000).contains(allowance))
        pace.began(min(allowance, Int.random(in: 0...100, using: &generator)))
        if allowance == 0, let next = pace.next(now: now) {
          #expect(next > now)
          #expect(next - now < .seconds(3_700))
        }
      }
    }
  }
}
