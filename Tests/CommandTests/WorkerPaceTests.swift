import Foundation
import Glibc
import TestSupport
import Testing

@Suite("smsq worker, at a gateway that throttles or fails", .serialized)
struct WorkerPaceTests {
  @Test("A cap on messages a second kills none, and refuses fewer than there are")
  func capped() async throws {
    let bench = try await Bench()
    try await bench.push(400)
    let worker = try bench.worker("--sim-rate", "100", "--max-attempts", "1")
    try await bench.eventually(sent: 400, within: .seconds(120))
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(try await bench.counts().dead == 0)
    #expect(worker.log("retry").count < 200)
    #expect(worker.log("gateway-throttled").count == 1)
    #expect(try await bench.violations().isEmpty)
  }

  /// A program that fails every message until a file is there.
  private static func program(until file: String) throws -> String {
    let path = "/tmp/smsq-failing-\(UUID().uuidString).py"
    let source = """
      #!/usr/bin/env python3
      import json, os, sys
      for line in sys.stdin:
          up = os.path.exists("\(file)")
          answer = {"outcome": "accepted"} if up else {"outcome": "retry", "code": "down"}
          print(json.dumps(answer | {"ref": json.loads(line)["ref"]}), flush=True)
      """
    try Data(source.utf8).write(to: URL(fileURLWithPath: path))
    chmod(path, 0o755)
    return path
  }

  @Test("A gateway program that fails every message for a while costs none of them its attempts")
  func down() async throws {
    let bench = try await Bench()
    let file = "/tmp/smsq-up-\(UUID().uuidString)"
    let program = try Self.program(until: file)
    defer {
      unlink(program)
      unlink(file)
    }
    try await bench.push(100)
    let worker = try bench.worker(
      "--gateway",
      "command:\(program)",
      "--max-attempts",
      "2",
      "--backoff-base",
      "10ms"
    )
    try await worker.logs("gateway-lost")
    let failures = worker.log("retry").count
    try await eventually("it is probed in vain") { worker.log("retry").count > failures }
    close(open(file, O_CREAT | O_WRONLY, 0o644))
    try await bench.eventually(sent: 100, within: .seconds(60))
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log("gateway-back").count == 1)
    #expect(worker.log("dead").isEmpty)
    #expect(try await bench.violations().isEmpty)
  }

  @Test("--on-unknown hold: what the gateway may have sent is dead as unknown, and not sent twice")
  func unknown() async throws {
    let bench = try await Bench()
    // Fewer than it takes for the gateway to look lost.
    try await bench.push(8)
    let worker = try bench.worker("--sim-drop", "1", "--on-unknown", "hold")
    try await eventually("all dead") { try await bench.counts().dead == 8 }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(try await bench.dead().allSatisfy { $0.reason?.hasPrefix("unknown: ") == true })
    #expect(worker.log("retry").isEmpty)
  }
}
