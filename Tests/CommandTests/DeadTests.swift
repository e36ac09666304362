import Glibc
import TestSupport
import Testing

@Suite("smsq dead")
struct DeadTests {
  /// A queue whose messages a worker has buried: two with an id, one that cannot be read.
  private func buried() async throws -> Bench {
    let bench = try await Bench()
    try await bench.push(2)
    try await bench.queue.run("LPUSH sms garbage")
    let worker = try bench.worker("--sim-reject", "1")
    try await eventually("all are dead") { try await bench.dead().count == 3 }
    worker.send(SIGTERM)
    _ = try await worker.end()
    return bench
  }

  @Test("list names each with its reason, show has it whole, and retry sends it after all")
  func retry() async throws {
    let bench = try await buried()
    // Options of a subcommand of a subcommand come behind its name.
    func dead(_ verb: String, _ arguments: String...) async throws -> ChildProcess.Result {
      try await Smsq.run(
        ["dead", verb, "--redis", bench.server.url, "--queue", bench.queue.name.description] + arguments
      )
    }
    let list = try await dead("list")
    #expect(list.code == 0)
    #expect(list.output.split(separator: "\n").count == 3)
    #expect(list.output.contains("undeliverable") && list.output.contains("not_an_object"))
    #expect(list.output.contains("+86138****8000") && !list.output.contains("hello"))
    let shown = try await dead("show", "m0", "--json")
    #expect(shown.output.contains("hello") && shown.output.contains(Bench.to))
    #expect(try await dead("show", "nobody").code == 65)

    let refused = try await dead("retry", "--reason", "undeliverable")
    #expect(refused.code == 64 && refused.stderr.contains("--yes"))
    #expect(try await bench.dead().count == 3)
    let retried = try await dead("retry", "--reason", "undeliverable", "--yes", "--json")
    #expect(try retried.output.json["retried"] as? Int == 2)
    let worker = try bench.worker()
    try await bench.eventually(sent: 2)
    worker.send(SIGTERM)
    _ = try await worker.end()

    #expect(try await dead("remove", "--all").code == 0)
    #expect(try await bench.dead().isEmpty)
    #expect(try await bench.violations(plainPushes: 1) == [])
  }

  @Test("remove frees the ids of what it removes, retry does not")
  func freedIDs() async throws {
    let bench = try await buried()
    func dead(_ verb: String, _ id: String) async throws -> Int32 {
      try await Smsq.run(
        ["dead", verb, "--redis", bench.server.url, "--queue", bench.queue.name.description, id]
      ).code
    }
    func status(_ id: String) async throws -> String? {
      let result = try await bench.smsq(["push", "--id", id, "--json"] + Bench.message)
      #expect(result.code == 0)
      return try result.output.json["status"] as? String
    }
    #expect(try await status("m0") == "duplicate")
    #expect(try await dead("remove", "m0") == 0)
    #expect(try await status("m0") == "queued")
    #expect(try await status("m0") == "duplicate")
    #expect(try await dead("retry", "m1") == 0)
    #expect(try await status("m1") == "duplicate")
    #expect(try await bench.violations(plainPushes: 1) == [])
  }
}
