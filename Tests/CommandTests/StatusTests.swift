import Foundation
import Glibc
import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("smsq status")
struct StatusTests {
  /// What it says of one id, and its exit code.
  private func status(_ id: String, of bench: Bench) async throws -> (json: [String: any Sendable], code: Int32) {
    let result = try await bench.smsq("status", "--json", id)
    return (try result.output.json, result.code)
  }

  @Test("It tells of each place where a message may be")
  func places() async throws {
    let bench = try await Bench()
    _ = try await bench.smsq(["push", "--id", "later", "--in", "1h"] + Bench.message)
    try await bench.push(3)
    try await bench.queue.run(#"LPUSH sms {"to":"+8613800138000","text":"hi","id":"a\/\u0062\u00e4"}"#)

    let waiting = try await status("m1", of: bench)
    #expect(waiting.json["state"] as? String == "waiting" && waiting.json["ahead"] as? Int == 1 && waiting.code == 0)
    #expect(try await status("a/bä", of: bench).json["ahead"] as? Int == 3)
    let scheduled = try await status("later", of: bench)
    #expect(scheduled.json["state"] as? String == "scheduled")
    #expect((scheduled.json["due_at"] as? String)?.isEmpty == false)

    let retrying = try bench.worker(
      "--sim-fail",
      "1",
      "--backoff-base",
      "1h",
      "--backoff-max",
      "1h",
      "--concurrency",
      "1"
    )
    try await retrying.logs("retry")
    retrying.send(SIGTERM)
    _ = try await retrying.end()
    let first = try #require(retrying.log("retry").first?["id"])
    let retry = try await status(first, of: bench)
    #expect(retry.json["state"] as? String == "retry" && retry.json["failures"] as? Int == 1, "\(retry)")

    let slow = try bench.worker("--sim-latency", "60s", "--drain", "0s", "--concurrency", "1")
    try await eventually("one is in hand") { try await bench.counts().claimed == 1 }
    let held = try await eventuallyFound(["m0", "m1", "m2"], "claimed", of: bench)
    #expect(held["worker"] as? String == bench.workerName && held["attempts"] as? Int == 1, "\(held)")
    slow.send(SIGTERM)
    _ = try await slow.end()

    let burying = try bench.worker("--sim-reject", "1")
    try await eventually("all are dead") {
      let counts = try await bench.counts()
      return counts.waiting + counts.claimed == 0
    }
    burying.send(SIGTERM)
    _ = try await burying.end()
    let dead = try await eventuallyFound(["m0", "m1", "m2"], "dead", of: bench)
    #expect((dead["reason"] as? String)?.contains("undeliverable") == true, "\(dead)")
  }

  private func eventuallyFound(
    _ ids: [String],
    _ state: String,
    of bench: Bench
  ) async throws -> [String: any Sendable] {
    for id in ids {
      let json = try await status(id, of: bench).json
      if json["state"] as? String == state { return json }
    }
    throw NeverHappened(description: "none of \(ids) is \(state)")
  }

  @Test("What is done is told while a worker keeps it, by the caller's id and by the one that was assigned")
  func kept() async throws {
    let bench = try await Bench()
    try await bench.push(1)
    try await bench.queue.run(#"LPUSH sms {"to":"+8613800138000","text":"hi"}"#)
    let late = #"{"to":"+8613800138000","text":"hi","id":"late","expires_at":"2020-01-01T00:00:00Z"}"#
    try await bench.queue.run("LPUSH sms \(late)")
    let worker = try bench.worker("--keep", "1h")
    try await bench.eventually(sent: 2)
    try await worker.logs("expired")
    let lines = worker.log("sent")
    worker.send(SIGTERM)
    _ = try await worker.end()
    for line in lines {
      let (json, code) = try await status(try #require(line["id"]), of: bench)
      #expect(json["state"] as? String == "sent" && code == 0)
      #expect(json["provider_id"] as? String == line["provider_id"], "\(json)")
      #expect(json["attempts"] as? Int == 1 && json["parts"] as? Int == 1 && json["sent_at"] is String, "\(json)")
    }
    let expired = try await status("late", of: bench).json
    #expect(expired["state"] as? String == "expired" && expired["expired_at"] is String, "\(expired)")
    #expect(try await bench.violations(plainPushes: 2) == [])
  }

  @Test("Without --keep nothing is kept, and an id that was accepted is told from one that nobody knows")
  func accepted() async throws {
    let bench = try await Bench()
    try await bench.push(1)
    let worker = try bench.worker()
    try await bench.eventually(sent: 1)
    worker.send(SIGTERM)
    _ = try await worker.end()
    #expect(try await bench.queue.dump().values.keys.contains { $0.contains(":done:") } == false)
    let result = try await bench.smsq("status", "--json", "m0")
    #expect(result.code == 0 && result.stderr.contains("--keep"), "\(result)")
    let json = try result.output.json
    #expect(json["state"] as? String == "accepted" && json["accepted_at"] is String, "\(json)")
    let unknown = try await bench.smsq("status", "m0", "nobody")
    #expect(unknown.code == 65 && unknown.stderr.contains("nobody"), "\(unknown)")
    #expect(
      unknown.output.split(separator: "\n").map { $0.split(separator: " ")[1] } == ["state=accepted", "state=unknown"]
    )
  }

  @Test("In a queue of several shards it looks into all, and says which")
  func sharded() async throws {
    let bench = try await Bench()
    let sharding = try await bench.smsq("shards", "3")
    try #require(sharding.code == 0, "\(sharding)")
    try await bench.push(12)
    var shards: Set<String> = []
    for number in 0..<12 {
      let (json, code) = try await status("m\(number)", of: bench)
      #expect(code == 0 && json["state"] as? String == "waiting")
      if let shard = json["shard"] as? String { shards.insert(shard) }
    }
    #expect(shards.count == 3)
    // Not where its hash would have it: a plain push goes anywhere.
    let stray = #"{"to":"+8613800138000","text":"hi","id":"stray"}"#
    for shard in 0..<3 {
      let key = bench.queue.name.shard(shard).description
      try await bench.queue.run("LPUSH \(key) \(stray)")
      let json = try await status("stray", of: bench).json
      #expect(json["shard"] as? String == key)
      try await bench.queue.run("LPOP \(key)")
    }
    #expect(try await status("stray", of: bench).code == 65)
  }

  @Test("One among many thousands is found while workers take from one end and producers push to the other")
  func moving() async throws {
    let bench = try await Bench()
    try await bench.push(20_000, prefix: "n")
    let worker = try bench.worker("--keep", "1h", "--sim-latency", "20ms", "--sim-fail", "0.2", "--concurrency", "50")
    try await worker.logs("sent")
    for _ in 0..<10 {
      try await bench.push(200, prefix: "p\(UInt64.random(in: 0 ... .max))-")
      let id = "n\(Int.random(in: 0..<20_000))"
      let (json, code) = try await status(id, of: bench)
      #expect(code == 0 && json["state"] as? String != "accepted", "\(json)")
    }
    worker.send(SIGTERM)
    _ = try await worker.end()
  }
}
