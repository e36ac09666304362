import Foundation
import MessageQueue
import RedisClient
import TestSupport
import Testing

extension TopologyTests {
  @Suite("Cluster", .serialized)
  struct ClusterTests {
    /// One for all tests of this suite, each of which leaves it whole.
    private static let shared = Task { try await RedisCluster() }

    @Test("A slot that is moved to and fro under load: no strays, nothing lost, nothing twice", arguments: [1, 3])
    func moves(workerCount: Int) async throws {
      let cluster = try await Self.shared.value
      let bench = try TopologyBench(cluster.url)
      let workers = try (1...workerCount).map { try bench.worker("w\($0)") }
      let producers = SteadyProducers(bench)
      try await bench.goesThrough()
      let slot = try await cluster.slot(of: bench.name)
      let moves = 6 * TopologyTests.rounds
      for _ in 0..<moves {
        try await producers.goOn(50)
        let owner = try await cluster.owner(of: slot)
        try await cluster.move(slot, to: try await cluster.others(than: owner).randomElement()!)
      }
      try await producers.goOn(50)
      let rate = producers.rate
      await producers.stop()
      try await bench.drained(by: workers)
      #expect(try await bench.violations() == [])
      for worker in workers {
        #expect(try await worker.stop() == 0)
        #expect(worker.log("lease-lost").isEmpty && worker.log("recovered").isEmpty, "\(worker.lines.suffix(20))")
      }
      let outcome = Outcome(producers, bench)
      #expect(outcome.lost == 0 && outcome.doubles == 0)
      let lost = workers.map { $0.log("redis-lost").count }
      print("cluster, \(moves) moves, \(workerCount) workers, \(Int(rate))/s: \(outcome); redis-lost \(lost)")
    }

    @Test("CLUSTER FAILOVER during a wait: the worker waits at the new master, and what is pushed then is sent")
    func failover() async throws {
      let cluster = try await Self.shared.value
      let bench = try TopologyBench(cluster.url)
      let worker = try bench.worker()
      try await worker.logs("started")
      let slot = try await cluster.slot(of: bench.name)
      for round in 1...(2 * TopologyTests.rounds) {
        try await eventually("it is registered") { await bench.snapshot()?.workers.count == 1 }
        let old = try await cluster.owner(of: slot)
        var askedAt: ContinuousClock.Instant?
        try await eventually("the replica is the master") {
          // One that gets no majority is over after 5 s.
          if askedAt.map({ .now - $0 > .seconds(6) }) ?? true {
            askedAt = .now
            try await cluster.partner(of: old).run("CLUSTER", "FAILOVER")
          }
          return try await cluster.owner(of: slot) !== old
        }
        let pushed = try await bench.smsq("push", "--to", "+8613800138000", "--text", "hi", "--id", "m\(round)")
        #expect(pushed.code == 0, "\(pushed)")
        try await eventually("it is sent") { bench.taken()["m\(round)"] == 1 }
        try await cluster.settled()
      }
      #expect(try await worker.stop() == 0)
      #expect(try await bench.violations() == [])
    }

    @Test("A node is killed under load: its replica takes over, and nothing is left in a claim")
    func killed() async throws {
      let cluster = try await Self.shared.value
      let bench = try TopologyBench(cluster.url)
      let worker = try bench.worker()
      let producers = SteadyProducers(bench)
      try await bench.goesThrough()
      let slot = try await cluster.slot(of: bench.name)
      for round in 1...TopologyTests.rounds {
        try await producers.goOn()
        let old = try await cluster.owner(of: slot)
        try await old.crash()
        try await producers.goOn()
        // It tries once a second. One kill is to be over before the next.
        try await worker.logs("redis-back", times: round)
        try await old.start()
        try await cluster.settled()
        try await producers.goOn()
      }
      let rate = producers.rate
      await producers.stop()
      try await bench.drained(by: [worker])
      #expect(try await bench.violations() == [])
      #expect(try await worker.stop() == 0)
      let outcome = Outcome(producers, bench)
      // What had not reached the replica: a moment's worth.
      let most = Int(rate) * TopologyTests.rounds
      #expect(outcome.lost <= most && outcome.doubles <= most)
      print("cluster, node killed, \(Int(rate))/s: \(outcome); redis-back after \(worker.times(of: "redis-back")) s")
    }

    @Test("Every command works from any node, and says what it is where a slot is on its way for long")
    func commands() async throws {
      let cluster = try await Self.shared.value
      let bench = try TopologyBench(cluster.url)
      let slot = try await cluster.slot(of: bench.name)
      let owner = try await cluster.owner(of: slot)
      let other = try await cluster.others(than: owner)[0]
      let push = ["push", "--to", "+8613800138000", "--text", "hi"]
      for node in cluster.nodes {
        let url = "\(RedisNode.scheme)+cluster://\(node.address)"
        for command in [push, ["stats"], ["peek"], ["dead", "list"], ["pause"], ["resume"]] {
          let result = try await Smsq.run(command + ["--redis", url, "--queue", bench.name.description])
          #expect(result.code == 0, "\(command) at \(url): \(result)")
        }
      }
      #expect(await bench.snapshot()?.waiting == cluster.nodes.count)

      // One key here, the others there.
      try await cluster.beginMove(of: slot, from: owner, to: other)
      try await cluster.move([bench.name.description], from: owner, to: other)
      let result = try await bench.smsq("push", "--to", "+8613800138000", "--text", "hi")
      #expect(result.code == 75 && result.note.contains("try again"), "\(result)")
      #expect(result.note.contains("the slot of '\(bench.name)' is on its way"), "\(result)")
      try await cluster.move(slot, to: other)
      #expect(await bench.snapshot()?.waiting == cluster.nodes.count)
      #expect(try await bench.violations() == [])
      let plain = try await Smsq.run(["stats", "--redis", owner.url, "--queue", bench.name.description])
      #expect(plain.code == 78 && plain.note.contains("\(RedisNode.scheme)+cluster://"), "\(plain)")
    }

    @Test("Of a pipeline that goes to several nodes, what one has done is not done again by another")
    func pipeline() async throws {
      let cluster = try await Self.shared.value
      let endpoint = try RedisNode.endpoint(cluster.url)
      let redis = RedisConnection(to: endpoint, options: .init(name: "test"))
      // Each in a slot of its own, on all nodes.
      let keys = (0..<12).map { "{\(UUID().uuidString)}\($0)" }
      var replies: [RedisReply] = []
      // As many nodes, as many ways.
      for _ in 0..<3 { replies = try await redis.run(keys.map { RedisCommand("INCR", $0) }) }
      #expect(replies.count == keys.count)
      let script = RedisScript(name: "count", source: [UInt8]("return redis.call('INCR', KEYS[1])".utf8))
      let counts = try await redis.call(keys.map { ScriptCall(script, keys: [$0]) })
      #expect(counts == keys.map { _ in .integer(4) }, "\(counts)")
    }

    @Test("Doctor says whether the cluster is whole, and what a lost node costs")
    func doctor() async throws {
      let cluster = try await Self.shared.value
      let bench = try TopologyBench(cluster.url)
      let result = try await bench.smsq("doctor")
      for line in [
        "ok       redis: \(cluster.url) at 127.0.0.1:", "ok       cluster: ok, masters 3",
        "ok       cluster-require-full-coverage: yes - while one node is lost", "ok       node replicas: 1 online",
      ] {
        #expect(result.stdout.contains(line), "\(line): \(result)")
      }
      // Half of them are replicas, and have none of their own.
      for node in cluster.nodes {
        let url = "\(RedisNode.scheme)+cluster://\(node.address)"
        let result = try await Smsq.run(["doctor", "--redis", url, "--queue", bench.name.description])
        #expect(result.stdout.contains("ok       role: master\n"), "\(result)")
        #expect(result.stdout.contains("ok       node replicas: 1 online"), "\(result)")
      }
      let server = try await RedisNode().start()
      let alone = try await Smsq.run(["doctor", "--redis", "\(RedisNode.scheme)+cluster://\(server.address)"])
      #expect(alone.stdout.contains("warning  cluster: this server is none of a cluster"), "\(alone)")
    }

    // MARK: Scripts in a slot that moves

    /// Each call that writes.
    private static let writes: [(name: String, run: @Sendable (MessageQueue, WorkerLife) async throws -> Void)] = [
      ("enqueue", { queue, _ in _ = try await queue.enqueue([OutgoingMessage(payload: [1])]) }),
      (
        "claim",
        { queue, life in
          _ = try await queue.turn(settling: [], claiming: ClaimRequest(life: life, firstNumber: 9, limit: 5))
        }
      ),
      (
        "settle",
        { queue, life in _ = try await queue.settle([Settlement(claimID: life.claimID(0), .sent)], of: .own(life)) }
      ),
      ("join", { queue, life in _ = try await queue.join(life, lease: .seconds(10)) }),
      ("renew", { queue, life in _ = try await queue.renew(life, lease: .seconds(10)) }),
      ("fence", { queue, life in _ = try await queue.fence(life, isGone: true) }),
      ("leave", { queue, life in _ = try await queue.leave(life) }),
      (
        "drop",
        { queue, life in
          _ = try await queue.drop([], keeping: DeadLetterBounds(count: 1, age: nil), for: life, lease: .seconds(10))
        }
      ),
      ("revive", { queue, _ in _ = try await queue.revive(try await letters(queue)) }),
      ("remove", { queue, _ in _ = try await queue.remove(try await letters(queue)) }),
      (
        "reshard",
        { queue, _ in
          let numbers = ShardNumbers(served: 1, spread: Spread(generation: 1, shards: 1))
          _ = try await queue.reshard(from: numbers, to: ShardNumbers(served: 2, spread: numbers.spread))
        }
      ),
      ("spread", { queue, _ in _ = try await queue.raise(Spread(generation: 9, shards: 2)) }),
    ]

    private static func letters(_ queue: MessageQueue) async throws -> [DeadLetter] {
      var pages = DeadLetterPages(of: queue)
      return try await pages.next()
    }

    @Test("A slot that is on its way refuses each script that writes as a whole, on either node")
    func guarded() async throws {
      let cluster = try await Self.shared.value
      let bench = try TopologyBench(cluster.url)
      let keys = QueueKeys(bench.name)
      let life = WorkerLife(name: "w")
      let slot = try await cluster.slot(of: bench.name)
      let owner = try await cluster.owner(of: slot)
      let other = try await cluster.others(than: owner)[0]

      // All keys that any of them names are there, so that none is refused for one that is missing but the guard.
      _ = try await bench.queue.join(life, lease: .seconds(600))
      _ = try await bench.queue.enqueue((0..<3).map { OutgoingMessage(payload: [UInt8($0)]) })
      _ = try await bench.queue.turn(settling: [], claiming: ClaimRequest(life: life, firstNumber: 0, limit: 1))
      let direct = owner.connection()
      for command in [
        ["ZADD", keys.later, "9999999999999", "late"], ["ZADD", keys.dead, "1", "dead"], ["SET", keys.paused, "1"],
        ["SET", keys.dropping, "nobody"], ["LPUSH", keys.wake, "1"], ["HSET", keys.turns, life.id, "1"],
        ["SET", keys.served, "1"], ["SET", keys.spread, "1:1"], ["SET", "{\(bench.name)}:other", "1"],
      ] {
        _ = try await direct.run(RedisCommand(words: command))
      }
      let letters = try await Self.letters(bench.queue)
      #expect(letters.count == 1)

      try await cluster.beginMove(of: slot, from: owner, to: other)
      for moved in ["{\(bench.name)}:other", keys.stats] {
        try await cluster.move([moved], from: owner, to: other)
        let here = try await RedisDump(of: bench.name, on: direct)
        let there = try await other.connection().run(RedisCommand("DBSIZE"))
        let queue = MessageQueue(bench.name, on: direct)
        for (name, run) in Self.writes {
          let error = await #expect(throws: RedisError.self, "\(name) with \(moved) moved") {
            try await run(queue, life)
          }
          #expect(["TRYAGAIN", "ASK"].contains(error?.code.rawValue), "\(name): \(String(describing: error))")
        }
        #expect(try await RedisDump(of: bench.name, on: direct).values == here.values)
        #expect(try await other.connection().run(RedisCommand("DBSIZE")) == there)
      }
      try await cluster.move(slot, to: other)
      _ = try await bench.queue.renew(life, lease: .seconds(10))
    }
  }
}
