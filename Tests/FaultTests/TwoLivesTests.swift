import Foundation
import TestSupport
import Testing

extension FaultTests {
  @Suite("Two lives at once, and clocks", .serialized)
  struct TwoLivesTests {
    @Test(
      "Two live workers with one name: one stays, nothing is lost, and the older ones finish what they have in hand"
    )
    func oneName() async throws {
      let bench = try await FaultBench()
      try await bench.push(1500)
      let options = ["--lease", "1s", "--concurrency", "20", "--sim-latency", "2ms..20ms"]
      // Each of ten takes the name from the one before it.
      var workers: [ChildProcess] = []
      for count in 1...10 {
        workers.append(try ChildProcess(Smsq.path, bench.arguments(name: "twin", options)))
        try await eventually("\(count) have sent some") { try await bench.sent() >= count * 100 }
      }
      try await bench.drained()
      // Not always the last one: on a busy machine one may be started first and register second.
      try await eventually("only one is left") { workers.filter(\.isRunning).count == 1 }
      let left = try #require(workers.firstIndex { $0.isRunning })
      for (index, worker) in workers.enumerated() where index != left {
        #expect(try await worker.end().code == 78)
        #expect(worker.log("superseded").count == 1)
      }
      #expect(try await workers[left].stop() == 0)
      let taken = try bench.taken()
      #expect(taken.count == 1500)
      let recovered = try await bench.snapshot().counters["recovered"] ?? 0
      // On a busy machine one may be slower than its lease, which is a crash.
      let crashed = workers.contains { !$0.log("lease-lost").isEmpty } || recovered > 0
      #expect(crashed ? doubles(taken) <= recovered && recovered <= 9 * 20 : doubles(taken) == 0)
      #expect(try await bench.violations() == [])
    }

    @Test("A worker that is stopped past its lease and goes on sends nothing of what it had not begun")
    func stopped() async throws {
      let bench = try await FaultBench()
      try await bench.push(600)
      let options = ["--lease", "1s", "--concurrency", "20", "--sim-latency", "5ms..15ms"]
      let sleeper = try ChildProcess(Smsq.path, bench.arguments(name: "sleeper", options))
      var stops = 0
      let other = try ChildProcess(Smsq.path, bench.arguments(name: "other", options))
      while stops < 4 {
        try await bench.push(600, from: 600 * (stops + 1))
        try await eventually("it has some in hand") {
          try await bench.snapshot().workers.contains { $0.life.name == "sleeper" && $0.claimed > 10 }
        }
        sleeper.send(SIGSTOP)
        stops += 1
        try await other.logs("recovered", times: stops)
        try await bench.drained()
        sleeper.send(SIGCONT)
        try await sleeper.logs("lease-lost", times: stops)
        try await eventually("it lives again") {
          try await bench.snapshot().workers.contains {
            $0.life.name == "sleeper" && $0.leaseLeft.map { $0 > .zero } == true
          }
        }
      }
      try await bench.drained()
      for worker in [sleeper, other] { #expect(try await worker.stop() == 0) }
      let taken = try bench.taken()
      #expect(taken.count == 600 * (stops + 1))
      let recovered = try await bench.snapshot().counters["recovered"] ?? 0
      #expect(doubles(taken) <= recovered && recovered <= stops * 20)
      // What the sleeper sent twice, it says.
      #expect(sleeper.log("outcome-lost").count >= doubles(taken))
      #expect(sleeper.log("lease-lost").allSatisfy { $0["hint"]?.contains("could not renew its lease") == true })
      #expect(try await bench.violations() == [])
    }

    @Test("A clock that jumps on the worker's host, an hour ahead, a day back, a year ahead, changes nothing")
    func clockJumps() async throws {
      let clock = try JumpingClock()
      let bench = try await FaultBench()
      let options = ["--lease", "1s", "--sim-latency", "20ms", "--sim-fail", "0.3", "--backoff-base", "50ms"]
      let jumper = try ChildProcess(
        Smsq.path,
        bench.arguments(name: "jumper", options),
        environment: clock.environment
      )
      let other = try ChildProcess(Smsq.path, bench.arguments(name: "other", options + ["--concurrency", "1"]))
      try await jumper.logs("started")
      var pushed = 0
      for offset in [3_600, -86_400, 0, 400 * 86_400] {
        try clock.jump(to: offset)
        // Longer than the lease, so that one that went by the host's clock would have ended.
        for _ in 0..<14 {
          try await bench.push(5, from: pushed)
          pushed += 5
          try await Task.sleep(for: .milliseconds(100))
        }
      }
      #expect(try await other.stop() == 0)
      // By the worker's clock it expired more than a year ago; by Redis' it has ten minutes.
      let expiry = ISO8601DateFormatter().string(from: .now + 600)
      try await bench.queue.run(#"LPUSH sms {"to":"+8613800138000","text":"hi","id":"x","expires_at":"\#(expiry)"}"#)
      try await bench.drained()
      #expect(try await jumper.stop() == 0)

      let taken = try bench.taken()
      #expect(taken.count == pushed + 1 && taken["x"] == 1)
      #expect(doubles(taken) == 0)
      for worker in [jumper, other] {
        #expect(worker.log("lease-lost").isEmpty && worker.log("recovered").isEmpty && worker.log("expired").isEmpty)
      }
      // The worker did see its clock jump: its log's own stamps say so.
      let nextYear = ISO8601DateFormatter().string(from: .now + 300 * 86_400)
      #expect(jumper.log.last.map { $0.time > nextYear } == true)
      #expect(try await bench.violations(plainPushes: 1) == [])
    }
  }
}
