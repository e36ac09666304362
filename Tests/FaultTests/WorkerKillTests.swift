import Foundation
import TestSupport
import Testing

extension FaultTests {
  @Suite("kill -9 of workers", .serialized)
  struct WorkerKillTests {
    @Test("One message at a time, 5 ms each, 250 kills: nothing is lost, and no kill doubles more than one message")
    func oneAtATime() async throws {
      let bench = try await FaultBench()
      let kills = 250
      var pushed = 400
      try await bench.push(pushed)
      for _ in 0..<kills {
        // About as many as it sends before it is killed, so that there is always one in hand.
        try await bench.push(20, from: pushed)
        pushed += 20
        let worker = try bench.worker("one", "--concurrency", "1", "--sim-latency", "5ms", "--max-crashes", "1000")
        try await Task.sleep(for: .milliseconds(.random(in: 0...160)))
        try await worker.crash()
      }
      let last = try bench.worker("one", "--concurrency", "200", "--max-crashes", "1000")
      try await bench.drained()
      #expect(try await last.stop() == 0)

      let taken = try bench.taken()
      #expect(taken.count == pushed)
      #expect(doubles(taken) <= kills)
      let recovered = try await bench.snapshot().counters["recovered"] ?? 0
      #expect(doubles(taken) <= recovered && recovered <= kills)
      #expect(try await bench.snapshot().dead == 0)
      #expect(try await bench.violations() == [])
      print("one at a time: \(kills) kills, \(recovered) in hand at them, \(doubles(taken)) twice, of \(pushed)")
    }

    @Test(
      "Three workers, thousands of messages, 200 kills: nothing is lost, and twice goes only what was in hand",
      arguments: ["resend", "hold"]
    )
    func several(afterCrash: String) async throws {
      let bench = try await FaultBench()
      let (kills, concurrency) = (200, 40)
      let options = [
        "--lease", "1s", "--concurrency", "\(concurrency)", "--sim-latency", "10ms..100ms", "--sim-fail", "0.05",
        "--backoff-base", "50ms", "--after-crash", afterCrash, "--max-crashes", "1000",
      ]
      var lives = 0
      // Every other worker takes back at once what its earlier life held; what the rest held is left to whoever sees
      // that the lease has ended.
      func start(_ slot: Int) throws -> ChildProcess {
        lives += 1
        let name = slot == 0 ? "stable" : "life-\(lives)"
        return try ChildProcess(Smsq.path, bench.arguments(name: name, options))
      }
      var pushed = 4000
      try await bench.push(pushed)
      var workers = try (0..<3).map(start)
      for _ in 0..<kills {
        try await Task.sleep(for: .milliseconds(.random(in: 0...80)))
        let slot = Int.random(in: workers.indices)
        try await workers[slot].crash()
        workers[slot] = try start(slot)
        try await bench.push(50, from: pushed)
        pushed += 50
      }
      try await bench.drained()
      for worker in workers { #expect(try await worker.stop() == 0) }

      let taken = try bench.taken()
      let snapshot = try await bench.snapshot()
      let dead = try await bench.dead()
      #expect(try await bench.violations() == [])
      let recovered = snapshot.counters["recovered"] ?? 0
      if afterCrash == "resend" {
        #expect(taken.count == pushed && dead.isEmpty)
        #expect(doubles(taken) <= recovered && recovered <= kills * concurrency)
      } else {
        #expect(doubles(taken) == 0 && recovered == 0)
        #expect(dead.allSatisfy { $0.reason?.hasPrefix("unknown: ") == true })
        #expect(dead.count <= kills * concurrency)
        #expect(snapshot.counters["sent", default: 0] + dead.count == pushed)
      }
      print(
        "\(afterCrash): \(kills) kills, \(recovered + dead.count) in hand, \(doubles(taken)) twice of \(pushed)"
      )
    }
  }
}
