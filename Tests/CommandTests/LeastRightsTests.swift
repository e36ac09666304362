import Foundation
import MessageQueue
import RedisClient
import TestSupport
import Testing

/// The users that docs/operations.md describes: each can do its work, and none can do that of another.
@Suite("Least rights", .serialized)
struct LeastRightsTests {
  private static let roles = ["smsq-worker", "smsq-producer", "smsq-doctor", "smsq-reader", "smsq-operator"]

  /// All commands that ask Redis something, as they find something to do, and who may run them.
  private static let commands: [(arguments: [String], role: String)] = [
    // An operator puts messages back, and into other queues: that takes what a push takes.
    (["push"] + Bench.message, "smsq-producer smsq-operator"),
    (["push", "--id", "order-1", "--max-queue", "100"] + Bench.message, "smsq-producer smsq-operator"),
    (["push", "--in", "1h"] + Bench.message, "smsq-producer smsq-operator"),
    (["push", "--file", "messages.jsonl"], "smsq-producer smsq-operator"),
    (["stats"], "smsq-reader smsq-doctor"), (["peek"], "smsq-reader"),
    (["status", "dead-1"], "smsq-reader"), (["status", "order-1"], "smsq-reader"),
    (["dead", "list"], "smsq-reader smsq-operator"), (["dead", "show", "dead-1"], "smsq-reader smsq-operator"),
    (["dead", "retry", "dead-1"], "smsq-operator"), (["dead", "remove", "dead-2"], "smsq-operator"),
    (["pause"], "smsq-operator"), (["resume"], "smsq-operator"),
    (["limit", "100000/s"], "smsq-operator"), (["limit"], "smsq-operator smsq-reader smsq-doctor"),
    (["doctor"], "smsq-doctor"),
  ]

  /// A Redis with the users of the documentation, a message that waits, and two that are dead.
  private struct Server {
    let redis: RedisServer
    let file: TemporaryFile
    /// What follows ACL SETUSER, by the user.
    private var rules: [String: [String]] = [:]

    init() async throws {
      redis = try await RedisServer(appendOnly: true)
      file = try TemporaryFile(#"{"to":"+8613800138000","text":"hi"}"#, extension: "jsonl")
      let manual = try String(contentsOfFile: Repository.path + "/docs/operations.md", encoding: .utf8)
      let rules = manual.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        .filter { $0.hasPrefix("ACL SETUSER") }
      try #require(rules.count == LeastRightsTests.roles.count + 1)
      for rule in rules {
        let words = rule.split(separator: " ").map(String.init)
        self.rules[words[2]] = Array(words.dropFirst(3))
        try await setUser(words[2], Array(words.dropFirst(3)))
      }
      for id in ["dead-1", "dead-2", "dead-3"] {
        let push = try await Smsq.run(["push", "--redis", redis.url, "--id", id] + Bench.message)
        try #require(push.code == 0, "\(push)")
      }
      let worker = try ChildProcess(
        Smsq.path,
        ["worker", "--redis", redis.url, "--name", "before", "--sim-reject", "1"]
      )
      try await worker.logs("dead", times: 3)
      worker.send(SIGTERM)
      _ = try await worker.end()
      let push = try await Smsq.run(["push", "--redis", redis.url] + Bench.message)
      try #require(push.code == 0, "\(push)")
    }

    private func setUser(_ name: String, _ rules: [String]) async throws {
      #expect(try await redis.connection().run(RedisCommand(words: ["ACL", "SETUSER", name] + rules)) == .status("OK"))
    }

    /// Gives the queue three shards, and all users the rights that these want.
    func shard() async throws {
      let keys = ["~sms.*", "~{sms.*"]
      for role in LeastRightsTests.roles { try await setUser(role, keys) }
      try await setUser("smsq-producer", ["~{sms}:served", "+del"])
      let reader = (rules["smsq-reader"] ?? []).filter { $0 != "reset" }
      try await setUser("smsq-shards", (rules["smsq-operator"] ?? []) + reader + keys)
      let result = try await run(["shards", "3"], as: "smsq-shards")
      try #require(result.code == 0, "\(result)")
      // As if it had been interrupted before it came to this one.
      _ = try await redis.connection().run(RedisCommand("DEL", "{sms.1}:shard"))
    }

    /// A user with the rights of several.
    func join(_ name: String, _ roles: [String], more: [String]) async throws {
      let rules = roles.flatMap { self.rules[$0] ?? [] }.filter { $0 != "reset" }
      try await setUser(name, ["reset"] + rules + more)
    }

    func url(_ role: String) -> String { "unix://\(role):PASSWORD@\(redis.endpoint.path)" }

    func run(_ arguments: [String], as role: String, _ more: String...) async throws -> ChildProcess.Result {
      let arguments = arguments.map { $0 == "messages.jsonl" ? file.path : $0 }
      return try await Smsq.run(arguments + more + ["--redis", url(role)])
    }

    /// All keys of both queues that are tried.
    func state() async throws -> [[String: RedisDump.Value]] {
      var state: [[String: RedisDump.Value]] = []
      for queue in ["sms", "otp"].compactMap({ QueueName($0) }) {
        state.append(try await RedisDump(of: queue, on: redis.connection()).values)
      }
      return state
    }
  }

  @Test("Each can do its work")
  func allowed() async throws {
    let server = try await Server()
    for (arguments, roles) in Self.commands {
      for role in roles.split(separator: " ") {
        let result = try await server.run(arguments, as: String(role))
        #expect(result.code == 0, "\(role) \(arguments): \(result)")
        #expect(!result.stdout.contains("not permitted"), "\(result)")
      }
    }
    // Again, so that it is a duplicate.
    let again = try await server.run(["push", "--id", "order-1"] + Bench.message, as: "smsq-producer")
    #expect(again.code == 0 && again.note.contains("accepted before"), "\(again)")
  }

  @Test("In a queue of several shards each can do its work")
  func sharded() async throws {
    let server = try await Server()
    try await server.shard()
    let spread = Spread(generation: 2, shards: 3)
    let id = try #require((0..<100).map { "id-\($0)" }.first { spread.shard(of: $0) == 1 })
    let push = try await server.run(["push", "--id", id, "--json"] + Bench.message, as: "smsq-producer")
    let shard = try push.stdout.json["shard"] as? String
    #expect(push.code == 0 && shard == "sms.1", "\(push)")
    for (arguments, roles) in Self.commands {
      for role in roles.split(separator: " ") {
        let result = try await server.run(arguments, as: String(role))
        #expect(result.code == 0, "\(role) \(arguments): \(result)")
        #expect(!result.stdout.contains("not permitted") && !result.stdout.contains("refused"), "\(result)")
      }
    }
    let worker = try ChildProcess(Smsq.path, ["worker", "--redis", server.url("smsq-worker"), "--lease", "1s"])
    try await worker.logs("shard-started", times: 2)
    try await TestSupport.eventually("all that was due is sent") {
      let stats = try await server.run(["stats", "--json"], as: "smsq-reader")
      let numbers = try stats.stdout.json
      return numbers["waiting"] as? Int == 0 && numbers["claimed"] as? Int == 0
    }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log("redis-lost").isEmpty && worker.log("queue-error").isEmpty, "\(worker.stdout)")
  }

  @Test("Who may operate and read can cancel, purge and move")
  func taking() async throws {
    let server = try await Server()
    try await server.join("smsq-both", ["smsq-operator", "smsq-reader"], more: ["~otp", "~{otp}:*"])
    for id in ["taken", "moved"] {
      _ = try await server.run(["push", "--id", id] + Bench.message, as: "smsq-producer")
    }
    _ = try await server.run(["push", "--id", "later", "--in", "1h"] + Bench.message, as: "smsq-producer")
    let commands = [
      ["status", "taken"], ["cancel", "taken"], ["peek", "--scheduled"], ["cancel", "--scheduled", "--yes"],
      ["move", "--from", "sms", "--to", "otp", "--matching", "moved"], ["purge", "--yes"],
    ]
    for arguments in commands {
      let result = try await server.run(arguments, as: "smsq-both")
      #expect(result.code == 0, "\(arguments): \(result)")
    }
    let stats = try await server.run(["stats", "--json"], as: "smsq-both")
    let numbers = try stats.stdout.json
    #expect(numbers["cancelled"] as? Int == 2 && numbers["moved_out"] as? Int == 1 && numbers["purged"] as? Int == 1)
  }

  @Test("A worker sends, retries, buries, recovers and lets dead letters fall off")
  func worker() async throws {
    let server = try await Server()
    for _ in 0..<20 { _ = try await server.run(["push"] + Bench.message, as: "smsq-producer") }
    func worker(_ options: String...) throws -> ChildProcess {
      try ChildProcess(
        Smsq.path,
        ["worker", "--name", "w", "--redis", server.url("smsq-worker"), "--lease", "1s", "--dead-max", "2"]
          + ["--backoff-base", "10ms", "--backoff-max", "10ms"] + options
      )
    }
    let first = try worker("--sim-latency", "60s")
    let redis = server.redis.connection()
    try await TestSupport.eventually("it has some in hand") {
      let workers = try await redis.run(RedisCommand("ZCARD", "{sms}:workers"))
      let waiting = try await redis.run(RedisCommand("LLEN", "sms"))
      return workers == .integer(1) && waiting == .integer(0)
    }
    first.send(SIGKILL)
    _ = try await first.end()
    let second = try worker("--sim-fail", "0.2", "--sim-reject", "0.2")
    try await TestSupport.eventually("all is done") {
      let stats = try await redis.run(RedisCommand("HGETALL", "{sms}:stats")).array ?? []
      let pairs = stride(from: 0, to: stats.count, by: 2).map { (stats[$0].string ?? "", stats[$0 + 1].string ?? "") }
      let counters = Dictionary(uniqueKeysWithValues: pairs).compactMapValues { Int($0) }
      return (counters["sent"] ?? 0) + (counters["dead_total"] ?? 0) - 3 >= 20 && counters["recovered"] ?? 0 > 0
        && counters["dead_dropped"] ?? 0 > 0
    }
    let probe = try await server.run(["doctor", "--worker", "w"], as: "smsq-doctor")
    #expect(probe.code == 0, "\(probe)")
    second.send(SIGTERM)
    #expect(try await second.end().code == 0)
    for worker in [first, second] {
      #expect(worker.log("redis-lost").isEmpty && worker.log("queue-error").isEmpty, "\(worker.stdout)")
    }
    let audit = try await server.run(["doctor"], as: "smsq-doctor")
    #expect(audit.code == 0, "\(audit)")
  }

  @Test("None can do the work of another, or anything with another queue", arguments: roles)
  func refused(role: String) async throws {
    let server = try await Server()
    let before = try await server.state()
    for (arguments, roles) in Self.commands where arguments != ["doctor"] {
      let isOwn = roles.split(separator: " ").contains { $0 == role }
      // A worker does to its queue much of what producers and operators do.
      if role == "smsq-worker" && arguments[0] != "stats" { continue }
      for queue in isOwn ? ["otp"] : ["sms", "otp"] {
        let result = try await server.run(arguments, as: role, "--queue", queue)
        #expect(result.code == 77, "\(role) \(arguments) \(queue): \(result)")
        #expect(result.note.contains("ACL"), "\(result)")
      }
    }
    if role != "smsq-worker" {
      let worker = try ChildProcess(Smsq.path, ["worker", "--redis", server.url(role), "--drain", "1s"])
      #expect(try await worker.logs("queue-error")["error"]?.contains("ACL") != nil)
      worker.send(SIGTERM)
      _ = try await worker.end()
    }
    #expect(try await server.state() == before)
  }
}
