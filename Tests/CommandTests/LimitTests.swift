import Glibc
import TestSupport
import Testing

@Suite("smsq limit", .serialized)
struct LimitTests {
  @Test("It sets, shows and takes away, and stats and doctor say the same")
  func life() async throws {
    let bench = try await Bench()
    let name = bench.queue.name
    #expect(try await bench.smsq("limit").output == "queue \(name) has no limit")
    #expect(try await bench.smsq("limit", "--json").output == #"{"limit":null,"queue":"\#(name)"}"#)
    let set = try await bench.smsq("limit", "60/1m")
    #expect(set.code == 0 && set.output == "queue \(name) is limited to 60/m")
    #expect(try await bench.smsq("limit", "--json").output == #"{"limit":"60/m","queue":"\#(name)"}"#)
    #expect(try await bench.smsq("stats").output.hasPrefix("queue \(name) (limited to 60/m)\n"))
    #expect(try await bench.smsq("stats", "--json").output.contains(#""limit":"60/m""#))
    #expect(try await bench.smsq("doctor").output.contains("60/m"))
    _ = try await bench.smsq("pause")
    #expect(try await bench.smsq("stats").output.hasPrefix("queue \(name) (paused, limited to 60/m)\n"))
    #expect(try await bench.smsq("limit", "none").output == "queue \(name) has no limit")
    #expect(try await bench.queue.dump().values[bench.queue.queue.keys.limit] == nil)
  }

  @Test("What is no rate is refused with how to write one", arguments: ["100", "0/s", "1.5/s", "5/500ms", "off"])
  func refused(rate: String) async throws {
    let bench = try await Bench()
    let result = try await bench.smsq("limit", rate)
    #expect(result.code == 64)
    #expect(result.stderr.contains("write a rate as 100/s"), "\(result)")
  }

  @Test("A worker keeps to it, drains what is left when it is gone, and loses nothing")
  func worker() async throws {
    let bench = try await Bench()
    _ = try await bench.smsq("limit", "1/h")
    try await bench.push(20)
    let worker = try bench.worker("--lease", "60s")
    try await bench.eventually(sent: 1)
    try await TestSupport.eventually("it rests") { try await bench.rests() }
    #expect(try await bench.counts().waiting == 19)
    _ = try await bench.smsq("limit", "none")
    try await bench.eventually(sent: 20)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(try await bench.violations().isEmpty)
  }
}

extension Bench {
  /// Whether a worker waits for the limit to change.
  func rests() async throws -> Bool {
    let clients = try await queue.run("CLIENT LIST").string ?? ""
    return clients.split(separator: "\n").contains {
      $0.contains(" name=smsq-wait-\(queue.name) ") && $0.contains(" cmd=blmove ")
    }
  }
}
