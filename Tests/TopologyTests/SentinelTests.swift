import Foundation
import MessageQueue
import RedisClient
import TestSupport
import Testing

extension TopologyTests {
  /// What befalls a master.
  enum Fault: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case kill, stop, failover, planned

    var testDescription: String { rawValue }
  }

  @Suite("Sentinel", .serialized)
  struct SentinelTests {
    /// All of them take a minute.
    private static let faults: [Fault] = TopologyTests.rounds > 1 ? Fault.allCases : [.kill, .planned]

    /// One for all tests of this suite, each of which leaves it whole.
    private static let shared = Task { try await SentinelSet() }

    @Test("A failover under load: the worker follows, and nothing is left in a claim", arguments: faults)
    func failsOver(fault: Fault) async throws {
      let set = try await Self.shared.value
      let bench = try TopologyBench(set.url)
      let worker = try bench.worker()
      let producers = SteadyProducers(bench)
      try await bench.goesThrough()
      let before = try await set.failovers()
      for round in 1...TopologyTests.rounds {
        try await producers.goOn()
        let old = try await set.master()
        try await Self.befall(set, fault, old)
        let new = try await set.failedOver(from: old)
        let line = try await worker.logs("redis-failover", times: round)
        #expect(line["from"] == "\(old.address)" && line["to"] == "\(new.address)")
        try await producers.goOn()
        switch fault {
        case .kill: try await old.start()
        case .stop: old.kill(SIGCONT)
        case .failover, .planned: break
        }
        try await set.healed()
        try await producers.goOn()
      }
      let rate = producers.rate
      await producers.stop()
      try await bench.drained(by: [worker])
      #expect(try await bench.violations() == [])
      #expect(try await worker.stop() == 0)
      let outcome = Outcome(producers, bench)
      // Up to what is queued and sent while two servers are masters: the watch finds the new one within a second.
      let most = fault == .planned ? 0 : Int(rate * 2) * TopologyTests.rounds
      #expect(outcome.lost <= most && outcome.doubles <= most)
      // On a busy host sentinels take a master for dead that is only slow: that is one more.
      #expect(worker.log("redis-failover").count <= max(TopologyTests.rounds, try await set.failovers() - before))
      print(
        "sentinel, \(fault), \(Int(rate))/s: \(outcome); redis-failover after \(worker.times(of: "redis-failover")) s"
      )
    }

    private static func befall(_ set: SentinelSet, _ fault: Fault, _ master: RedisNode) async throws {
      switch fault {
      case .kill: try await master.crash()
      case .stop: master.kill(SIGSTOP)
      case .failover:
        try await eventually("a failover begins") {
          (try? await set.ask(set.sentinels[0], "failover", SentinelSet.name)) == .status("OK")
        }
      case .planned:
        try await eventually("the script succeeds") {
          let script = Repository.path + "/docs/examples/failover.sh"
          let (host, port) = (set.sentinels[0].host, "\(set.sentinels[0].port)")
          let cli = "redis-cli" + (TestTLS.caFileOfAll.map { " --tls --cacert \($0)" } ?? "")
          let command = [script, host, port, SentinelSet.name]
          let result = try await ChildProcess("/bin/sh", command, environment: ["REDIS_CLI": cli]).end()
          if result.code != 0 { print("failover.sh: \(result)") }
          return result.code == 0
        }
      }
    }

    @Test(
      "A master that is cut off with a worker on its side: both workers end up at the new one",
      .enabled(if: TopologyTests.rounds > 1, "make test-topologies has it"),
      .enabled(if: NetworkNamespace.isPermitted, "network namespaces need root, and iproute2"),
      .timeLimit(.minutes(5))
    )
    func partition() async throws {
      let island = try NetworkNamespace()
      let (there, here) = (
        SentinelSet.Place(host: island.inside, namespace: island.name), SentinelSet.Place(host: island.outside)
      )
      let set = try await SentinelSet(
        places: ([there, here, here], [there, here, here]),
        arguments: ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "1"]
      )
      let bench = try TopologyBench(set.url)
      let worker = try bench.worker("here")
      let other = try ChildProcess("ip", ["netns", "exec", island.name, Smsq.path] + bench.arguments("there", []))
      let producers = SteadyProducers(bench)
      try await bench.goesThrough()
      for _ in 0..<TopologyTests.rounds {
        while try await set.master().host != island.inside {
          let now = try await set.master()
          try await Self.befall(set, .failover, now)
          try await set.failedOver(from: now)
          try await set.healed()
        }
        try await producers.goOn()
        let old = try await set.master()
        let followed = worker.log("redis-failover").count
        island.cut()
        try await set.failedOver(from: old)
        try await worker.logs("redis-failover", times: followed + 1)
        try await producers.goOn()
        island.mend()
        try await set.healed()
        try await producers.goOn()
      }
      let rate = producers.rate
      await producers.stop()
      try await bench.drained(by: [worker, other])
      #expect(try await bench.violations() == [])
      #expect(try await worker.stop() == 0)
      #expect(try await other.stop() == 0)
      let outcome = Outcome(producers, bench)
      let most = Int(rate * 4) * TopologyTests.rounds
      #expect(outcome.lost <= most && outcome.doubles <= most)
      print(
        "sentinel, partition, \(Int(rate))/s: \(outcome); redis-failover after \(worker.times(of: "redis-failover")) s"
      )
    }

    @Test("Commands find the master, and say what is wrong where there is none")
    func commands() async throws {
      let set = try await Self.shared.value
      let bench = try TopologyBench(set.url)
      for command in [["push", "--to", "+8613800138000", "--text", "hi"], ["stats"], ["peek"], ["pause"], ["resume"]] {
        let result = try await Smsq.run(command + ["--redis", set.url, "--queue", bench.name.description])
        #expect(result.code == 0, "\(command): \(result)")
      }
      #expect(await bench.snapshot()?.waiting == 1)

      let hosts = set.sentinels.map { "\($0.address)" }.joined(separator: ",")
      let master = try await set.master()
      let replica = try #require(set.servers.first { $0 !== master })
      for (url, code, words) in [
        ("\(RedisNode.scheme)+sentinel://\(hosts)/other/0", 78, "it watches mymaster"),
        ("\(RedisNode.scheme)+sentinel://\(replica.address)/mymaster", 78, "is a Redis server and no sentinel"),
        ("\(RedisNode.scheme)+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster", 69, "none of its 2 sentinels answers"),
        ("\(RedisNode.scheme)://\(set.sentinels[0].address)", 78, "\(RedisNode.scheme)+sentinel://"),
      ] {
        let result = try await Smsq.run(["stats", "--redis", url])
        #expect(result.code == code && result.note.contains(words), "\(url): \(result)")
      }
      // One that is not there costs nothing but its time-out.
      let url = "\(RedisNode.scheme)+sentinel://127.0.0.1:1,\(hosts)/mymaster"
      let result = try await Smsq.run(["stats", "--redis", url, "--queue", bench.name.description])
      #expect(result.code == 0, "\(result)")
    }

    @Test("Doctor says where the sentinels led to, and which of their settings can cost messages")
    func doctor() async throws {
      let set = try await Self.shared.value
      let bench = try TopologyBench(set.url)
      let result = try await bench.smsq("doctor")
      let master = try await set.master()
      for line in [
        "ok       redis: \(set.url) at \(master.address)", "ok       sentinels: 3, of which the URL names 3",
        "warning  down-after-milliseconds: 1000", "warning  min-replicas-to-write: 0", "ok       role: master",
      ] {
        #expect(result.stdout.contains(line), "\(result)")
      }
      #expect(result.code == 0)

      let lost = "\(RedisNode.scheme)+sentinel://127.0.0.1:1,\(set.sentinels[0].address)/mymaster"
      let some = try await Smsq.run(["doctor", "--redis", lost])
      #expect(some.stdout.contains("warning  sentinel 127.0.0.1:1: says nothing: Connection refused"), "\(some)")
      let none = try await Smsq.run(["doctor", "--redis", "\(RedisNode.scheme)+sentinel://127.0.0.1:1/mymaster"])
      #expect(none.code == 69 && none.stdout.contains("problem  redis: "), "\(none)")
    }

    @Test("Sentinels that want a login of their own get it, and say so where it is missing or wrong")
    func login() async throws {
      let one = SentinelSet.Place()
      let set = try await SentinelSet(places: ([one, one], [one]), password: "s3cret")
      let command = ["stats", "--redis", set.url]
      for (variables, code) in [
        ([:], 77), (["SMSQ_SENTINEL_PASSWORD": "wrong"], 77), (["SMSQ_SENTINEL_PASSWORD": "s3cret"], 0),
      ] {
        let result = try await Smsq.run(command, environment: variables)
        #expect(result.code == code, "\(result)")
        #expect(code == 0 || result.note.contains("SMSQ_SENTINEL_PASSWORD"))
        #expect(!result.note.contains("wrong") && !result.note.contains("s3cret"))
      }
    }
  }
}

/// The folder of the sources.
enum Repository {
  static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
    .standardizedFileURL.path
}
