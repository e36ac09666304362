import Reports
import Testing

@testable import MessageQueue

@Suite("The filter of dead letters")
struct DeadLetterFilterTests {
  private func letter(_ payload: String, id: String? = nil, reason: String? = nil) -> DeadLetter {
    let element = Element(history: .init(id: id), reason: reason, payload: [UInt8](payload.utf8))
    return DeadLetter(stored: element.sealed, score: "1000")
  }

  @Test("An id is the producer's or the one assigned at the first claim")
  func ids() {
    let filter = DeadLetterFilter(ids: ["a", "b"])
    #expect(filter.matches(letter(#"{"id":"a"}"#)))
    #expect(filter.matches(letter(#"{"to":"5","id":"x"}"#, id: "b")))
    #expect(filter.matches(letter("no JSON", id: "b")))
    #expect(!filter.matches(letter("a")))
    #expect(!filter.matches(letter(#"{"id":"ab"}"#, id: "c", reason: "a b")))
    #expect(filter.foundIDs(of: letter(#"{"id":"a"}"#, id: "b")) == ["a", "b"])
  }

  @Test("A reason matches by any part of it")
  func reasons() {
    let filter = DeadLetterFilter(reason: "throttled")
    #expect(filter.matches(letter("x", reason: "gave up after 3 attempts: throttled: too many")))
    #expect(!filter.matches(letter("throttled", reason: "poison")))
    #expect(!filter.matches(letter("throttled")))
    #expect(DeadLetterFilter().matches(letter("x")))
  }

  @Test("Times count back from Redis' time, and no letter is on both sides of one")
  func times() {
    let now: Int64 = 1_000_000_000
    let (minute, two) = (Duration.seconds(60), Duration.seconds(120))
    #expect(DeadLetterFilter(olderThan: minute).timesOfDeath(now: now) == (nil, now - 60_001))
    #expect(DeadLetterFilter(newerThan: minute).timesOfDeath(now: now) == (now - 59_999, nil))
    let window = DeadLetterFilter(olderThan: minute, newerThan: two).timesOfDeath(now: now)
    #expect(window == (now - 119_999, now - 60_001))
    #expect(DeadLetterFilter().timesOfDeath(now: now) == (nil, nil))
  }
}
