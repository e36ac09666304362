import Simulation
import TestSupport
import Testing

/// Whole histories. `make simulate` runs as many as one likes.
@Suite struct WorldTests {
  @Test("In a hundred histories nothing is lost, doubled without a reason, out of order, or left undone")
  func histories() async {
    let outcome = await Simulate.run(from: 0, most: 100, tasks: 2)
    #expect(outcome.count == 100)
    #expect(outcome.faults.isEmpty, "make simulate SEED=n shows it: \(outcome.faults)")
  }

  @Test("A seed has one history, however often it is run")
  func replay() {
    let histories = (0..<2).map { _ in
      var lines: [String] = []
      _ = World(Plan(seed: 11)) { lines.append($0) }.run()
      return lines
    }
    #expect(histories[0].count > 20)
    #expect(histories[0] == histories[1])
  }

  @Test("Shards of one queue are served evenly, whatever may be in hand", arguments: [1, 2, 7])
  func shards(concurrency: Int) {
    var plan = Plan(seed: 1)
    (plan.queues, plan.areShards, plan.workers, plan.losing, plan.failing, plan.slowest) = (3, true, 1, 0, 0, 20_000)
    plan.options.concurrency = concurrency
    plan.options.lease = .seconds(10)
    plan.calmAt = Plan.second(20)
    plan.steps = (0..<3).map { (Plan.second(1), .push(queue: $0, count: 60, .ours)) }
    let world = World(plan)
    // Half of them have been sent then: one takes 10 ms.
    #expect(world.run(until: Plan.second(1 + 0.9 / Double(concurrency))) == nil)
    let sent = (0..<3).map { world.sent(ofQueue: $0) }
    #expect(sent.allSatisfy { (20..<45).contains($0) }, "\(sent)")
    #expect(world.run() == nil)
  }

  @Test("A queue whose Redis is gone does not hold up another, though its messages fill the worker's hands")
  func otherQueue() {
    var plan = Plan(seed: 1)
    (plan.queues, plan.workers, plan.losing, plan.failing, plan.slowest) = (2, 1, 0, 0, 50_000)
    plan.options.concurrency = 5
    plan.options.lease = .seconds(10)
    plan.calmAt = Plan.second(20)
    plan.steps = [
      (Plan.second(1), .push(queue: 0, count: 50, .ours)),
      (Plan.second(1.02), .outage(queue: 0, Plan.second(10))),
      (Plan.second(2), .push(queue: 1, count: 20, .plain)),
    ]
    let world = World(plan)
    #expect(world.run(until: Plan.second(4)) == nil)
    #expect(world.sent(ofQueue: 1) == 20)
    #expect(world.sent(ofQueue: 0) < 50)
    #expect(world.run() == nil)
    // And one more, by which the world sees whether idle workers find it.
    #expect(world.sent(ofQueue: 0) == 51)
  }
}
