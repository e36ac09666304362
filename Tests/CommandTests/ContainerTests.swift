import Foundation
import TestSupport
import Testing

/// smsq as process 1, as it is in a container: in a PID namespace of its own.
@Suite(
  "smsq as process 1",
  .serialized,
  .enabled("this user may make PID namespaces") { try await Container.isPossible() }
)
struct ContainerTests {
  private func worker(_ bench: Bench, _ options: String...) throws -> ChildProcess {
    let command = ["worker", "--redis", bench.server.url, "--queue", bench.queue.name.description]
    return try Container.start(command + ["--name", bench.workerName] + options)
  }

  /// The processes in the container, as /proc/PID/stat has them.
  private func processes(_ container: ChildProcess) async throws -> [String] {
    let list = try await Container.run("cat /proc/[0-9]*/stat", in: container)
    // What lists them is there, too.
    return list.output.split(separator: "\n").map(String.init).filter { !$0.contains("(sh)") && !$0.contains("(cat)") }
  }

  @Test("What a gateway's program leaves behind is collected, and the program's own exit code is not lost")
  func orphans() async throws {
    let bench = try await Bench()
    // Answers one message, with a grandchild that outlives its parent, and ends.
    let program = try TemporaryFile(
      """
      #!/bin/sh
      (sleep 0.3 & sleep 0.2 & )
      read -r line
      ref=${line#*'"ref":'}
      printf '{"ref":%s,"outcome":"accepted"}\\n' "${ref%%,*}"
      exit 3
      """,
      extension: "sh"
    )
    chmod(program.path, 0o755)
    let container = try worker(bench, "--gateway", "command:\(program.path)")
    try await container.logs("started")
    for count in 1...3 {
      try await bench.push(1, prefix: "m\(count)-")
      try await TestSupport.eventually("the program has ended \(count) times") {
        container.log("gateway-lost").count >= count
      }
    }
    #expect(container.log("gateway-lost").allSatisfy { $0["reason"]?.contains("exit code 3") == true })
    try await TestSupport.eventually("no zombies, and no orphans") {
      let left = try await processes(container)
      return !left.isEmpty && !left.contains { $0.contains(") Z ") || $0.contains("(sleep)") }
    }
    container.send(SIGKILL)
    _ = try await container.end()
  }

  @Test("TERM, a second TERM and their exit codes are those of a worker anywhere")
  func stop() async throws {
    let bench = try await Bench()
    try await bench.push(3)
    let container = try worker(bench, "--sim-latency", "10m", "--drain", "10m", "--log-level", "debug")
    try await container.logs("claimed")
    let first = try Container.first(container)
    kill(first, SIGTSTP)
    try await container.logs("quiet")
    kill(first, SIGHUP)
    try await container.logs("hangup")
    kill(first, SIGTERM)
    try await container.logs("draining")
    kill(first, SIGTERM)
    #expect(try await container.end().code == 75)
    #expect(try await bench.counts().waiting == 3)
    #expect(try await bench.violations().isEmpty)
  }

  @Test("An idle worker ends with 0, a killed one with 137, and a command with its own code")
  func codes() async throws {
    let bench = try await Bench()
    let idle = try worker(bench)
    try await idle.logs("started")
    kill(try Container.first(idle), SIGTERM)
    #expect(try await idle.end().code == 0)

    let killed = try worker(bench)
    let pid = try #require(try await killed.logs("started")["pid"])
    #expect(pid != "1")
    _ = try await Container.run("kill -9 \(pid)", in: killed)
    #expect(try await killed.end().code == 128 + SIGKILL)

    let refused = try await Container.start(["stats", "--redis", "nonsense"]).end()
    #expect(refused.code == 64)
    #expect(refused.note.contains("Redis URL"))
  }

  @Test("Standard input and arguments reach it as they are")
  func input() async throws {
    let bench = try await Bench()
    let push = ["push", "--redis", bench.server.url, "--queue", bench.queue.name.description, "--file", "-"]
    let container = try Container.start(push, input: .bytes(Array(#"{"to":"+8613800138000","text":"é 密"}"#.utf8)))
    #expect(try await container.end().code == 0)
    #expect(try await bench.waiting().map { try $0.json["text"] as? String } == ["é 密"])
  }
}

private enum Container {
  private static let options = ["--pid", "--fork", "--kill-child", "--mount-proc"]

  static func isPossible() async throws -> Bool {
    try await ChildProcess("unshare", options + ["true"]).end().code == 0
  }

  static func start(_ command: [String], input: ChildProcess.Input = .none) throws -> ChildProcess {
    try ChildProcess("unshare", options + [Smsq.path] + command, input: input)
  }

  /// Runs a shell's command inside.
  static func run(_ script: String, in container: ChildProcess) async throws -> ChildProcess.Result {
    let inside = ["--target", "\(try first(container))", "--pid", "--mount"]
    return try await ChildProcess("nsenter", inside + ["sh", "-c", script]).end()
  }

  /// What is process 1 inside.
  static func first(_ container: ChildProcess) throws -> Int32 {
    let path = "/proc/\(container.pid)/task/\(container.pid)/children"
    let children = try String(contentsOfFile: path, encoding: .utf8).split(separator: " ")
    return try #require(children.first.flatMap { Int32($0) })
  }
}
