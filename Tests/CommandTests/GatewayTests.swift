import Foundation
import TestSupport
import Testing

@Suite("--gateway command: and PHP payloads", .serialized)
struct GatewayTests {
  /// Accepts every message, and ends with its input. As a file, because the command is split at its spaces.
  private static let program = """
    #!/bin/sh
    echo "up $*" >&2
    while read -r line; do
      ref=${line#*:}
      echo "{\\"ref\\":${ref%%,*},\\"outcome\\":\\"accepted\\",\\"provider_id\\":\\"p\\"}"
    done
    """

  private func programFile(_ script: String = program) throws -> TemporaryFile {
    let file = try TemporaryFile(script, extension: "sh")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
    return file
  }

  private func isAlive(_ pid: String?) -> Bool {
    guard let pid, let status = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
    return status.split(separator: ")").last?.split(separator: " ").first != "Z"
  }

  @Test("smsq send sends through a program, and passes on what it says on standard error")
  func send() async throws {
    let file = try programFile()
    let result = try await Smsq.run(["send", "--gateway", "command:\(file.path) a $b"] + Bench.message)
    #expect(result.code == 0)
    #expect(result.output == "p")
    #expect(result.note == "gateway: up a $b")
  }

  @Test("A program gets what smsq does not know of a message, from a line of CSV as well")
  func extras() async throws {
    let file = try programFile(
      Self.program.replacing("read -r line; do", with: "read -r line; do printf '%s\\n' \"$line\" >&2;")
    )
    let bench = try await Bench()
    let csv = "to;text;sign;user_id\n+8613800138000;hi;\"公 \"\"司\"\"\";13800138000\n"
    #expect(try await bench.smsq("push", "--file", "-", input: csv).code == 0)
    try await bench.queue.run(
      #"LPUSH sms {"to":"+8613800138000","text":"hi","id":"b","template_params":{"code":"01"},"user_id":7}"#
    )
    let worker = try bench.worker("--gateway", "command:\(file.path)")
    try await bench.eventually(sent: 2)
    worker.send(SIGTERM)
    let result = try await worker.end()
    #expect(result.stderr.contains(#""sign":"公 \"司\"","user_id":"13800138000"}"#), "\(result.stderr)")
    #expect(result.stderr.contains(#""encoding":"gsm7","template_params":{"code":"01"},"user_id":7}"#))
    #expect(result.stdout.contains("user_id=138****8000") && !result.stdout.contains("13800138000"))
  }

  @Test("A program that dies with the message leaves its outcome open: 75")
  func died() async throws {
    let file = try programFile("#!/bin/sh\nread -r line\nexit 1\n")
    let result = try await Smsq.run(["send", "--gateway", "command:\(file.path)"] + Bench.message)
    #expect(result.code == 75)
    #expect(result.note.contains("may have been sent or not"))
  }

  @Test(
    "What a program says of a message is what smsq send exits with",
    arguments: [
      ("accepted", 0, "gateway: up"), ("throttled", 75, "slow down"), ("retry", 75, "not sent"),
      ("failed", 65, "not sent"),
      ("unknown", 75, "may have been sent or not"),
    ]
  )
  func outcomes(outcome: String, code: Int, note: String) async throws {
    let file = try programFile(Self.program.replacing("accepted", with: outcome))
    let result = try await Smsq.run(["send", "--gateway", "command:\(file.path)"] + Bench.message)
    #expect(Int(result.code) == code)
    #expect(result.note.contains(note))
  }

  @Test("What expires while it waits for a busy program is never seen by it, and counted as expired at once")
  func expiry() async throws {
    let (go, seen) = ("/tmp/smsq-gateway-\(UUID())", "/tmp/smsq-gateway-\(UUID())")
    defer { for path in [go, seen] { try? FileManager.default.removeItem(atPath: path) } }
    let file = try programFile(
      Self.program.replacing(
        "read -r line; do",
        with: "read -r line; do echo \"$line\" >> \(seen); while [ ! -e \(go) ]; do sleep 0.05; done"
      )
    )
    let bench = try await Bench()
    let worker = try bench.worker("--gateway", "command:\(file.path)")
    func push(_ id: String, _ more: String = "") async throws {
      try await bench.queue.run(#"LPUSH sms {"to":"+8613800138000","text":"hi","id":"\#(id)"\#(more)}"#)
    }
    try await push("first")
    try await eventually("the program is busy") { FileManager.default.fileExists(atPath: seen) }
    let expiresAt = ISO8601DateFormatter().string(from: Date(timeIntervalSinceNow: 3))
    for number in 0..<3 { try await push("late-\(number)", #","expires_at":"\#(expiresAt)""#) }
    try await push("last")
    _ = try await worker.logs("expired", times: 3)
    #expect(FileManager.default.createFile(atPath: go, contents: nil))
    _ = try await worker.logs("sent", times: 2)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    let lines = try String(contentsOfFile: seen, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines.allSatisfy { $0.contains(#""id":"first""#) || $0.contains(#""id":"last""#) })
  }

  @Test("A program that cannot be started is 78, a command that a shell would have to read 64")
  func cannotStart() async throws {
    for command in [["send"] + Bench.message, ["worker"]] {
      let missing = try await Smsq.run(command + ["--gateway", "command:/no/such/program"])
      #expect(missing.code == 78)
      #expect(missing.note.contains("/no/such/program"))
      let quoted = try await Smsq.run(command + ["--gateway", "command:/bin/sh -c 'exit 0'"])
      #expect(quoted.code == 64)
    }
  }

  @Test("A worker sends what PHP producers push through a program, and ends the program when it stops")
  func worker() async throws {
    let file = try programFile()
    let bench = try await Bench()
    let worker = try bench.worker("--gateway", "command:\(file.path)", "--default-country-code", "86")
    let program = try await worker.logs("gateway-started")["pid"]
    // `run` splits at spaces.
    try await bench.queue.run(#"LPUSH sms a:3:{i:0;i:42;i:1;s:11:"13800138000";i:2;s:6:"您好";}"#)
    try await bench.queue.run(#"LPUSH sms a:1:{i:0;O:8:"stdClass":0:{}}"#)
    let sent = try await worker.logs("sent")
    #expect(sent["user_id"] == "42")
    #expect(sent["provider_id"] == "p")
    let dead = try await worker.logs("dead")
    #expect(dead["code"] == "invalid_php")
    try await eventually("one is dead") { try await bench.dead().count == 1 }
    #expect(try await bench.dead().map(\.payload) == [Array(#"a:1:{i:0;O:8:"stdClass":0:{}}"#.utf8)])

    #expect(isAlive(program))
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(!isAlive(program))
  }

  @Test("A program that reads to the end of its input does not outlive a worker that was killed")
  func killed() async throws {
    let file = try programFile()
    let bench = try await Bench()
    let worker = try bench.worker("--gateway", "command:\(file.path)")
    let program = try await worker.logs("gateway-started")["pid"]
    #expect(isAlive(program))
    worker.send(SIGKILL)
    _ = try await worker.end()
    try await eventually("the program is gone") { !isAlive(program) }
  }

  @Test("--payload json takes no PHP, and --payload php no JSON")
  func payload() async throws {
    for (format, payload) in [
      ("json", #"a:3:{i:0;N;i:1;i:13800138000;i:2;s:1:"x";}"#), ("php", #"{"to":"1","text":"x"}"#),
    ] {
      let bench = try await Bench()
      try await bench.queue.run("LPUSH sms \(payload)")
      let worker = try bench.worker("--payload", format)
      #expect(try await worker.logs("dead")["code"] == (format == "json" ? "not_an_object" : "invalid_php"))
      worker.send(SIGTERM)
      _ = try await worker.end()
    }
  }
}
