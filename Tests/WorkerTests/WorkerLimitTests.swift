import MessageQueue
import RedisClient
import Synchronization
import TestSupport
import Testing

@testable import Worker

/// What a limit makes of real workers. What it makes of each decision, and of each claim, is for the simulation.
@Suite("Workers of a limited queue", .serialized)
struct WorkerLimitTests {
  /// When each message was handled.
  private final class Times: Sendable {
    private let times = Mutex<[Instant]>([])
    func note() { times.withLock { $0.append(.now) } }
    var all: [Instant] { times.withLock { $0 } }
  }

  private static let hour = Duration.seconds(3600)

  @Test(
    "Three workers together send no more than the limit and a burst, hardly less, and each its part",
    arguments: [
      (Rate(100, per: .seconds(1)), 300), (Rate(1000, per: .seconds(1)), 3_000), (Rate(2, per: .seconds(1)), 7),
    ]
  )
  func together(rate: Rate, count: Int) async throws {
    let server = try await RedisServer.shared()
    let test = TestQueue(on: server)
    try await test.queue.setLimit(QueueLimit(rate))
    try await test.push((0..<count).map { "m\($0)" })
    let times = Times()
    let handlers = (0..<3).map { _ in
      TestHandler { _ in
        times.note()
        return .sent
      }
    }
    let workers = handlers.enumerated().map { index, handler in
      RunningWorker([test], on: server, handler, name: "worker-\(index)")
    }
    try await test.drained()
    for worker in workers { await worker.stop() }

    let all = times.all
    try #require(all.count == count)
    let perSecond = Double(rate.count) / (rate.per / .seconds(1))
    // In any stretch of time, from each message that is tried to any other: what the limit allows, and the burst, and one.
    let burst = max(2, perSecond / 10 + 1)
    // What was claimed was begun a little later: up to 10 ms, or some turns of a busy host's scheduler.
    let slack = perSecond * 0.5
    for first in stride(from: 0, to: count, by: max(1, count / 20)) {
      for last in stride(from: first, to: count, by: max(1, count / 50)) {
        let most = (all[last] - all[first]) / .seconds(1) * perSecond + burst + slack
        #expect(Double(last - first) <= most)
      }
    }
    let speed = Double(count - 1) / ((all[count - 1] - all[0]) / .seconds(1))
    // On a host that is busy enough they come too late to make up for it. The bench measures it.
    #expect(speed > perSecond * 0.2, "\(speed)")
    if count >= 100 {
      for handler in handlers { #expect(handler.handled.count > count / 20, "\(handlers.map(\.handled.count))") }
    }
  }

  @Test("Taking the limit away wakes all workers that rest because of it, though nothing is pushed")
  func removed() async throws {
    let server = try await RedisServer.shared()
    let test = TestQueue(on: server)
    try await test.queue.setLimit(QueueLimit(Rate(1, per: Self.hour)))
    try await test.push("m1", "m2", "m3", "m4")
    let gate = Gate()
    let handler = TestHandler { _ in await gate.pass() ? .sent : .unfinished }
    // Each takes one at a time, and leases are long: nobody looks by himself.
    let workers = (0..<3).map { index in
      RunningWorker([test], on: server, handler, name: "worker-\(index)") {
        $0.concurrency = 1
        $0.lease = .seconds(300)
      }
    }
    try await eventually("two rest, and one has its hand full") {
      let resting = try await test.waits().count { $0 == "blmove" }
      return handler.handled.count == 1 && resting >= 2
    }
    try await test.queue.setLimit(nil)
    try await eventually("each has one") { handler.handled.count == 3 }
    gate.open()
    try await test.drained()
    #expect(handler.handled.count == 4)
    for worker in workers { await worker.stop() }
  }

  @Test("A limit that is changed holds from then on, for those who rest as well")
  func changed() async throws {
    let server = try await RedisServer.shared()
    let test = TestQueue(on: server)
    try await test.queue.setLimit(QueueLimit(Rate(1, per: Self.hour)))
    try await test.push((0..<40).map { "m\($0)" })
    let handler = TestHandler()
    let worker = RunningWorker([test], on: server, handler) { $0.lease = .seconds(300) }
    try await eventually("it rests") { try await test.waits() == ["blmove"] }
    #expect(handler.handled == ["m0"])
    try await test.queue.setLimit(QueueLimit(Rate(100, per: .seconds(1))))
    try await test.drained()
    #expect(handler.handled == (0..<40).map { "m\($0)" })
    await worker.stop()
  }

  @Test("A more urgent queue whose limit is used up does not hold up the others")
  func others() async throws {
    let server = try await RedisServer.shared()
    let (urgent, other) = (TestQueue(on: server), TestQueue(on: server))
    try await urgent.queue.setLimit(QueueLimit(Rate(1, per: Self.hour)))
    try await urgent.push("u1", "u2")
    try await other.push((0..<20).map { "m\($0)" })
    let handler = TestHandler()
    let worker = RunningWorker([urgent, other], on: server, handler) { $0.concurrency = 2 }
    try await other.drained()
    #expect(handler.handled.filter { $0.hasPrefix("u") } == ["u1"])
    await worker.stop()
  }

  @Test("Pushes to a queue whose limit is used up wake nobody over and over")
  func quiet() async throws {
    let server = try await RedisServer()
    let test = TestQueue(on: server)
    try await test.queue.setLimit(QueueLimit(Rate(1, per: Self.hour)))
    let handler = TestHandler()
    let worker = RunningWorker([test], on: server, handler)
    try await test.push("m")
    try await test.push("n")
    try await eventually("it rests") { try await test.waits() == ["blmove"] }
    func claims() async throws -> Int {
      let text = try await test.run("INFO commandstats").string ?? ""
      return text.firstMatch(of: /cmdstat_evalsha:calls=(\d+)/).flatMap { Int($0.1) } ?? 0
    }
    let before = try await claims()
    for number in 0..<200 { try await test.push("more \(number)") }
    // Its renewals show that it had the time.
    try await test.renewed(times: 1)
    #expect(try await claims() - before < 200 + 10)
    await worker.stop()
  }
}
