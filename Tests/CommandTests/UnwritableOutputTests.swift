import Foundation
import TestSupport
import Testing

@Suite("Results that cannot be written")
struct UnwritableOutputTests {
  /// What each command says where it has changed something; nothing for one that only looks.
  private static let commands: [(command: String, done: String)] = [
    ("push --to +8613800138000 --text hello", "do not push it again"),
    ("push --to +8613800138000 --text hello --json", "do not push it again"),
    ("push --to +8613800138000 --text hello --id waits", "was accepted before"),
    ("push --file $FILE", "2 messages queued; do not push"),
    ("push --file $FILE --json", "2 messages queued; do not push"),
    ("stats", ""), ("stats --json", ""), ("peek", ""), ("peek --json", ""),
    ("status waits", ""), ("status waits --json", ""), ("cancel waits", "cancelled 1 of 1"),
    ("doctor", ""), ("doctor --json", ""), ("doctor --worker alive", ""),
    ("dead", ""), ("dead list", ""), ("dead list --json", ""), ("dead show dead1", ""), ("dead show dead1 --json", ""),
    ("dead retry dead1", "retried 1 dead letter"), ("dead remove dead2", "removed 1 dead letter"),
    ("dead retry dead3 --json", "retried 1 dead letter"), ("dead remove dead4 --json", "removed 1 dead letter"),
    ("purge --yes --json", "deleted"),
    ("pause", "is paused"), ("limit", ""), ("resume", "goes on"),
    ("send --to +8613800138000 --text hello", "do not send it again"),
    ("send --to +8613800138000 --text hello --json", "do not send it again"),
    ("send --to +15005550002 --text hello --json", "not sent"),
    ("table init", "is ready"), ("table add --to +8613800138000 --text hello", "row 1 was added"),
    ("table add --to +8613800138000 --text hello --id twice --json", "row 2 was added"),
    ("table add --to +8613800138000 --text hello --id twice --json", "no row was added"),
    ("table add --file $FILE", "2 rows added; do not add"), ("table add -- true", "was added"),
    ("table list", ""), ("table list --json", ""), ("table show 1", ""), ("table show 1 --json", ""),
    ("table stats", ""), ("table stats --json", ""), ("table retry 1", "1 rows wait again"),
    ("cron --outbox --json", "rows done"),
    ("outbox list", ""), ("outbox list --json", ""), ("outbox stats", ""), ("outbox stats --json", ""),
    ("table remove 1", "1 rows removed"),
    ("--help", ""), ("--version", ""), ("", ""), ("help push", ""), ("worker --help", ""), ("dead list --help", ""),
    ("--generate-completion-script bash", ""), ("--experimental-dump-help", ""),
  ]

  /// Runs each command once.
  ///
  /// - Parameter script: as ``Smsq/shell(_:_:environment:)`` takes it.
  private func runAll(_ script: String, _ check: (String, String, ChildProcess.Result) -> Void) async throws {
    let bench = try await Bench()
    try await bench.bury(4)
    let worker = try bench.worker(name: "alive", "--lease", "1s")
    try await eventually("it has claimed") {
      try await bench.counts().workers.contains { $0.life.name == "alive" && $0.lastClaim != nil }
    }
    worker.send(SIGTSTP)
    try await worker.logs("quiet")
    #expect(try await bench.smsq(["push", "--id", "waits"] + Bench.message).code == 0)
    let line = #"{"to":"+8613800138000","text":"hello"}"# + "\n"
    let file = try TemporaryFile(line + line, extension: "jsonl")
    let database = file.path + ".db"
    defer { for suffix in ["", "-wal", "-shm"] { unlink(database + suffix) } }
    let environment = [
      "SMSQ_REDIS": bench.server.url, "SMSQ_QUEUE": "\(bench.queue.name)", "SMSQ_DATABASE": database,
    ]
    for (command, done) in Self.commands {
      let arguments = command.split(separator: " ").map { $0 == "$FILE" ? file.path : String($0) }
      check(command, done, try await Smsq.shell(script, arguments, environment: environment).end())
    }
    worker.send(SIGTERM)
    _ = try await worker.end()
  }

  @Test(
    "Each command says so and exits with 74; one that has changed something says what",
    arguments: [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")]
  )
  func unwritable(redirection: String, reason: String) async throws {
    try await runAll(#"exec "$@" \#(redirection)"#) { command, done, result in
      #expect(result.code == 74, "\(command): \(result)")
      #expect(result.note.contains("smsq: cannot write the result (\(reason)): "), "\(command): \(result.note)")
      #expect(done.isEmpty || result.note.contains(done), "\(command): \(result.note)")
    }
  }

  @Test("A reader that has gone gets no complaint and the exit code of a closed pipe, 141")
  func noReader() async throws {
    let script = #"""
      fifo=$(mktemp -u) && mkfifo "$fifo" && exec 3<>"$fifo" 4>"$fifo" 3<&- && rm "$fifo"
      exec "$@" >&4 4>&-
      """#
    try await runAll(script) { command, done, result in
      #expect(result.code == 141, "\(command): \(result)")
      if done.isEmpty {
        #expect(result.note == "", "\(command)")
      } else {
        #expect(result.note.contains(done) && !result.note.contains("cannot write"), "\(command): \(result.note)")
      }
    }
  }

  @Test("What is pushed although its id could not be written is in the queue, once")
  func pushed() async throws {
    let bench = try await Bench()
    let environment = ["SMSQ_REDIS": bench.server.url, "SMSQ_QUEUE": "\(bench.queue.name)"]
    let push = try Smsq.shell(#"exec "$@" >/dev/full"#, ["push"] + Bench.message, environment: environment)
    let result = try await push.end()
    let id = try #require(try await bench.waiting().first?.json["id"] as? String)
    #expect(result.note.contains("queued with the id \(id), do not push it again"))
    #expect(try await bench.counts().waiting == 1)
  }

  @Test("Dead letters are not removed where the list of them could not be kept", arguments: ["list", "list --json"])
  func keepThenRemove(list: String) async throws {
    // A file's greatest size stands in for a full disk: 4 KiB here, of some 20.
    try await keepThenRemove(list, on: NSTemporaryDirectory(), limit: "ulimit -f 8;", reason: "File too large")
  }

  @Test(
    "Nor on a disk that is full",
    .enabled(if: FullDisk.isPossible, "mounting takes root"),
    arguments: ["list", "list --json"]
  )
  func keepThenRemoveOnFullDisk(list: String) async throws {
    let disk = try FullDisk()
    try disk.fill(leaving: 4096)
    try await keepThenRemove(list, on: disk.path, limit: "", reason: "No space left on device")
  }

  private func keepThenRemove(_ list: String, on directory: String, limit: String, reason: String) async throws {
    let bench = try await Bench()
    try await bench.bury(196)
    let file = "\(directory)/dead-\(UUID().uuidString)"
    defer { unlink(file) }
    let recipe = try Smsq.shell(
      #"\#(limit) "$1" dead \#(list) > "$2" && "$1" dead remove --all --yes"#,
      [file],
      environment: ["SMSQ_REDIS": bench.server.url, "SMSQ_QUEUE": "\(bench.queue.name)"]
    )
    let result = try await recipe.end()
    #expect(result.code == 74)
    #expect(result.note == "smsq: cannot write the result (\(reason)): what was written of it is not whole")
    #expect(try await bench.counts().dead == 196)
  }

  @Test("A pipe that somebody made non-blocking gets all of a result, however slowly it is read")
  func nonBlocking() async throws {
    let bench = try await Bench()
    try await bench.push(2_000)
    // Reads only once the pipe is full.
    let script = """
      import os, select, subprocess, sys
      end, start = os.pipe()
      os.set_blocking(start, False)
      program = subprocess.Popen(sys.argv[1:], stdout=start)
      while select.select([], [start], [], 0)[1] and program.poll() is None: pass
      os.close(start)
      sys.stdout.buffer.write(open(end, 'rb').read())
      sys.stdout.flush()
      sys.exit(program.wait())
      """
    let peek = [
      "peek", "--number", "2000", "--json", "--redis", bench.server.url, "--queue", "\(bench.queue.name)",
    ]
    let result = try await ChildProcess("python3", ["-c", script, Smsq.path] + peek).end()
    #expect(result.code == 0)
    #expect(result.stdout.split(separator: "\n").count == 2_000)
  }

  @Test("Standard input that is closed is an error, and not what Redis says")
  func closedInput() async throws {
    let bench = try await Bench()
    let environment = ["SMSQ_REDIS": bench.server.url, "SMSQ_QUEUE": "\(bench.queue.name)"]
    for strict in [[], ["--strict"]] {
      let push = try Smsq.shell(
        #"exec "$@" <&-"#,
        ["push", "--file", "-", "--format", "jsonl"] + strict,
        environment: environment
      )
      let result = try await push.end()
      #expect(result.code != 0 && result.note.contains("Bad file descriptor"), "\(result)")
    }
    #expect(try await bench.counts().waiting == 0)
  }
}

extension Bench {
  /// Leaves so many dead letters: dead1, dead2...
  func bury(_ count: Int) async throws {
    let lines = (1...count).map { #"{"to":"+15005550002","text":"hello","id":"dead\#($0)"}"# }
    let push = try await smsq("push", "--file", "-", input: lines.joined(separator: "\n"))
    if push.code != 0 { throw NeverHappened(description: "push: \(push)") }
    let worker = try worker(name: "grave")
    try await TestSupport.eventually("\(count) are dead") { try await counts().dead >= count }
    worker.send(SIGTERM)
    _ = try await worker.end()
  }
}
