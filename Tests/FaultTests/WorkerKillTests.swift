import Foundation
import TestSupport
import Testing

extension FaultTests {
  @Suite("kill -9 of workers", .serialized)
  struct WorkerKillTests {
    @Test(
      "One message at a time, 5 ms each, hundreds of kills: nothing is lost, and no kill doubles more than one message"
    )
    func oneAtATime() async throws {
      let bench = try await FaultBench()
      let kills = 250 / FaultTests.oneIn
      var pushed = 400
      try await bench.push(pushed)
      var held: [String: Int] = [:]
      for kill in 0..<kills {
        // More than it sends before it is killed.
        try await bench.push(20, from: pushed)
        pushed += 20
        let sent = try await bench.sent()
        let worker = try bench.worker("one", "--concurrency", "1", "--sim-latency", "5ms", "--max-crashes", "1000")
        if kill % 4 == 0 {
          // As it starts, or later.
          try await Task.sleep(for: .milliseconds(.random(in: 0...160)))
        } else {
          try await eventually("it is at work") { try await bench.sent() > sent }
          try await Task.sleep(for: .milliseconds(.random(in: 0...20)))
        }
        try await worker.crash()
        held.merge(try await bench.held(by: "one")) { first, _ in first }
      }
      let last = try bench.worker("one", "--concurrency", "200", "--max-crashes", "1000")
      try await bench.drained()
      #expect(try await last.stop() == 0)

      let taken = try bench.taken()
      #expect(taken.count == pushed)
      let inHand = held.values.reduce(0, +)
      #expect(held.values.allSatisfy { $0 <= 1 } && inHand > kills / 4)
      let recovered = try await bench.snapshot().counters["recovered"] ?? 0
      #expect(recovered == inHand && doubles(taken) <= inHand)
      #expect(try await bench.snapshot().dead == 0)
      #expect(try await bench.violations() == [])
      print("one at a time: \(kills) kills, \(recovered) in hand at them, \(doubles(taken)) twice, of \(pushed)")
    }

    @Test(
      "Three workers, thousands of messages, hundreds of kills: nothing is lost, and twice goes only what was in hand",
      arguments: ["resend", "hold"]
    )
    func several(afterCrash: String) async throws {
      let bench = try await FaultBench()
      let (kills, concurrency) = (200 / FaultTests.oneIn, 40)
      let options = [
        "--lease", "3s", "--concurrency", "\(concurrency)", "--sim-latency", "10ms..100ms", "--sim-fail", "0.05",
        "--backoff-base", "50ms", "--after-crash", afterCrash, "--max-crashes", "1000",
      ]
      var lives: [ChildProcess] = []
      // Every other worker takes back at once what its earlier life held; what the rest held is left to whoever sees
      // that the lease has ended.
      func start(_ slot: Int) throws -> ChildProcess {
        let name = slot == 0 ? "stable" : "life-\(lives.count)"
        names[slot] = name
        let worker = try ChildProcess(Smsq.path, bench.arguments(name: name, options))
        lives.append(worker)
        return worker
      }
      var names = ["", "", ""]
      var held: [String: Int] = [:]
      var pushed = 4000
      try await bench.push(pushed)
      var workers = try (0..<3).map(start)
      for _ in 0..<kills {
        try await Task.sleep(for: .milliseconds(.random(in: 0...80)))
        let slot = Int.random(in: workers.indices)
        try await workers[slot].crash()
        held.merge(try await bench.held(by: names[slot])) { first, _ in first }
        workers[slot] = try start(slot)
        try await bench.push(50, from: pushed)
        pushed += 50
      }
      try await bench.drained()
      for worker in workers {
        // A signal that comes before it listens for signals would end it by itself.
        try await eventually("it has started") { !worker.log("started").isEmpty }
        let code = try await worker.stop()
        #expect(code == 0, "\(worker.stderr)")
      }

      let taken = try bench.taken()
      let snapshot = try await bench.snapshot()
      let dead = try await bench.dead()
      #expect(try await bench.violations() == [])
      let recovered = snapshot.counters["recovered"] ?? 0
      let inHand = held.values.reduce(0, +)
      #expect(held.values.allSatisfy { $0 <= concurrency } && inHand > kills / 4)
      // Nothing was taken from one that lived.
      #expect(lives.allSatisfy { $0.log("lease-lost").isEmpty })
      if afterCrash == "resend" {
        #expect(taken.count == pushed && dead.isEmpty)
        #expect(recovered == inHand && doubles(taken) <= inHand)
      } else {
        #expect(doubles(taken) == 0 && recovered == 0)
        #expect(dead.allSatisfy { $0.reason?.hasPrefix("unknown: ") == true })
        #expect(dead.count == inHand)
        #expect(snapshot.counters["sent", default: 0] + dead.count == pushed)
      }
      print(
        "\(afterCrash): \(kills) kills, \(inHand) in hand, \(doubles(taken)) twice of \(pushed)"
      )
    }
  }
}
