import Foundation
import TestSupport
import Testing

@testable import ProcessTable

@Suite struct CommandActionTests {
  // As main() does: what a program does not read must not end its caller.
  init() { signal(SIGPIPE, SIG_IGN) }

  private func run(
    _ argv: [String],
    stdin: Any? = nil,
    timeout: Duration = .seconds(60)
  ) async throws -> RowOutcome {
    var object: [String: Any] = ["argv": argv]
    object["stdin"] = stdin
    let json = String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
    return await run(json, timeout: timeout)
  }

  private func run(_ parameters: String, timeout: Duration = .seconds(60)) async -> RowOutcome {
    var action = CommandAction(timeout: timeout)
    action.grace = .milliseconds(200)
    let row = ClaimedRow(id: 17, idempotencyKey: "k", action: .command, parameters: Array(parameters.utf8), attempt: 2)
    return await action.run(row)
  }

  private func shell(_ script: String, timeout: Duration = .seconds(60)) async throws -> RowOutcome {
    try await run(["sh", "-c", script], timeout: timeout)
  }

  private func reason(_ outcome: RowOutcome) -> String {
    switch outcome.result {
    case .retry(let reason, _), .putOff(let reason, _), .dead(let reason), .expired(let reason),
      .unavailable(let reason):
      reason
    case .done, .interrupted: ""
    }
  }

  @Test func `Exit codes mean done, try again, and never`() async throws {
    #expect(try await shell("exit 0") == RowOutcome(.done, exitCode: 0, output: ""))
    let again = try await shell("echo later; exit 75")
    #expect(
      again == RowOutcome(.retry(reason: "'sh' exited with 75: try again", after: nil), exitCode: 75, output: "later\n")
    )
    let never = try await shell("echo no >&2; exit 65")
    #expect(never == RowOutcome(.dead(reason: "'sh' exited with 65"), exitCode: 65, output: "no\n"))
  }

  @Test func `A program that a signal ended is tried again`() async throws {
    let outcome = try await shell("kill -SEGV $$")
    #expect(outcome.exitCode == 139)
    guard case .retry(let reason, nil) = outcome.result else { return #expect(Bool(false), "\(outcome)") }
    #expect(reason.hasPrefix("'sh' was ended by signal 11"))
  }

  @Test func `Arguments reach the program byte for byte, whatever a shell would make of them`() async throws {
    let hostile = ["; rm -rf /", "$(id)`id`", "a'b\"c", "line\nfeed", "", "-n", "*", "汉字 👋", "\\", "{name}"]
    let outcome = try await run(["printf", "%s\\0"] + hostile)
    #expect(outcome.output == hostile.map { $0 + "?" }.joined())
  }

  @Test func `A program reads a string as it is and anything else as JSON`() async throws {
    #expect(try await run(["cat"], stdin: "no line feed").output == "no line feed")
    #expect(
      try await run(["cat"], stdin: ["b": 1, "a": ["x", true, NSNull()]]).output == #"{"a":["x",true,null],"b":1}"#
        + "\n"
    )
    #expect(try await run(["cat"]).output == "")
  }

  @Test func `A program is told which row it serves and which try it is`() async throws {
    #expect(try await shell("echo $PROCESS_ID $PROCESS_ATTEMPT").output == "17 2\n")
  }

  @Test func `A NUL in an argument is refused, for good and by name`() async throws {
    let outcome = await run(#"{"argv":["echo","a\u0000b"]}"#)
    #expect(reason(outcome).hasPrefix("argument 1 holds a NUL"))
    guard case .dead = outcome.result else { return #expect(Bool(false), "\(outcome)") }
  }

  @Test func `An argument of a megabyte is refused with advice, and passes as input`() async throws {
    let megabyte = String(repeating: "x", count: 1 << 20)
    let outcome = try await run(["true", megabyte])
    guard case .dead(let reason) = outcome.result else { return #expect(Bool(false), "\(outcome.result)") }
    #expect(reason.contains("E2BIG") && reason.contains("stdin"))
    #expect(try await run(["wc", "-c"], stdin: megabyte).output == "1048576\n")
  }

  @Test(arguments: [
    "", "[]", "{}", "17", #"{"argv":[]}"#, #"{"argv":[""]}"#, #"{"argv":"ls -l"}"#, #"{"argv":["ls",1]}"#,
    "{\"argv\":[\"ls\"",
  ])
  func `Parameters that name no program are dead at once`(_ parameters: String) async {
    guard case .dead = await run(parameters).result else { return #expect(Bool(false), "\(parameters) was run") }
  }

  @Test func `A program that is not there, or is none, is dead with the reason`() async throws {
    for argv in [["no-such-program-here"], ["/no/such/program"], ["/etc/passwd"], ["/tmp"]] {
      guard case .dead(let reason) = try await run(argv).result else { return #expect(Bool(false), "\(argv)") }
      #expect(reason.hasPrefix("'\(argv[0])' could not be run"))
    }
  }

  @Test func `A program that hangs is ended with all that it started, TERM or no TERM`() async throws {
    let mark = UUID().uuidString
    let outcome = try await shell(
      "trap '' TERM; sh -c 'trap \"\" TERM; sleep 1000; : \(mark)' & wait",
      timeout: .seconds(3)
    )
    #expect(reason(outcome).contains("took longer than"))
    guard case .retry = outcome.result else { return #expect(Bool(false), "\(outcome)") }
    try await eventually("its children are gone") { !Self.isRunning(mark) }
  }

  @Test func `A program that floods its output is heard to the end, and its last 64 KiB are kept`() async throws {
    let outcome = try await shell("yes 0123456789abcdef | head -c 20000000; echo the end")
    #expect(outcome.result == .done)
    let output = try #require(outcome.output)
    #expect(output.hasSuffix("the end\n"))
    #expect(output.utf8.count < OutputTail.limit + 100)
    #expect(output.hasPrefix("[19934472 bytes left out]\n"))
  }

  @Test func `A program may close its pipes and go on`() async throws {
    let outcome = try await shell("exec <&- >&- 2>&-; sleep 0.2; exit 75")
    #expect(outcome.exitCode == 75)
  }

  @Test func `A program need not read a large input`() async throws {
    let outcome = try await run(
      ["sh", "-c", "exec <&-; sleep 0.2; echo ok"],
      stdin: String(repeating: "x", count: 1 << 20)
    )
    #expect(outcome == RowOutcome(.done, exitCode: 0, output: "ok\n"))
  }

  @Test func `A program that leaves a child behind with its output open is done when it ends`() async throws {
    let mark = UUID().uuidString
    let outcome = try await shell("echo first; sh -c 'sleep 1000; : \(mark)' & exit 0")
    #expect(outcome == RowOutcome(.done, exitCode: 0, output: "first\n"))
    Self.end(mark)
  }

  @Test func `Cancelling interrupts the program`() async throws {
    let mark = UUID().uuidString
    let task = Task { try await shell("sleep 1000; : \(mark)") }
    try await eventually("it runs") { Self.isRunning(mark) }
    task.cancel()
    #expect(try await task.value.result == .interrupted)
  }

  /// Whether a process has `mark` on its command line.
  private static func isRunning(_ mark: String) -> Bool { !processes(mark).isEmpty }

  private static func end(_ mark: String) { for pid in processes(mark) { kill(-getpgid(pid), SIGKILL) } }

  private static func processes(_ mark: String) -> [pid_t] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { pid in
      guard let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") else { return false }
      return String(decoding: line, as: UTF8.self).contains(mark)
    }
  }
}
