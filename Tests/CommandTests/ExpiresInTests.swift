import Glibc
import TestSupport
import Testing

@Suite("smsq worker --expires-in", .serialized)
struct ExpiresInTests {
  private static let plain = #"LPUSH sms {"to":"+8613800138000","text":"hi","id":"m"}"#

  /// Waits until so much of Redis' time has passed.
  private func pass(_ milliseconds: Int64, _ bench: Bench) async throws {
    let start = try await bench.counts().now
    try await eventually("time passes") { try await bench.counts().now >= start + milliseconds }
  }

  @Test("What was in hand in a crash is as old as its first claim, and is not sent again after its time")
  func crash() async throws {
    let bench = try await Bench()
    _ = try await bench.queue.run(Self.plain)
    let options = ["--expires-in", "2s", "--sim-latency", "10m"]
    let first = try bench.worker(name: nil, options[0], options[1], options[2], options[3])
    try await eventually("it is in hand") { try await bench.counts().claimed == 1 }
    first.send(SIGKILL)
    _ = try await first.end()
    try await pass(2_100, bench)
    let second = try bench.worker(name: nil, "--expires-in", "2s")
    try await second.logs("expired")
    second.send(SIGTERM)
    #expect(try await second.end().code == 0)
    #expect(second.log("sent").isEmpty)
    #expect(second.log("expired").first?["expires_at"] != nil)
    #expect(try await bench.violations(plainPushes: 1).isEmpty)
  }

  @Test("A retry does not make it younger, and one that has time left is sent")
  func retry() async throws {
    let bench = try await Bench()
    _ = try await bench.queue.run(Self.plain)
    let worker = try bench.worker(
      name: nil,
      "--expires-in",
      "1s",
      "--sim-fail",
      "1",
      "--backoff-base",
      "300ms",
      "--backoff-max",
      "300ms",
      "--max-attempts",
      "1000"
    )
    try await worker.logs("expired")
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(!worker.log("retry").isEmpty)

    _ = try await bench.queue.run(Self.plain)
    let other = try bench.worker(name: nil, "--expires-in", "1h")
    try await other.logs("sent")
    other.send(SIGTERM)
    #expect(try await other.end().code == 0)
  }

  @Test("It counts from the push where that is known, however long the message has waited")
  func waited() async throws {
    let bench = try await Bench()
    #expect(try await bench.smsq(["push"] + Bench.message).code == 0)
    _ = try await bench.queue.run(Self.plain)
    try await pass(1_100, bench)
    let worker = try bench.worker(name: nil, "--expires-in", "1s")
    try await worker.logs("expired")
    try await worker.logs("sent")
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log("expired").count == 1 && worker.log("sent").first?["id"] == "m")
  }

  @Test("No time at all is refused", arguments: ["0s", "-1s", "5"])
  func refused(time: String) async throws {
    let result = try await Smsq.run(["worker", "--expires-in=\(time)"])
    #expect(result.code == 64)
    #expect(result.note.contains(time == "5" ? "no unit" : time), "\(result)")
  }
}
