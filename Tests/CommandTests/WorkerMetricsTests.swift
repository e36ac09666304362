import Foundation
import TestSupport
import Testing

@Suite("smsq worker --metrics")
struct WorkerMetricsTests {
  /// The value of one sample; nil where there is none.
  private func value(_ sample: String, at port: Int) async throws -> Double? {
    let (status, body) = try await RawClient.get("/metrics", port: port)
    #expect(status == 200)
    return body.split(separator: "\n").first { $0.hasPrefix(sample + " ") }
      .flatMap { Double($0.dropFirst(sample.count + 1)) }
  }

  @Test("What became of messages is counted by queue and outcome, with the gateway's codes and times")
  func counts() async throws {
    let bench = try await Bench()
    let port = try FreePort.take()
    try await bench.push(5)
    // Twilio's magic numbers, as the simulator has them: never, and not now.
    try await bench.queue.run(#"LPUSH sms {"to":"+15005550002","text":"hi","id":"never"}"#)
    try await bench.queue.run(#"LPUSH sms {"to":"+8613800138000","from":"+15005550008","text":"hi","id":"later"}"#)
    try await bench.queue.run("LPUSH sms nonsense")
    let worker = try bench.worker("--metrics", "127.0.0.1:\(port)", "--sim-latency", "2ms")
    try await bench.eventually(sent: 5)
    let queue = #"queue="\#(bench.queue.name)""#
    try await eventually("all were handled") {
      let dead = try await value("smsq_messages_handled_total{\(queue),outcome=\"permanent\"}", at: port)
      let throttled = try await value("smsq_messages_handled_total{\(queue),outcome=\"throttled\"}", at: port)
      return dead == 1 && throttled.map { $0 >= 1 } == true
    }
    #expect(try await value("smsq_messages_handled_total{\(queue),outcome=\"sent\"}", at: port) == 5)
    #expect(try await value("smsq_messages_handled_total{\(queue),outcome=\"invalid\"}", at: port) == 1)
    let (_, body) = try await RawClient.get("/metrics", port: port)
    let claimed = try #require(try await value("smsq_messages_claimed_total{\(queue)}", at: port))
    #expect(claimed >= 8)
    #expect(try await value("smsq_redis_up{\(queue)}", at: port) == 1)
    #expect(try await value("smsq_gateway_duration_seconds_bucket{gateway=\"simulator\",le=\"0.001\"}", at: port) == 0)
    #expect(body.contains(#"smsq_gateway_failures_total{gateway="simulator",outcome="permanent",code="21612"} 1"#))
    #expect(body.contains(#"smsq_gateway_failures_total{gateway="simulator",outcome="throttled",code="21611"}"#))
    #expect(try await value("smsq_gateway_throttled{gateway=\"simulator\"}", at: port) == 1)
    #expect(try await value("smsq_gateway_up{gateway=\"simulator\"}", at: port) == 1)
    try await eventually("nothing is in hand") {
      try await value("smsq_messages_in_hand{\(queue)}", at: port) == 0
    }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
  }

  @Test(
    "Prometheus' own tool finds nothing to say",
    .enabled(if: Promtool.isInstalled, "promtool is in the package prometheus")
  )
  func promtool() async throws {
    let bench = try await Bench()
    let port = try FreePort.take()
    try await bench.queue.run(#"LPUSH sms {"to":"+15005550002","text":"hi","id":"never"}"#)
    try await bench.push(5)
    let worker = try bench.worker("--metrics", "127.0.0.1:\(port)")
    try await bench.eventually(sent: 5)
    let (_, body) = try await RawClient.get("/metrics", port: port)
    // It is content with nothing at all.
    #expect(body.contains("smsq_messages_handled_total"))
    let result = try await ChildProcess("promtool", ["check", "metrics"], input: .bytes(Array(body.utf8))).end()
    #expect(result.code == 0 && result.stdout.isEmpty && result.stderr.isEmpty, "\(result)")
    // The rules that we give away name metrics that there are.
    let rules = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../docs/examples/alerts.yml")
      .standardizedFileURL
    let checked = try await ChildProcess("promtool", ["check", "rules", rules.path]).end()
    #expect(checked.code == 0, "\(checked)")
    let text = try String(contentsOf: rules, encoding: .utf8)
    let names = text.matches(of: /smsq_[a-z_]+/).map { String($0.output) }
    #expect(names.count > 5)
    for name in names { #expect(body.contains("# TYPE \(name) "), "\(name)") }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
  }

  @Test("/healthz is doctor's rule; /readyz says what keeps the worker from taking messages")
  func health() async throws {
    let server = try await RedisServer()
    let bench = try await Bench(on: server)
    let port = try FreePort.take()
    let worker = try bench.worker(
      "--metrics",
      "127.0.0.1:\(port)",
      "--lease",
      "1s",
      "--drain",
      "60s",
      "--sim-latency",
      "60s"
    )
    try await eventually("it is ready") { (try? await RawClient.get("/readyz", port: port).status) == 200 }
    try await eventually("it is healthy") { try await RawClient.get("/healthz", port: port).status == 200 }
    try await server.stop()
    try await eventually("it is not ready") {
      let (status, body) = try await RawClient.get("/readyz", port: port)
      return status == 503 && body == "queue \(bench.queue.name): Redis is not there\n"
    }
    // An outage of a moment is none of the worker's faults.
    #expect(try await RawClient.get("/healthz", port: port).status == 200)
    try await server.restart()
    try await eventually("it is ready again") { try await RawClient.get("/readyz", port: port).status == 200 }
    let queue = #"queue="\#(bench.queue.name)""#
    #expect(try await value("smsq_redis_outages_total{\(queue)}", at: port) == 1)
    #expect(try await RawClient.get("/", port: port).body.contains("/metrics"))
    #expect(try await RawClient.get("/none", port: port).status == 404)
    try await bench.push(1)
    try await eventually("one is in hand") { try await value("smsq_messages_in_hand{\(queue)}", at: port) == 1 }
    worker.send(SIGTERM)
    try await eventually("it is stopping") {
      let (status, body) = try await RawClient.get("/readyz", port: port)
      return status == 503 && body.contains("the worker is stopping")
    }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 75)
  }

  @Test("An address that cannot be used is a wrong configuration, with what to do; nothing was claimed")
  func addresses() async throws {
    let bench = try await Bench()
    let port = try FreePort.take()
    let worker = try bench.worker("--metrics", "127.0.0.1:\(port)")
    try await worker.logs("started")
    try await eventually("it serves") { (try? await RawClient.get("/", port: port).status) == 200 }
    let second = try await bench.worker("--name", "second", "--metrics", "127.0.0.1:\(port)").end()
    #expect(
      second.code == 78 && second.note.contains("--metrics 127.0.0.1:\(port): Address already in use"),
      "\(second)"
    )
    for (text, code) in [("nowhere", 64), (":9464", 64), ("192.0.2.1:9464", 78), ("unix:/no/such/folder/x", 78)] {
      let result = try await bench.worker("--name", "third", "--metrics", text).end()
      #expect(Int(result.code) == code && result.note.contains(text), "\(result)")
    }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
  }
}

private enum Promtool {
  static let isInstalled = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
    FileManager.default.isExecutableFile(atPath: "\($0)/promtool")
  }
}
