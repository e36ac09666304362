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

  @Test("The users that docs/operations.md describes can do their work")
  func documentedUsers() async throws {
    let bench = try await Bench(on: RedisServer())
    let manual = try String(contentsOfFile: Repository.path + "/docs/operations.md", encoding: .utf8)
    let rules = manual.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { $0.hasPrefix("ACL SETUSER") }
      .map { $0.replacingOccurrences(of: "sms", with: bench.queue.name.description) }
    try #require(rules.count == 2)
    for rule in rules {
      // The first user's own name is the queue's.
      let words = rule.replacingOccurrences(of: "SETUSER \(bench.queue.name)q", with: "SETUSER smsq").split(
        separator: " "
      )
      var command = RedisCommand()
      for word in words { command.append(String(word)) }
      #expect(try await bench.queue.redis.run(command) == .status("OK"))
    }
    let queue = ["--queue", bench.queue.name.description, "--redis"]
    let own = queue + ["unix://smsq:PASSWORD@\(bench.server.endpoint.path)"]
    for command in Self.commands {
      let result = try await Smsq.run(command + own)
      #expect(result.code == 0, "\(command): \(result)")
    }
    let worker = try ChildProcess(Smsq.path, ["worker", "--name", bench.workerName] + own)
    try await bench.eventually(sent: 1)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log("redis-lost").isEmpty && worker.log("queue-error").isEmpty)
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
