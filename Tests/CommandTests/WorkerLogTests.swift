import Glibc
import RedisClient
import TestSupport
import Testing

@Suite("smsq worker's log", .serialized)
struct WorkerLogTests {
  /// Messages with all that a log must not show or must quote.
  private func run(_ bench: Bench, _ arguments: [String]) async throws -> ChildProcess {
    let input = [
      #"{"to":"+447700900123","text":"top secret","id":"plain"}"#,
      #"{"to":"+447700900123","text":"top secret 验证码","id":"with \"quotes\" = and 空格\\"}"#,
      #"{"to":"+15005550002","text":"top secret","id":"unroutable"}"#,
      #"{"to":"+447700900123","text":"top secret","id":"expired","expires_at":"2020-01-01T00:00:00Z"}"#,
      #"{"to":"+447700900123","text":"top secret","from":"+15005550008","id":"queue-full"}"#,
    ]
    let push = try await bench.smsq("push", "--file", "-", input: input.joined(separator: "\n"))
    #expect(push.code == 0)
    try await bench.queue.run(#"LPUSH sms {"to":"+8613800138000","text":"top"#)
    try await bench.queue.run(#"LPUSH sms {"to":"07700900123","text":"top_secret"}"#)
    let worker = try ChildProcess(
      Smsq.path,
      ["worker", "--redis", bench.server.url, "--queue", "\(bench.queue.name)", "--backoff-base", "10m"] + arguments
    )
    try await eventually("all done") {
      let counts = try await bench.counts()
      return counts.waiting + counts.claimed == 0 && counts.counters["sent"] == 2
    }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    return worker
  }

  /// The tests' Redis keeps no file, which a worker warns of.
  private let events = [
    "dead", "dead", "dead", "draining", "expired", "gateway-throttled", "redis-unsafe", "sent", "sent", "started",
    "stopped",
  ]

  /// The events but for `retry`: a message that is throttled may be tried several times before the others are done.
  private func eventsBesidesRetry(of worker: ChildProcess) -> [String] {
    #expect(!worker.log("retry").isEmpty)
    return worker.log.map(\.event).filter { $0 != "retry" }.sorted()
  }

  @Test("Each line is one event that logfmt can read, with a time, a level, and no secrets")
  func text() async throws {
    let bench = try await Bench()
    let worker = try await run(bench, [])
    let log = worker.log
    #expect(log.count == worker.lines.count, "\(worker.stdout)")
    #expect(worker.stdout.hasSuffix("\n"))
    #expect(eventsBesidesRetry(of: worker) == events)
    for line in log {
      #expect(line.time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
      #expect(["info", "notice", "warning", "error"].contains(line.level))
    }
    #expect(log.map(\.time) == log.map(\.time).sorted())
    let exposed = worker.lines.filter { $0.contains("secret") || $0.contains("7700900123") }
    #expect(exposed.isEmpty)
    let sent = worker.log("sent")
    #expect(Set(sent.map { $0["id"] }) == ["plain", #"with "quotes" = and 空格\"#])
    for line in sent {
      #expect(line["to"] == "+4477****0123" && line["queue"] == "\(bench.queue.name)" && line["attempt"] == "1")
      #expect(line["segments"] == "1" && line["gateway"] == "simulator" && line["provider_id"]?.hasPrefix("SM") == true)
    }
    #expect(worker.log("dead").contains { $0["id"] == "unroutable" && $0["code"] == "21612" })
    let started = worker.log("started")[0]
    #expect(started["pid"] == "\(worker.pid)" && started["redis"] == bench.server.url)
  }

  @Test("--log-format json: each line is one object, with numbers where numbers are")
  func json() async throws {
    let bench = try await Bench()
    let worker = try await run(bench, ["--log-format", "json"])
    let objects = try worker.lines.map { try $0.json }
    #expect(objects.compactMap { $0["event"] as? String }.filter { $0 != "retry" }.sorted() == events)
    #expect(objects.allSatisfy { $0["time"] is String && $0["level"] is String })
    let sent = objects.filter { $0["event"] as? String == "sent" }
    #expect(sent.allSatisfy { $0["segments"] as? Int == 1 && $0["attempt"] as? Int == 1 && $0["ms"] is Int })
    #expect(Set(sent.map { $0["id"] as? String }) == ["plain", #"with "quotes" = and 空格\"#])
    #expect(objects.first?["pid"] as? Int == Int(worker.pid))
    let exposed = worker.lines.filter { $0.contains("secret") || $0.contains("7700900123") }
    #expect(exposed.isEmpty)
  }

  @Test("--show-numbers shows numbers, and never a text")
  func showNumbers() async throws {
    let bench = try await Bench()
    let worker = try await run(bench, ["--show-numbers"])
    #expect(worker.log("sent").allSatisfy { $0["to"] == "+447700900123" })
    #expect(!worker.stdout.contains("secret"))
  }

  @Test("--log-level warning leaves out what went well")
  func level() async throws {
    let bench = try await Bench()
    let worker = try await run(bench, ["--log-level", "warning"])
    #expect(worker.log.map(\.event).sorted() == ["dead", "dead", "dead", "redis-unsafe"])
  }

  @Test("A reader that stalls does not stall the sending, and is told how many lines it has missed")
  func stalledReader() async throws {
    let bench = try await Bench()
    let count = 12_000
    // Long ids make long lines: the buffer of 4 MiB is soon full.
    try await bench.push(count, prefix: String(repeating: "信", count: 120), "--id-lifetime", "0s")
    let worker = try bench.worker("--concurrency", "500", readsOutput: false)
    try await bench.eventually(sent: count, within: .seconds(60))
    #expect(worker.stdout == "")
    worker.readOutput()
    let dropped = try await worker.logs("log-dropped")
    #expect(dropped["hint"] != nil && dropped.level == "warning")
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log.count == worker.lines.count)
    // No line is missing that is not counted: one a message, started, draining, stopped.
    let missing = worker.log("log-dropped").compactMap { $0["lines"].flatMap { Int($0) } }.reduce(0, +)
    #expect(missing > 0)
    #expect(worker.log.count - worker.log("log-dropped").count + missing == count + 4)
    #expect(try await bench.violations().isEmpty)
  }

  @Test("A reader that stalls loses no dead letter: those over the bound stay until their lines are written")
  func stalledReaderOfLetters() async throws {
    let bench = try await Bench()
    let count = 3_000
    let letters = (0..<count).map { #"{"to":"+15005550002","text":"hello","id":"m\#($0)"}"# }
    let worker = try bench.worker("--dead-max", "10", "--lease", "1s", readsOutput: false)
    let push = try await bench.smsq("push", "--file", "-", input: letters.joined(separator: "\n"))
    #expect(push.code == 0)
    try await eventually("all are dead") { try await bench.counts().counters["dead_total"] == count }
    // It tries again after two leases, which are six renewals. The pipe holds 64 KiB, some hundreds of lines.
    try await bench.eventuallyRenewed(times: 10)
    #expect(try await bench.counts().dead > count / 2)
    worker.readOutput()
    try await eventually("they fall off") { try await bench.counts().dead == 10 }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(Set(worker.log("dead-dropped").map { $0["id"] }).count == count - 10)
    #expect(worker.log("log-dropped").isEmpty)
    #expect(try await bench.violations().isEmpty)
  }

  @Test("Letters that fall off are logged whole however long they are, and so is what comes after them")
  func longLetters() async throws {
    let bench = try await Bench()
    // The buffer holds 4 MiB: the first is longer than that, all of them together several times as long.
    let letters = [5 << 20] + Array(repeating: 1_100_000, count: 8)
    for (number, length) in letters.enumerated() {
      var push = RedisCommand("LPUSH", bench.queue.name.description)
      push.append("\(number)" + String(repeating: "x", count: length))
      _ = try await bench.queue.redis.run(push)
    }
    let worker = try bench.worker("--concurrency", "1")
    try await eventually("all are dead") { try await bench.counts().dead == letters.count }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)

    let undertaker = try bench.worker("--dead-max", "1")
    try await eventually("they fall off") { try await bench.counts().dead == 1 }
    try await bench.push(3)
    try await bench.eventually(sent: 3)
    undertaker.send(SIGTERM)
    #expect(try await undertaker.end().code == 0)
    #expect(undertaker.log("dead-dropped").map { $0["payload"]!.count } == letters.dropLast().map { $0 + 1 })
    #expect(undertaker.log("sent").count == 3 && undertaker.log("log-dropped").isEmpty)
    #expect(try await bench.violations(plainPushes: letters.count) == [])
  }

  @Test("A reader that is gone does not end the worker")
  func noReader() async throws {
    let bench = try await Bench()
    let worker = try ChildProcess(
      "sh",
      [
        "-c", #"exec "$0" worker --redis "$1" --queue "$2" --name "$3" >&-"#, Smsq.path, bench.server.url,
        "\(bench.queue.name)", bench.workerName,
      ]
    )
    try await bench.push(20)
    try await bench.eventually(sent: 20)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
  }
}
