import Foundation
import MessageQueue
import RedisClient
import Synchronization
import TestSupport
import Testing

extension FaultTests {
  @Suite("Redis dies, hangs, and is full", .serialized)
  struct RedisCrashTests {
    @Test(
      "kill -9 of Redis under load, ten times: what producers were told is queued is sent once, the rest once or never"
    )
    func killed() async throws {
      let server = try await RedisServer(appendOnly: true)
      let bench = try await FaultBench(on: server)
      let workers = try (1...2).map { try bench.worker("w\($0)", "--concurrency", "20", "--sim-latency", "1ms..9ms") }
      let producers = Producers(bench, count: 3)
      for _ in 0..<10 {
        let before = producers.acknowledged.count
        try await eventually("producers get on") { producers.acknowledged.count > before + 50 }
        try await Task.sleep(for: .milliseconds(.random(in: 0...50)))
        try await server.restart()
      }
      await producers.stop()
      try await bench.settledAfterOutage(by: workers[0], workers[1])
      // One that the other left nothing to do may notice the last restart late. Once it has a connection to the new server
      // there is nothing left to notice.
      try await eventually("all are back") {
        let clients = try await server.connection().run(RedisCommand("CLIENT", "LIST")).string ?? ""
        let connected = clients.split(separator: "\n").filter { $0.contains(" name=smsq-commands ") }
        return connected.count == workers.count
          && workers.allSatisfy { $0.log("redis-lost").count == $0.log("redis-back").count }
      }
      for worker in workers { #expect(try await worker.stop() == 0) }

      let taken = try bench.taken()
      let (acknowledged, unknown) = (producers.acknowledged, producers.unknown)
      #expect(acknowledged.subtracting(taken.keys).isEmpty)
      #expect(Set(taken.keys).isSubset(of: acknowledged.union(unknown)))
      #expect(doubles(taken) == 0)
      #expect(!unknown.isEmpty)
      #expect(try await bench.violations() == [])
      for worker in workers {
        #expect(worker.log("redis-lost").count == worker.log("redis-back").count)
        #expect(worker.log("redis-lost").count <= 10)
      }
      print(
        "Redis killed: \(acknowledged.count) acknowledged, \(unknown.count) not,",
        "\(unknown.intersection(taken.keys).count) of those sent"
      )
    }

    @Test("Redis hangs for longer than the lease: all workers were as cut off, so none takes over from another")
    func hangs() async throws {
      let server = try await RedisServer()
      for _ in 0..<3 {
        let bench = try await FaultBench(on: server)
        try await bench.push(400)
        let workers = try (1...3).map {
          try bench.worker("w\($0)", "--lease", "1s", "--concurrency", "20", "--sim-latency", "20ms..200ms")
        }
        try await eventually("all are at work") {
          try await bench.snapshot().workers.filter { $0.claimed > 5 }.count == 3
        }
        server.kill(SIGSTOP)
        try await Task.sleep(for: .milliseconds(2_500))
        server.kill(SIGCONT)
        try await bench.drained()
        for worker in workers { #expect(try await worker.stop() == 0) }
        let taken = try bench.taken()
        #expect(taken.count == 400)
        #expect(doubles(taken) == 0)
        #expect(try await bench.violations() == [])
        for worker in workers {
          #expect(worker.log("redis-lost").count == 1 && worker.log("redis-back").count == 1)
          #expect(worker.log("recovered").isEmpty)
        }
      }
    }

    @Test("Redis is away for longer than the lease: a worker that died meanwhile is taken over from, one lease after")
    func crashDuringOutage() async throws {
      let server = try await RedisServer(appendOnly: true)
      let bench = try await FaultBench(on: server)
      try await bench.push(40)
      let victim = try bench.worker("victim", "--lease", "1s", "--concurrency", "20", "--sim-latency", "10m")
      try await eventually("it is at work") { try await bench.snapshot().claimed == 20 }
      let other = try bench.worker("other", "--lease", "1s", "--concurrency", "20", "--sim-latency", "5ms")
      try await eventually("the other sends") { try await bench.sent() == 20 }
      try await server.stop()
      try await victim.crash()
      try await Task.sleep(for: .milliseconds(1_500))
      try await server.restart()
      try await bench.settledAfterOutage()
      #expect(try await other.stop() == 0)
      #expect(other.log("recovered").first?["messages"] == "20")
      let taken = try bench.taken()
      // The victim's gateway had answered none.
      #expect(taken.count == 40 && doubles(taken) == 0)
      #expect(try await bench.violations() == [])
    }

    @Test("A Redis that is filled up while workers run is drained, takes messages again, and has lost none of its own")
    func full() async throws {
      let server = try await RedisServer("--maxmemory-policy", "noeviction")
      let bench = try await FaultBench(on: server)
      let info = try await bench.queue.redis.run(RedisCommand("INFO", "memory")).string ?? ""
      let used = info.split(separator: "\r\n").first { $0.hasPrefix("used_memory:") }?.dropFirst(12)
      let limit = (Int(used ?? "") ?? 0) + (1 << 20)
      _ = try await bench.queue.redis.run(RedisCommand("CONFIG", "SET", "maxmemory", "\(limit)"))
      let options = ["--concurrency", "20", "--sim-latency", "10ms", "--sim-fail", "0.2", "--backoff-base", "100ms"]
      var worker = try ChildProcess(Smsq.path, bench.arguments(name: "w", options))
      let producers = Producers(bench, count: 3, text: String(repeating: "full ", count: 100))
      try await eventually("it is full") { producers.refused > 20 }
      // A worker that starts while it is full drains it, too, what its earlier life held first.
      try await worker.crash()
      worker = try ChildProcess(Smsq.path, bench.arguments(name: "w", options))
      let refused = producers.acknowledged.count
      try await eventually("there is room again") { producers.acknowledged.count > refused + 100 }
      await producers.stop()
      try await bench.drained()
      #expect(try await worker.stop() == 0)

      let taken = try bench.taken()
      #expect(Set(taken.keys) == producers.acknowledged)
      #expect(doubles(taken) <= 20)
      #expect(producers.unknown.isEmpty)
      #expect(try await bench.violations() == [])
      #expect(worker.log("queue-error").count <= 1 && worker.log("redis-lost").isEmpty)
    }
  }
}

extension FaultTests {
  @Suite("FLUSHALL", .serialized)
  struct FlushTests {
    @Test("FLUSHALL under a worker's feet: it says what it could not record, registers anew, and sends what comes then")
    func flushed() async throws {
      let server = try await RedisServer()
      let bench = try await FaultBench(on: server)
      try await bench.push(100)
      let worker = try bench.worker("w", "--lease", "3s", "--concurrency", "20", "--sim-latency", "300ms")
      try await eventually("its hands are full") { try await bench.snapshot().claimed == 20 }
      try await bench.queue.run("FLUSHALL")
      try await bench.push(50, prefix: "late")
      try await bench.drained(by: [worker])
      #expect(try await worker.stop() == 0)
      let taken = try bench.taken()
      #expect(taken.keys.filter { $0.hasPrefix("late") }.count == 50)
      #expect(taken.values.allSatisfy { $0 == 1 })
      // Those that were in hand were sent; the others are gone with Redis' memory.
      #expect(taken.count <= 70)
      #expect(worker.log("lease-lost").count == 1)
      #expect(worker.log("outcome-lost").count == taken.count - 50)
      #expect(try await bench.snapshot().counters["lost"] == taken.count - 50)
      #expect(try await bench.violations() == [])
    }
  }
}

extension FaultBench {
  /// As ``drained(within:)``, once the test's own connection has found out that the old one is gone.
  func settledAfterOutage(by workers: ChildProcess...) async throws {
    try await eventually("Redis answers the test") { (try? await queue.run("PING")) != nil }
    try await drained(by: workers)
  }
}
