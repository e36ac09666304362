import MessageQueue
import Simulation
import TestSupport
import Testing

@Suite struct SimulatedRedisTests {
  /// The same ones each time, and one that nobody has walked yet.
  private static let seeds = Array(1...12) + [UInt64.random(in: 1_000..<1_000_000_000)]

  @Test("The model answers each call as the scripts do, and leaves the same behind", arguments: seeds)
  func walk(seed: UInt64) async throws {
    var walk = try await ModelWalk(seed: seed)
    for number in 1...400 { try await walk.step(number) }
  }

  @Test("Such walks come by every kind of answer")
  func everywhere() {
    var answers: [String: Int] = [:]
    for seed in 1...10 as ClosedRange<UInt64> {
      var model = SimulatedRedis(queue: "sms")
      var calls = CallGenerator()
      var generator = SeededGenerator(seed: seed)
      var now: Int64 = 1_800_000_000_000
      for _ in 1...400 {
        now += .random(in: 0...1_000, using: &generator)
        let call = calls.next(in: model.state, at: now, using: &generator)
        let answer = model.answer(to: call, now: now)
        answers["\(call.name) \(answer.kind)", default: 0] += 1
        calls.note(answer, to: call)
      }
    }
    let wanted = [
      "claim blocked", "claim empty", "claim limited", "limit answered", "claim messages", "claim nil",
      "claim too large", "countLost answered",
      "drop answered", "drop nil", "enqueue answered", "enqueue full", "enqueue stale", "fence claims", "fence nil",
      "fence struck off",
      "join answered", "leave answered", "lpush answered", "pause answered", "raise answered", "reconcile lost",
      "reconcile nil",
      "reconcile none", "remove answered", "renew lost", "renew renewed", "reshard answered", "resume answered",
      "revive answered",
      "ringAtPush answered", "settle answered", "settle nil", "take answered", "takeToken answered", "turn blocked",
      "turn empty",
      "turn messages", "turn nil", "turn too large",
    ]
    #expect(wanted.filter { answers[$0] == nil } == [])
  }
}
