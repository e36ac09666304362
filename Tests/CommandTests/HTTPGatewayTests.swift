import Foundation
import TestSupport
import Testing

@Suite("--gateway https:// and twilio", .serialized)
struct HTTPGatewayTests {
  private static let twilio = ["TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "token"]

  @Test(
    "What a server answers is what smsq send exits with",
    arguments: [
      ("/200", 0, ""), ("/400", 65, "not sent: Said (400); it will not work later either"),
      ("/404", 75, "not sent: Said (404); it may work later"), ("/429", 75, "slow down"),
      ("/500", 75, "it may work later"),
      ("/301?Location=https://b.example/", 75, "redirects to https://b.example/"),
      ("/close", 75, "may have been sent or not"),
      ("/refused", 75, ""),
    ]
  )
  func send(path: String, code: Int, note: String) async throws {
    let server = try await HTTPTestServer()
    let result = try await Smsq.run(["send", "--gateway", server.url(path)] + Bench.message)
    #expect(Int(result.code) == code, "\(result)")
    #expect(note.isEmpty || result.note.contains(note), "\(result)")
  }

  @Test("A server that is not there was not sent to: 75")
  func unreachable() async throws {
    let port = try FreePort.take()
    let result = try await Smsq.run(["send", "--gateway", "http://127.0.0.1:\(port)/"] + Bench.message)
    #expect(result.code == 75)
    #expect(result.note.contains("not sent: ") && result.note.contains("(gateway_down)"), "\(result)")
  }

  @Test("A worker posts each message once, with what smsq does not know of it, and logs the server by its host")
  func worker() async throws {
    let server = try await HTTPTestServer()
    let bench = try await Bench()
    try await bench.push(50)
    try await bench.queue.run(#"LPUSH sms {"to":"+8613800138000","text":"hi","id":"extra","sign":"x","user_id":7}"#)
    let url = server.url("/200?token=hunter2&delay=10")
    let worker = try bench.worker("--gateway", url, "--concurrency", "20")
    try await bench.eventually(sent: 51)
    worker.send(SIGTERM)
    let result = try await worker.end()
    #expect(result.code == 0)
    #expect(worker.log("sent").allSatisfy { $0["gateway"] == "127.0.0.1:\(server.port)" })
    #expect(!result.stdout.contains("hunter2"))
    let ids = try await server.requests(51).compactMap { $0.headers["idempotency-key"] }
    #expect(ids.sorted() == ((0..<50).map { "m\($0)" } + ["extra"]).sorted())
    #expect(server.requests.contains { $0.body.hasSuffix(#""encoding":"gsm7","sign":"x","user_id":7}"#) })
    #expect(try await bench.violations(plainPushes: 1).isEmpty)
  }

  @Test("Killed with requests in flight, what it had in hand and no more is sent again")
  func killed() async throws {
    let server = try await HTTPTestServer()
    let bench = try await Bench()
    try await bench.push(100)
    let arguments = ["--gateway", server.url("/200?delay=200"), "--concurrency", "20", "--lease", "1s"]
    let first = try worker(bench, "first", arguments)
    try await eventually("some are in flight") { server.requests.count >= 40 }
    first.send(SIGKILL)
    _ = try await first.end()
    let second = try worker(bench, "second", arguments)
    try await bench.eventually(sent: 100)
    second.send(SIGTERM)
    #expect(try await second.end().code == 0)
    let ids = try await server.requests(100).compactMap { $0.headers["idempotency-key"] }
    #expect(Set(ids).count == 100)
    #expect(ids.count - 100 <= 20)
    #expect(try await bench.violations().isEmpty)
  }

  private func worker(
    _ bench: Bench,
    _ name: String,
    _ arguments: [String],
    environment: [String: String] = [:]
  ) throws -> ChildProcess {
    try ChildProcess(
      Smsq.path,
      ["worker", "--redis", bench.server.url, "--queue", bench.queue.name.description, "--name", name] + arguments,
      environment: environment
    )
  }

  @Test("Stopped with requests in flight, it waits for their answers")
  func stopped() async throws {
    let server = try await HTTPTestServer()
    let bench = try await Bench()
    try await bench.push(10)
    let worker = try bench.worker("--gateway", server.url("/200?delay=500"))
    try await eventually("all are in flight") { server.requests.count == 10 }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(try await bench.sent() == 10)
  }

  @Test("Stopped with requests that nobody answers, it gives them back when the drain time is over")
  func stoppedInVain() async throws {
    let server = try await HTTPTestServer()
    let bench = try await Bench()
    try await bench.push(10)
    let worker = try bench.worker("--gateway", server.url("/silence"), "--drain", "500ms")
    try await eventually("all are in flight") { server.requests.count == 10 }
    worker.send(SIGTERM)
    _ = try await worker.end()
    #expect(try await bench.sent() == 0)
    #expect(try await bench.dead().isEmpty)
    #expect(try await bench.violations().isEmpty)
  }

  @Test("A login that is refused makes no dead letters: the gateway is lost")
  func refusedLogin() async throws {
    let server = try await HTTPTestServer()
    let bench = try await Bench()
    try await bench.push(30)
    let lost = try bench.worker("--gateway", server.url("/401"))
    let line = try await lost.logs("gateway-lost")
    #expect(line["reason"] == "401: Said")
    lost.send(SIGTERM)
    _ = try await lost.end()
    #expect(try await bench.dead().isEmpty)
  }

  @Test("A proxy is the one that curl's variables name")
  func proxy() async throws {
    let authority = try await TestAuthority.shared()
    let proxy = try await HTTPTestServer()
    let server = try await HTTPTestServer(authority.issue())
    let plain = try await HTTPTestServer()
    let overTLS = try await Smsq.run(
      ["send", "--gateway", server.url("/200", host: "localhost"), "--gateway-ca", authority.caFile] + Bench.message,
      environment: ["https_proxy": proxy.url("")]
    )
    #expect(overTLS.code == 0, "\(overTLS)")
    #expect(try await server.requests(1).count == 1)
    #expect(proxy.requests.map(\.method) == ["CONNECT"])

    let byProxy = try await Smsq.run(
      ["send", "--gateway", plain.url("/200")] + Bench.message,
      environment: ["http_proxy": proxy.url("")]
    )
    #expect(byProxy.code == 0, "\(byProxy)")
    #expect(plain.requests.isEmpty)
    #expect(try await proxy.requests(2).last?.path == plain.url("/200"))

    let direct = try await Smsq.run(
      ["send", "--gateway", plain.url("/200")] + Bench.message,
      environment: ["http_proxy": proxy.url(""), "no_proxy": "127.0.0.1"]
    )
    #expect(direct.code == 0)
    #expect(try await plain.requests(1).count == 1)

    let gone = try FreePort.take()
    let without = try await Smsq.run(
      ["send", "--gateway", plain.url("/200")] + Bench.message,
      environment: ["http_proxy": "http://127.0.0.1:\(gone)"]
    )
    #expect(without.code == 75)
    #expect(without.note.contains("gateway_down"))
  }

  @Test("A secret comes from a file or a variable, and is nowhere to be seen")
  func secret() async throws {
    let server = try await HTTPTestServer()
    let file = try TemporaryFile("whsec_SmVmZQ==\n", extension: "secret")
    for (arguments, environment) in [
      (["--gateway-secret-file", file.path], [:]), ([], ["SMSQ_GATEWAY_SECRET": "Jefe"]),
      (["--gateway-secret", "Jefe"], [:]),
    ] {
      let result = try await Smsq.run(
        ["send", "--gateway", server.url("/200")] + arguments + Bench.message,
        environment: environment
      )
      #expect(result.code == 0, "\(result)")
    }
    let signatures = try await server.requests(3).compactMap { $0.headers["webhook-signature"] }
    #expect(signatures.count == 3)
    #expect(signatures.allSatisfy { $0.hasPrefix("v1,") && $0.utf8.count == 47 })
  }

  @Test("What is missing or cannot be used is said at the start: 78")
  func configuration() async throws {
    let folder = NSTemporaryDirectory() + "/smsq-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try "".write(toFile: folder + "/libcurl.so.4", atomically: false, encoding: .utf8)
    let empty = try TemporaryFile("\n", extension: "secret")
    let url = ["--gateway", "https://127.0.0.1:1/"]
    let cases: [([String], [String: String], String)] = [
      (["--gateway", "http://127.0.0.1:1/"], ["LD_LIBRARY_PATH": folder], "libcurl4"),
      (url + ["--gateway-ca", "/no/such/file"], [:], "/no/such/file"),
      (url + ["--gateway-secret-file", "/no/such/file"], [:], "/no/such/file"),
      (url + ["--gateway-secret-file", empty.path], [:], "is empty"),
      (url, ["SMSQ_GATEWAY_SECRET": "whsec_hunter2"], "no Base64"),
      (url, ["SSL_CERT_FILE": "/no/such/bundle"], "/no/such/bundle"),
      (["--gateway", "twilio"], [:], "TWILIO_ACCOUNT_SID is not set"),
      (["--gateway", "twilio"], ["TWILIO_ACCOUNT_SID": "AC1"], "TWILIO_AUTH_TOKEN is not set"),
      (["--gateway", "twilio"], ["TWILIO_ACCOUNT_SID": "SK1", "TWILIO_AUTH_TOKEN": "hunter2"], "TWILIO_API_KEY"),
      (
        ["--gateway", "twilio"], ["TWILIO_ACCOUNT_SID": "AC1/../x", "TWILIO_AUTH_TOKEN": "hunter2"], "no account's SID"
      ),
      (["--gateway", "twilio"], ["TWILIO_ACCOUNT_SID": "AC1", "TWILIO_API_KEY": "SK1"], "TWILIO_API_SECRET"),
    ]
    for (arguments, environment, note) in cases {
      let result = try await Smsq.run(["send"] + arguments + Bench.message, environment: environment)
      #expect(result.code == 78, "\(result)")
      #expect(result.note.contains(note), "\(result)")
      #expect(!result.note.contains("hunter2"))
    }
  }

  @Test("Twilio's answer is the message's, as its account and its sender")
  func twilio() async throws {
    let server = try await HTTPTestServer()
    let service = "MG0123456789abcdef0123456789abcdef"
    let result = try await Smsq.run(
      ["send", "--gateway", "twilio", "--gateway-url", server.url("")] + Bench.message,
      environment: Self.twilio.merging(["TWILIO_MESSAGING_SERVICE_SID": service]) { $1 }
    )
    #expect(result.code == 0, "\(result)")
    let request = try #require(try await server.requests(1).first)
    #expect(request.headers["authorization"] == "Basic QUMxOnRva2Vu")
    #expect(request.body == "To=%2B8613800138000&Body=hello%20there&MessagingServiceSid=\(service)")
  }

  @Test("Its memory does not grow with the messages that it has posted")
  func memory() async throws {
    let bench = try await Bench()
    let server = try await HTTPTestServer(isQuiet: true)
    try await bench.push(2_000, prefix: "warm")
    let worker = try bench.worker(name: nil, "--gateway", server.url("/200"), "--log-level", "warning")
    try await bench.eventually(sent: 2_000)
    let before = try worker.peakMemory
    try await bench.push(10_000)
    try await bench.eventually(sent: 12_000, within: .seconds(120))
    let after = try worker.peakMemory
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    // In KiB: half a kilobyte of each message would be more.
    #expect(after - before < 5_000)
  }

  @Test("Who does not use it pays nothing: libcurl is not even loaded")
  func unused() async throws {
    let server = try await HTTPTestServer()
    let bench = try await Bench()
    try await bench.push(1)
    func usage(_ worker: ChildProcess) throws -> (libcurl: Bool, thread: Bool) {
      // A file of /proc is longer than it says.
      let file = try #require(FileHandle(forReadingAtPath: "/proc/\(worker.pid)/maps"))
      let maps = String(decoding: file.readDataToEndOfFile(), as: UTF8.self)
      let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker.pid)/task").compactMap {
        try? String(contentsOfFile: "/proc/\(worker.pid)/task/\($0)/comm", encoding: .utf8)
      }
      return (maps.contains("libcurl"), threads.contains("http\n"))
    }
    let simulated = try bench.worker()
    try await simulated.logs("sent")
    #expect(try usage(simulated) == (false, false))
    simulated.send(SIGTERM)
    _ = try await simulated.end()
    try await bench.push(1, prefix: "n")
    let posting = try bench.worker("--gateway", server.url("/200"))
    try await posting.logs("sent")
    #expect(try usage(posting) == (true, true))
    posting.send(SIGTERM)
    _ = try await posting.end()
  }
}
