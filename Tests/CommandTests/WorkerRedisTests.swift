import Glibc
import RedisClient
import TestSupport
import Testing

@Suite("smsq worker, when Redis goes and comes", .serialized)
struct WorkerRedisTests {
  @Test("Redis is down at the start: the worker waits, and says once that it is lost and once that it is back")
  func downAtStart() async throws {
    let server = try await RedisServer()
    let bench = try await Bench(on: server)
    try await server.stop()
    let worker = try bench.worker()
    let lost = try await worker.logs("redis-lost")
    #expect(lost["error"]?.contains(server.url) == true)
    try await server.restart()
    await bench.queue.redis.close()
    let back = try await worker.logs("redis-back")
    #expect(back["after"]?.hasSuffix("s") == true)
    try await bench.push(3)
    try await bench.eventually(sent: 3)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log("redis-lost").count == 1 && worker.log("redis-back").count == 1)
  }

  @Test("Redis restarts in the middle of the work, several times: nothing is lost, nothing is sent twice")
  func restart() async throws {
    let server = try await RedisServer(appendOnly: true)
    let bench = try await Bench(on: server)
    try await bench.push(400)
    let worker = try bench.worker("--sim-latency", "10ms..60ms", "--concurrency", "10")
    for count in [50, 150, 250] {
      try await bench.eventually(sent: count)
      try await server.restart()
      // The test's own connection is gone, too.
      await bench.queue.redis.close()
    }
    try await bench.eventually(sent: 400)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(try await bench.violations().isEmpty)
    #expect(worker.log("redis-lost").count == worker.log("redis-back").count)
    #expect(Set(worker.log("sent").map { $0["id"] }).count == 400)
    #expect(worker.log("sent").count == 400)
    #expect(try await bench.sent() == 400)
  }

  @Test("Redis hangs for a while: the worker waits, and what was in hand is settled afterwards")
  func hangs() async throws {
    let server = try await RedisServer()
    let bench = try await Bench(on: server)
    try await bench.push(5)
    let worker = try bench.worker("--sim-latency", "500ms", "--lease", "2s")
    try await eventually("in hand") { try await bench.counts().claimed == 5 }
    server.kill(SIGSTOP)
    try await worker.logs("redis-lost")
    server.kill(SIGCONT)
    try await worker.logs("redis-back")
    try await eventually("settled") { try await bench.sent() == 5 }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(try await bench.violations().isEmpty)
  }

  @Test("A full Redis is drained")
  func full() async throws {
    let server = try await RedisServer()
    let bench = try await Bench(on: server)
    try await bench.push(50)
    for setting in [("maxmemory-policy", "noeviction"), ("maxmemory", "1")] {
      _ = try await bench.queue.redis.run(RedisCommand("CONFIG", "SET", setting.0, setting.1))
    }
    #expect(try await bench.smsq(["push"] + Bench.message).code == 75)
    let worker = try bench.worker("--sim-latency", "20ms")
    try await bench.eventually(sent: 50)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(try await bench.violations().isEmpty)
  }

  @Test("A queue's key of the wrong type is said once, does not end the worker, and does not touch its other queue")
  func wrongType() async throws {
    let bench = try await Bench()
    let other = try await Bench()
    try await bench.queue.run("SET sms something")
    let worker = try bench.worker("--queue", "\(other.queue.name)")
    let error = try await worker.logs("queue-error")
    #expect(error["queue"] == "\(bench.queue.name)" && error["error"]?.contains("WRONGTYPE") == true)
    try await other.push(3)
    try await other.eventually(sent: 3)
    try await bench.queue.run("DEL sms")
    try await worker.logs("queue-back")
    try await bench.push(3)
    try await bench.eventually(sent: 3)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log("queue-error").count == 1)
  }

  @Test("A wrong password is said and tried again, and does not end the worker")
  func wrongPassword() async throws {
    let server = try await RedisServer(password: "s3cret")
    let bench = try await Bench(on: server)
    let url = "unix://:wrong@\(server.endpoint.path)"
    let worker = try ChildProcess(
      Smsq.path,
      ["worker", "--queue", "\(bench.queue.name)"],
      environment: ["SMSQ_REDIS": url]
    )
    let lost = try await worker.logs("redis-lost")
    #expect(lost["error"]?.contains("WRONGPASS") == true || lost["error"]?.contains("password") == true)
    _ = try await bench.queue.redis.run(RedisCommand("CONFIG", "SET", "requirepass", "wrong"))
    try await worker.logs("redis-back")
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(!worker.stdout.contains("wrong@"))
  }

  @Test("A plain LPUSH is found at once; where Redis has no BLMOVE for us, if it rings, or when the wait is over")
  func plainPush() async throws {
    let server = try await RedisServer(tcp: false)
    let bench = try await Bench(on: server)
    let payload = #"{"to":"+8613800138000","text":"hi"}"#
    // No renewal ends its wait, either.
    let patient = try bench.worker("--wake-timeout", "60s", "--lease", "10m")
    for number in 1...3 {
      try await eventually("it waits") { try await isWaiting(bench) }
      try await bench.queue.run("LPUSH sms \(payload)")
      try await bench.eventually(sent: number)
    }
    // smsq push finds it as well.
    try await eventually("it waits") { try await isWaiting(bench) }
    _ = try await bench.smsq(["push"] + Bench.message)
    try await bench.eventually(sent: 4)
    patient.send(SIGTERM)
    #expect(try await patient.end().code == 0)

    try await bench.queue.run("ACL SETUSER default -blmove")
    let deaf = try bench.worker("--wake-timeout", "60s", "--lease", "10m")
    try await eventually("it waits") { try await isWaiting(bench) }
    try await bench.queue.run("LPUSH sms \(payload)")
    try await bench.queue.run("LPUSH {sms}:wake 1")
    try await bench.eventually(sent: 5)
    try await eventually("it waits") { try await isWaiting(bench) }
    _ = try await bench.smsq(["push"] + Bench.message)
    try await bench.eventually(sent: 6)
    deaf.send(SIGTERM)
    #expect(try await deaf.end().code == 0)

    let eager = try bench.worker("--wake-timeout", "250ms")
    try await eager.logs("started")
    try await bench.queue.run("LPUSH sms \(payload)")
    try await bench.eventually(sent: 7)
    eager.send(SIGTERM)
    #expect(try await eager.end().code == 0)
    #expect(try await bench.violations(plainPushes: 5).isEmpty)
  }

  /// Whether a worker of this queue waits at its bell.
  private func isWaiting(_ bench: Bench) async throws -> Bool {
    let clients = try await bench.queue.redis.run(RedisCommand("CLIENT", "LIST")).string ?? ""
    return clients.split(separator: "\n").contains {
      $0.contains("name=smsq-wait-\(bench.queue.name) ") && $0.contains("cmd=blpop ") && $0.contains(" flags=b")
    }
  }
}
