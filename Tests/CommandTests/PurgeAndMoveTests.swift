import Foundation
import Glibc
import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("smsq purge and smsq move")
struct PurgeAndMoveTests {
  @Test("Purge deletes what waits, and with --scheduled what is scheduled, after a question")
  func purge() async throws {
    let bench = try await Bench()
    try await bench.push(700)
    _ = try await bench.smsq(["push", "--id", "later", "--in", "1h"] + Bench.message)
    let refused = try await bench.smsq("purge")
    #expect(refused.code == 64 && refused.stderr.contains("700 messages"), "\(refused)")
    #expect(try await bench.smsq("purge", "--yes").output == "deleted 700 messages of queue \(bench.queue.name)")
    let counts = try await bench.counts()
    #expect(counts.waiting == 0 && counts.scheduled == 1)
    let rest = try await bench.smsq("purge", "--scheduled", "--json")
    #expect(try rest.output.json["purged"] as? Int == 1, "\(rest)")
    #expect(try await bench.smsq("purge").stderr.contains("nothing"))
    #expect(try await bench.violations() == [])
  }

  @Test("What purge prints, of a paused queue, can be pushed again")
  func printed() async throws {
    let bench = try await Bench()
    try await bench.push(600)
    try await bench.queue.run(#"LPUSH sms {"to":"+8613800138000",\#n"text":"hi","id":"plain"}"#)
    let refused = try await bench.smsq("purge", "--print", "--yes")
    #expect(refused.code == 64 && refused.stderr.contains("smsq pause"), "\(refused)")
    #expect(try await bench.smsq("pause").code == 0)
    let before = try await bench.waiting()
    let printed = try await bench.smsq("purge", "--print", "--yes")
    #expect(printed.code == 0, "\(printed.stderr)")
    #expect(try await bench.counts().waiting == 0)
    let again = try await bench.smsq("push", "--file", "-", "--format", "jsonl", input: printed.output)
    #expect(again.code == 0, "\(again)")
    #expect(try await bench.waiting().dropLast() == before.dropLast())
    #expect(try await bench.violations(plainPushes: 1) == [])
  }

  @Test("Purge while a worker sends and a producer pushes: each message is sent, deleted, or there")
  func purgeUnderLoad() async throws {
    let bench = try await Bench()
    try await bench.push(5_000)
    let worker = try bench.worker(
      "--concurrency",
      "20",
      "--sim-fail",
      "0.2",
      "--backoff-base",
      "5ms",
      "--backoff-max",
      "5ms"
    )
    try await worker.logs("sent")
    async let pushing: Void = bench.push(2_000, prefix: "n")
    let purge = try await bench.smsq("purge", "--yes", "--json")
    try await pushing
    #expect(purge.code == 0, "\(purge)")
    #expect(try purge.output.json["purged"] as? Int ?? 0 > 0)
    try await eventually(within: .seconds(60), "all is done") {
      let counts = try await bench.counts()
      return counts.waiting + counts.claimed + counts.scheduled == 0
    }
    worker.send(SIGTERM)
    _ = try await worker.end()
    #expect(try await bench.violations() == [])
  }

  private func move(_ bench: Bench, to other: Bench, _ arguments: String...) async throws -> ChildProcess.Result {
    let queues = ["--from", "\(bench.queue.name)", "--to", "\(other.queue.name)"]
    return try await Smsq.run(["move", "--redis", bench.server.url] + queues + arguments)
  }

  @Test("What a stopped move had on its way is seen, and arrives with the next one")
  func unfinished() async throws {
    let bench = try await Bench()
    let other = try await Bench()
    try await bench.push(3)
    let queue = bench.queue.queue
    let oldest = try await queue.oldest(2).map { Taking($0, at: .oldest) }
    #expect(try await queue.take(oldest, toMoveTo: other.queue.name) == [.out, .out])
    let status = try await bench.smsq("status", "--json", "m0")
    #expect(try status.output.json["state"] as? String == "moving", "\(status)")
    #expect(try status.output.json["to"] as? String == "\(other.queue.name)")
    let doctor = try await bench.smsq("doctor")
    #expect(doctor.stdout.contains("2 messages") && doctor.stdout.contains("smsq move"), "\(doctor)")
    #expect(try await bench.violations() == [])
    let next = try await move(bench, to: other, "--matching", "nothing has this")
    #expect(next.code == 0 && next.stderr.contains("2 messages that an earlier move"), "\(next)")
    #expect(try await other.counts().waiting == 2)
    #expect(try await bench.violations() == [])
    #expect(try await other.violations() == [])
  }

  @Test("Messages move in their order, as many as are asked for, and those that are meant")
  func moves() async throws {
    let bench = try await Bench()
    let other = try await Bench()
    try await bench.push(1_200)
    try await bench.push(3, text: "your code", prefix: "c")
    let all = try await bench.waiting()
    #expect(try await move(bench, to: other).code == 64)
    let some = try await move(bench, to: other, "--limit", "600", "--yes", "--json")
    #expect(try some.output.json["moved"] as? Int == 600, "\(some)")
    #expect(try await other.waiting() == Array(all[..<600]))
    #expect(try await bench.waiting() == Array(all[600...]))
    let codes = try await move(bench, to: other, "--matching", "your code", "--yes")
    #expect(codes.output == "moved 3 messages of queue \(bench.queue.name) to \(other.queue.name)", "\(codes)")
    #expect(try await other.waiting() == Array(all[..<600] + all[1_200...]))
    let none = try await move(bench, to: other, "--recipient", "+8613900139000", "--yes")
    #expect(none.code == 0 && none.stderr.contains("nothing"), "\(none)")
    #expect(try await move(bench, to: other, "--yes").code == 0)
    #expect(try await bench.counts().waiting == 0)
    #expect(try await other.counts().waiting == 1_203)
    #expect(try await bench.violations() == [])
    #expect(try await other.violations() == [])
    #expect(try await move(bench, to: bench).code == 64)
  }

  @Test("Moves that are killed at any moment lose nothing and double nothing, and the next one goes on")
  func killed() async throws {
    let bench = try await Bench()
    let other = try await Bench()
    try await bench.push(12_000)
    let queues = ["--from", "\(bench.queue.name)", "--to", "\(other.queue.name)", "--yes"]
    for round in 0..<25 {
      let mover = try ChildProcess(Smsq.path, ["move", "--redis", bench.server.url] + queues)
      // Each is killed a little later, on the whole once anything has moved.
      let moved = try await other.counts().waiting
      try await eventually("it has begun") {
        let waiting = try await other.counts().waiting
        return waiting > moved || !mover.isRunning
      }
      for _ in 0..<round { _ = try await other.counts() }
      mover.send(SIGKILL)
      _ = try await mover.end()
      let here = InvariantCheck(try await bench.queue.dump())
      let there = InvariantCheck(try await other.queue.dump())
      #expect(here.violations() == [])
      #expect(there.violations() == [])
    }
    let rest = try await Smsq.run(["move", "--redis", bench.server.url] + queues)
    #expect(rest.code == 0, "\(rest)")
    #expect(try await bench.counts().waiting == 0)
    #expect(try await bench.queue.queue.movingBatch() == nil)
    let ids = try await other.waiting().map { try $0.json["id"] as? String ?? "" }
    #expect(ids == (0..<12_000).map { "m\($0)" })
    #expect(try await bench.violations() == [])
    #expect(try await other.violations() == [])
  }

  @Test("Messages move while workers of both queues send, and each is sent once")
  func underLoad() async throws {
    let bench = try await Bench()
    let other = try await Bench()
    try await bench.push(6_000)
    let here = try bench.worker("--concurrency", "10", "--sim-latency", "2ms")
    let there = try other.worker("--concurrency", "10", "--sim-latency", "2ms")
    try await here.logs("sent")
    for arguments in [["--limit", "1000"], ["--matching", "m59"], []] {
      let queues = ["--from", "\(bench.queue.name)", "--to", "\(other.queue.name)", "--yes"]
      let moved = try await Smsq.run(["move", "--redis", bench.server.url] + queues + arguments)
      #expect(moved.code == 0, "\(moved)")
    }
    try await eventually(within: .seconds(60), "all is sent") {
      let (first, second) = (try await bench.sent(), try await other.sent())
      return first + second == 6_000
    }
    for worker in [here, there] {
      worker.send(SIGTERM)
      _ = try await worker.end()
    }
    let ids = (here.log("sent") + there.log("sent")).compactMap { $0["id"] }
    #expect(ids.count == 6_000 && Set(ids).count == 6_000)
    #expect(try await other.sent() > 0)
    #expect(try await bench.violations() == [])
    #expect(try await other.violations() == [])
  }
}
