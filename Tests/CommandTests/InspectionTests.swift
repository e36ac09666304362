import Glibc
import RedisClient
import TestSupport
import Testing

@Suite("smsq stats, peek, pause, resume", .serialized)
struct InspectionTests {
  @Test("stats --json has every count, and what is not known is null and not missing")
  func statsJSON() async throws {
    let bench = try await Bench()
    let empty = try await bench.smsq("stats", "--json")
    #expect(empty.code == 0)
    let names: Set = [
      "queue", "waiting", "scheduled", "claimed", "dead", "paused", "limit", "oldest_seconds", "pushed", "sent",
      "retried",
      "expired", "recovered", "returned", "dead_total", "dead_removed", "lost", "revived",
      "cancelled", "purged", "moved_in", "moved_out",
      "workers",
    ]
    #expect(Set(try empty.output.json.keys) == names)
    #expect(empty.output.contains(#""oldest_seconds":null"#))

    try await bench.push(3)
    try await bench.push(1, prefix: "later", "--in", "10m")
    try await bench.queue.run("ZADD {sms}:dead now+0m something")
    try await bench.queue.run("ZADD {sms}:workers now+5m w@00000000000000aa")
    try await bench.queue.run("HSET {sms}:claimed:w@00000000000000aa 00000000000000aa-0000000000 x")
    let result = try await bench.smsq("stats", "--json")
    let stats = try result.output.json
    let counts = ["waiting": 3, "scheduled": 1, "claimed": 1, "dead": 1, "pushed": 4, "sent": 0, "dead_total": 0]
    for (name, count) in counts { #expect(stats[name] as? Int == count, "\(name)") }
    #expect(result.output.contains(#""paused":false"#))
    #expect((stats["oldest_seconds"] as? Double ?? -1) >= 0)
    #expect(result.output.contains(#""name":"w""#) && result.output.contains(#""life":"w@00000000000000aa""#))
  }

  @Test("stats says the same to people, for every queue named")
  func statsText() async throws {
    let bench = try await Bench()
    try await bench.push(2)
    let result = try await bench.smsq("stats", "--queue", "another-\(bench.queue.name)")
    #expect(result.code == 0)
    let parts = result.output.components(separatedBy: "\n\n")
    try #require(parts.count == 2)
    #expect(parts[0].hasPrefix("queue \(bench.queue.name)\n  waiting    2, the next one for "))
    for word in ["scheduled  0", "claimed    0", "dead       0", "pushed 2, sent 0", "no workers"] {
      #expect(parts[0].contains(word))
    }
    #expect(parts[1].hasPrefix("queue another-"))
  }

  @Test("stats names a worker and what it has in hand")
  func statsWorker() async throws {
    let bench = try await Bench()
    try await bench.push(2)
    let worker = try bench.worker("--sim-latency", "60s", "--drain", "0s")
    try await eventually("both in hand") { try await bench.counts().claimed == 2 }
    let result = try await bench.smsq("stats")
    #expect(result.output.contains("worker     \(bench.workerName) has 2 in hand, lease for "))
    worker.send(SIGTERM)
    _ = try await worker.end()
    #expect(try await bench.smsq("stats").output.contains("no workers"))
  }

  @Test("peek shows the next in line, masked, and takes nothing")
  func peek() async throws {
    let bench = try await Bench()
    try await bench.push(5, text: "a secret")
    try await bench.queue.run("RPUSH sms garbage")
    let result = try await bench.smsq("peek", "-n", "3")
    #expect(result.code == 0)
    let lines = result.output.split(separator: "\n")
    try #require(lines.count == 3)
    #expect(lines[0].contains("unreadable"))
    #expect(lines[1].hasPrefix("2 id=m0 to=+86138****8000 segments=1 "))
    #expect(lines[2].hasPrefix("3 id=m1 "))
    #expect(!result.output.contains("secret"))
    #expect(try await bench.counts().waiting == 6)

    let shown = try await bench.smsq("peek", "--show-numbers")
    #expect(shown.output.contains("to=\(Bench.to) "))
    let json = try await bench.smsq("peek", "--json")
    let objects = try json.output.split(separator: "\n").map { try String($0).json }
    #expect(objects.map { $0["position"] as? Int } == [1, 2, 3, 4, 5, 6])
    #expect(objects[0]["payload"] as? String == "garbage")
    #expect(try (objects[1]["payload"] as? String)?.json["text"] as? String == "a secret")
  }

  @Test("peek writes nothing that a terminal would obey, and bytes that are no text as base64")
  func peekPrintable() async throws {
    let bench = try await Bench()
    try await bench.queue.run(#"LPUSH sms {"to":"\#(Bench.to)","text":"x","id":"a\u202eb"}"#)
    var push = RedisCommand("LPUSH", bench.queue.name.description)
    push.append([0xFF, 0x1B])
    _ = try await bench.queue.redis.run(push)
    let lines = try await bench.smsq("peek").output.split(separator: "\n")
    #expect(lines.first?.hasPrefix(#"1 id=a\u202eb "#) == true, "\(lines)")
    let objects = try await bench.smsq("peek", "--json").output.split(separator: "\n").map { try String($0).json }
    #expect(objects.map { $0["payload_base64"] as? String } == [nil, "/xs="])
    #expect(objects.map { $0["payload"] is String } == [true, false])
  }

  @Test("peek at an empty queue says so beside the output, not in it")
  func peekEmpty() async throws {
    let bench = try await Bench()
    let text = try await bench.smsq("peek")
    #expect(text.code == 0 && text.stdout == "" && text.note == "smsq: queue \(bench.queue.name) is empty")
    let json = try await bench.smsq("peek", "--json")
    #expect(json.code == 0 && json.stdout == "" && json.stderr == "")
  }

  @Test("A paused queue takes messages and gives none, until it is resumed")
  func pause() async throws {
    let bench = try await Bench()
    let worker = try bench.worker("--lease", "1s")
    try await worker.logs("started")
    #expect(try await bench.smsq("pause").code == 0)
    #expect(try await bench.smsq("stats").output.hasPrefix("queue \(bench.queue.name) (paused)"))
    // One that was claimed just before is not meant here.
    try await bench.push(2)
    try await bench.eventuallyRenewed(times: 3)
    #expect(try await bench.counts().waiting == 2)
    #expect(worker.log("sent").isEmpty)

    let resumed = try await bench.smsq("resume")
    #expect(resumed.code == 0 && resumed.output == "queue \(bench.queue.name) goes on")
    try await bench.eventually(sent: 2)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
  }
}

extension Bench {
  /// Waits until the worker has renewed its lease so often: a sign that it runs, and has had the time to do something.
  func eventuallyRenewed(times: Int) async throws {
    try await queue.renewed(times: times)
  }
}
