import Foundation
import RedisClient
import TestSupport
import Testing

@Suite("Commands when Redis is in trouble", .serialized)
struct RedisTroubleTests {
  /// Every command that asks Redis something.
  static let commands = [
    ["push"] + Bench.message, ["push", "--file", "/dev/null"], ["stats"], ["peek"], ["pause"], ["resume"],
  ]

  private func expect(_ result: ChildProcess.Result, code: Int32, _ word: String, _ command: [String]) {
    #expect(result.code == code, "\(command): \(result)")
    #expect(result.stdout == "", "\(command)")
    #expect(result.note.contains(word), "\(command): \(result.note)")
    #expect(result.note.hasPrefix("smsq: ") && result.note.split(separator: "\n").count == 1, "\(result.note)")
  }

  @Test("Nothing listens there: 69, and the address is named")
  func nothingListens() async throws {
    for url in ["redis://127.0.0.1:1/0", "unix:///nonexistent/redis.sock"] {
      for command in Self.commands {
        let result = try await Smsq.run(command + ["--redis", url], within: .seconds(30))
        expect(result, code: 69, url, command)
        #expect(result.note.contains("SMSQ_REDIS"))
      }
    }
  }

  @Test("Redis is stopped: 69 after some seconds, and not a script that hangs")
  func stopped() async throws {
    let server = try await RedisServer()
    let bench = try await Bench(on: server)
    server.kill(SIGSTOP)
    let result = try await bench.smsq(["push"] + Bench.message)
    server.kill(SIGCONT)
    expect(result, code: 69, server.url, ["push"])
    #expect(try await bench.waiting().isEmpty)
  }

  @Test("Redis is full: 75, and nothing was queued")
  func full() async throws {
    let server = try await RedisServer(tcp: false, "--maxmemory", "1", "--maxmemory-policy", "noeviction")
    let bench = try await Bench(on: server)
    for command in [["push"] + Bench.message, ["push", "--in", "5m"] + Bench.message] {
      let result = try await bench.smsq(command)
      expect(result, code: 75, "nothing was queued", command)
      #expect(result.note.contains("maxmemory"))
    }
    let line = #"{"to":"+8613800138000","text":"hi"}"#
    let bulk = try await bench.smsq("push", "--file", "-", input: "\(line)\n\(line)\n")
    #expect(bulk.code == 75)
    #expect(bulk.note.hasSuffix("\n0 messages queued; all from line 1 on were not"))
    #expect(try await bench.queue.dump().values.isEmpty)
  }

  @Test("No password or a wrong one: 77, and what to write")
  func denied() async throws {
    let server = try await RedisServer(password: "s3cret")
    let socket = server.endpoint.path
    for url in ["unix://\(socket)", "unix://:wrong@\(socket)", "unix://nobody:s3cret@\(socket)"] {
      for command in Self.commands {
        let result = try await Smsq.run(command + ["--redis", url])
        expect(result, code: 77, "user:password@", command)
      }
    }
    let right = try await Smsq.run(["push"] + Bench.message, environment: ["SMSQ_REDIS": server.url])
    #expect(right.code == 0)
  }

  @Test("A user whom Redis does not let write: 77")
  func noPermission() async throws {
    let server = try await RedisServer()
    let redis = server.connection()
    _ = try await redis.run(RedisCommand("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+@read", "+@connection"))
    let url = "unix://reader:pw@\(server.endpoint.path)"
    let result = try await Smsq.run(["push", "--redis", url] + Bench.message)
    #expect(result.code == 77)
    #expect(result.note.contains("NOPERM") || result.note.contains("permission"))
    #expect(!result.note.contains(":pw@"))
  }

  @Test("A key of the queue's name that is no list: 78, and nothing was changed")
  func wrongType() async throws {
    let bench = try await Bench()
    try await bench.queue.run("SET sms something")
    for command in [["push"] + Bench.message, ["stats"], ["peek"]] {
      let result = try await bench.smsq(command)
      expect(result, code: 78, "WRONGTYPE", command)
      #expect(result.note.contains("a key of the queue's name"))
    }
    #expect(try await bench.queue.dump().values.count == 1)
  }

  // MARK: Not the server that was meant

  /// Those that call a script, or two keys.
  private static let calling = [["push"] + Bench.message, ["stats"]]

  /// What each command says of a URL, and that no script is in it; and a worker, which says it once and stays.
  ///
  /// - Parameter commands: fewer than all where not all ask for what is refused.
  private func expect(
    of url: String,
    code: Int32,
    _ word: String,
    event: String = "redis-lost",
    commands: [[String]] = commands
  ) async throws {
    for command in commands {
      let result = try await Smsq.run(command, environment: ["SMSQ_REDIS": url])
      expect(result, code: code, word, command)
      #expect(!result.note.contains("KEYS") && !result.note.contains("s3cret"), "\(result.note)")
      #expect(!result.note.contains("a key of the queue's name"), "\(result.note)")
    }
    let worker = try ChildProcess(Smsq.path, ["worker", "--drain", "1s"], environment: ["SMSQ_REDIS": url])
    let error = try await worker.logs(event)["error"] ?? ""
    #expect(error.contains(word) && !error.contains("KEYS") && !error.contains("s3cret"), "\(error)")
    worker.send(SIGTERM)
    _ = try await worker.end()
  }

  @Test("Redis has as many clients as it takes: 75")
  func tooManyClients() async throws {
    let server = try await RedisServer(tcp: false, "--maxclients", "1")
    let one = server.connection()
    // The one that waited for the start may still be there.
    try await TestSupport.eventually("it is let in") { (try? await one.run(RedisCommand("PING"))) != nil }
    try await expect(of: server.url, code: 75, "maxclients")
  }

  @Test("The database is not there: 78", arguments: ["16", "99"])
  func noDatabase(number: String) async throws {
    let server = try await RedisServer()
    try await expect(of: "\(server.url)?db=\(number)", code: 78, "no such database")
  }

  @Test("Redis wants no password: 77, and the one that was given is not said")
  func noLoginWanted() async throws {
    let server = try await RedisServer()
    try await expect(of: "unix://:s3cret@\(server.endpoint.path)", code: 77, "has no password")
  }

  @Test("A Redis Cluster that is not set up is not ready: 75; its other databases and other nodes' queues are 78")
  func cluster() async throws {
    // Its own would be 10,000 higher, which not every free port allows.
    let buses = try [FreePort.take(), FreePort.take()].map { "\($0)" }
    let server = try await RedisServer(tcp: true, "--cluster-enabled", "yes", "--cluster-port", buses[0])
    try await expect(of: server.url, code: 75, "its cluster is not set up", commands: Self.calling)
    try await expect(of: server.url.dropLast() + "1", code: 78, "no such database")

    // This node has all slots, and gives that of the queue to another, so that it answers MOVED.
    let other = try await RedisServer(tcp: true, "--cluster-enabled", "yes", "--cluster-port", buses[1])
    let (node, next) = (server.connection(), other.connection())
    guard case .tcp(_, let port) = other.endpoint.address else { return }
    _ = try await node.run(RedisCommand("CLUSTER", "ADDSLOTSRANGE", "0", "16383"))
    _ = try await node.run(RedisCommand("CLUSTER", "MEET", "127.0.0.1", "\(port)", buses[1]))
    let identity = try await next.run(RedisCommand("CLUSTER", "MYID")).string ?? ""
    let slot = try await node.run(RedisCommand("CLUSTER", "KEYSLOT", "sms")).integer ?? 0
    try await TestSupport.eventually("the nodes know each other, and the cluster is up") {
      let nodes = try await node.run(RedisCommand("CLUSTER", "NODES")).string ?? ""
      let info = try await node.run(RedisCommand("CLUSTER", "INFO")).string ?? ""
      return nodes.contains(identity) && info.contains("cluster_state:ok")
    }
    _ = try await node.run(RedisCommand("CLUSTER", "SETSLOT", "\(slot)", "NODE", identity))
    try await expect(of: server.url, code: 78, "redis+cluster://", event: "queue-error", commands: Self.calling)
  }

  @Test("A Sentinel: 78, and where to look for the Redis", arguments: ["/0", "/1"])
  func sentinel(database: String) async throws {
    let port = try FreePort.take()
    let configuration = try TemporaryFile("port \(port)\nbind 127.0.0.1\n", extension: "conf")
    let sentinel = try ChildProcess("redis-server", [configuration.path, "--sentinel"])
    let url = "redis://127.0.0.1:\(port)\(database)"
    let probe = RedisConnection(to: try RedisEndpoint("redis://127.0.0.1:\(port)"), options: .init(name: "probe"))
    try await TestSupport.eventually("it answers") { (try? await probe.run(RedisCommand("PING"))) != nil }
    try await expect(of: url, code: 78, "redis+sentinel://")
    sentinel.send(SIGKILL)
    _ = try await sentinel.end()
  }

  @Test("A Redis or proxy that leaves commands out: 78, and no script in what is said")
  func commandsLeftOut() async throws {
    let server = try await RedisServer(
      tcp: false,
      "--rename-command",
      "EVAL",
      "",
      "--rename-command",
      "EVALSHA",
      "",
      "--rename-command",
      "SCRIPT",
      ""
    )
    try await expect(of: server.url, code: 78, "leaves commands out", event: "queue-error", commands: Self.calling)
  }

  @Test(
    "Something else listens there: 78, and what it seems to be",
    arguments: [
      ("", "HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP server"), ("", "<html>", "HTTP server"),
      ("SSH-2.0-OpenSSH_9.2\r\n", "", "SSH server"),
      ("220 mail.example ESMTP\r\n", "502 no\r\n", "another kind of server"),
      ("", "ERROR\r\n", "another kind of server"), ("", "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}F", "wants TLS"),
      ("", "-ERR Unknown command.\r\n", "leaves commands out"),
    ]
  )
  func somethingElse(banner: String, answer: String, word: String) async throws {
    let server = try StubServer(banner: banner, answer: answer)
    let event = answer.hasPrefix("-") ? "queue-error" : "redis-lost"
    try await expect(of: server.url, code: 78, word, event: event)
  }

  @Test("A TLS port hangs up, and so do others: 69, with a word on TLS")
  func tls() async throws {
    let folder = NSTemporaryDirectory() + "/smsq-tls-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (key, certificate) = (folder + "/key.pem", folder + "/certificate.pem")
    let made = try await ChildProcess(
      "openssl",
      ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2"]
        + ["-subj", "/CN=localhost"]
    ).end()
    try #require(made.code == 0, "\(made)")
    let port = try FreePort.take()
    let server = try await RedisServer(
      tcp: false,
      "--tls-port",
      "\(port)",
      "--tls-cert-file",
      certificate,
      "--tls-key-file",
      key,
      "--tls-ca-cert-file",
      certificate
    )
    let result = try await Smsq.run(["push"] + Bench.message, environment: ["SMSQ_REDIS": "redis://127.0.0.1:\(port)"])
    expect(result, code: 69, "TLS", ["push"])
    _ = server
    let closing = try StubServer(answer: nil)
    let closed = try await Smsq.run(["stats"], environment: ["SMSQ_REDIS": closing.url])
    expect(closed, code: 69, "TLS", ["stats"])
  }

  @Test("Redis cannot write to its disk: 75, and nothing was queued")
  func unwritable() async throws {
    let server = try await RedisServer()
    let bench = try await Bench(on: server)
    let redis = server.connection()
    _ = try await redis.run(RedisCommand("CONFIG", "SET", "min-replicas-to-write", "1"))
    let result = try await bench.smsq(["push"] + Bench.message)
    expect(result, code: 75, "takes no writes", ["push"])
    #expect(try await bench.waiting().isEmpty)
  }
}

extension RedisEndpoint {
  var path: String {
    if case .unix(let path) = address { return path }
    return ""
  }
}

/// The folder of the sources.
enum Repository {
  static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
    .standardizedFileURL.path
}
