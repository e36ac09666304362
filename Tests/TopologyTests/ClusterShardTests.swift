import Foundation
import MessageQueue
import RedisClient
import TestSupport
import Testing

extension TopologyTests {
  @Suite("Shards in a cluster", .serialized)
  struct ClusterShardTests {
    /// Without replicas, so that a node that is gone stays so. What it has said is on its disk.
    private static let shared = Task {
      try await RedisCluster(
        withReplicas: false,
        "--cluster-require-full-coverage",
        "no",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always"
      )
    }

    /// One of a queue that has a shard on each node.
    private func bench(_ cluster: RedisCluster, shards: Int) async throws -> TopologyBench {
      while true {
        let name = TopologyBench.newName()
        let owners = try await cluster.owners(of: name, shards: shards)
        if Set(owners.map(\.port)).count == cluster.nodes.count { return try TopologyBench(cluster.url, name) }
      }
    }

    @Test(
      "A dead node stops its shards and no others, the first or another, and they go on when it is back",
      arguments: [0, 1]
    )
    func deadNode(shard: Int) async throws {
      let cluster = try await Self.shared.value
      let bench = try await bench(cluster, shards: 3)
      let worker = try bench.worker("w", "--lease", "3s")
      try await worker.logs("started")
      let grown = try await bench.smsq("shards", "3")
      #expect(grown.code == 0, "\(grown)")
      let producers = SteadyProducers(bench, withIDs: false)
      let dead = try await cluster.owners(of: bench.name, shards: 3)[shard]
      let deadName = bench.name.shard(shard).description
      let spread = try await bench.queue.shardNumbers().spread
      for round in 1...TopologyTests.rounds {
        try await producers.goOn()
        try await dead.crash()
        // What was under way when it was killed is over then.
        try await producers.goOn(20)
        let before = Set(bench.taken().keys)
        try await producers.goOn()
        try await eventually("the others' messages are sent") {
          Set(bench.taken().keys).subtracting(before).count >= 100
        }
        try await worker.logs("redis-lost", times: round)

        let stats = try await bench.smsq("stats", "--json")
        #expect(stats.code == 69 && stats.note.contains("shard \(deadName) is not in these numbers"), "\(stats)")
        let rest = [0, 1, 2].filter { $0 != shard }.map { bench.name.shard($0).description }
        #expect(stats.stdout.contains(#""queue":"\#(bench.name)""#))
        for name in rest { #expect(stats.stdout.contains(#""queue":"\#(name)""#), "\(stats)") }
        // Wherever it begins. Where that is a wait, once.
        for _ in 0..<(shard == 0 ? 1 : 3) {
          let push = try await bench.smsq("push", "--to", "+8613800138000", "--text", "hi")
          #expect(push.code == 0, "\(push)")
        }
        for number in 0..<3 where shard != 0 || number == 0 {
          let id = try #require((0..<1000).map { "r\(round)-\($0)" }.first { spread.shard(of: $0) == number })
          let push = try await bench.smsq("push", "--to", "+8613800138000", "--text", "hi", "--id", id)
          #expect(push.code == (number == shard ? 69 : 0), "\(number): \(push)")
        }

        let second = try bench.worker("w2", "--lease", "3s")
        try await second.logs("shard-started", times: 2)
        #expect(try await second.stop() == 0, "\(second.lines)")

        try await dead.start()
        try await cluster.settled()
        try await worker.logs("redis-back", times: round)
        try await producers.goOn()
      }
      let rate = producers.rate
      await producers.stop()
      try await bench.drained(by: [worker])
      #expect(try await bench.violations(shards: 3) == [])
      #expect(try await worker.stop() == 0)
      // On a busy host another node may be late as well.
      let lost = worker.log("redis-lost").filter { $0["error"]?.contains("no answer in time") != true }
      #expect(lost.allSatisfy { $0["queue"] == deadName }, "\(lost)")
      #expect(worker.log("shard-stopped").isEmpty && worker.log("shard-started").count == 2)
      let outcome = Outcome(producers, bench)
      // What was in hand, and could not be settled.
      #expect(outcome.lost == 0 && outcome.doubles <= 50 * TopologyTests.rounds)
      print("cluster, node of shard \(shard) dead, \(Int(rate))/s: \(outcome); errors \(producers.errors)")
    }

    @Test("From one shard to six and back under load: the books balance, nothing is lost, nothing twice")
    func raised() async throws {
      let cluster = try await Self.shared.value
      for _ in 1...TopologyTests.rounds {
        let bench = try await bench(cluster, shards: 6)
        let workers = try ["w1", "w2"].map { try bench.worker($0, "--lease", "3s") }
        for worker in workers { try await worker.logs("started") }
        let producers = [SteadyProducers(bench, count: 1), SteadyProducers(bench, count: 1, withIDs: false)]
        for producer in producers { try await producer.goOn() }

        let grown = try await bench.smsq("shards", "6")
        #expect(grown.code == 0, "\(grown)")
        for producer in producers { try await producer.goOn(200) }
        let snapshots = try #require(await bench.snapshots())
        #expect(snapshots.count == 6 && snapshots.allSatisfy { $0.counters["pushed"] ?? 0 > 0 }, "\(snapshots)")
        let doctor = try await bench.smsq("doctor")
        #expect(doctor.stdout.contains("ok       \(bench.name) shards: 6"), "\(doctor)")
        let first = try await cluster.owners(of: bench.name, shards: 1)[0]
        for node in cluster.nodes where node !== first {
          #expect(doctor.stdout.contains("warning  \(node.address) node replicas: none online"), "\(doctor)")
        }

        let shrunk = try await bench.smsq("shards", "1")
        #expect(shrunk.code == 0, "\(shrunk)")
        for producer in producers { try await producer.goOn() }
        for producer in producers { await producer.stop() }
        try await bench.drained(by: workers)
        #expect(try await bench.violations(shards: 6) == [])
        for worker in workers {
          #expect(worker.log("shard-started").count == 5 && worker.log("redis-lost").isEmpty, "\(worker.lines)")
          #expect(try await worker.stop() == 0)
        }
        let taken = bench.taken()
        #expect(taken.values.allSatisfy { $0 == 1 })
        #expect(Set(taken.keys) == producers[0].acknowledged.union(producers[1].acknowledged))
        var sent = 0
        for number in 0..<6 { sent += try await bench.sharded.shard(number).inspect().counters["sent"] ?? 0 }
        #expect(sent == taken.count)
        print("cluster, from one shard to six and back: \(taken.count) sent, errors \(producers.map(\.errors))")
      }
    }
  }
}
