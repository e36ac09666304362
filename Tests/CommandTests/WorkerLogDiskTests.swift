import Foundation
import TestSupport
import Testing

/// What keeps a log from being written.
private enum Obstacle {
  case fullDisk
  /// The greatest size of a file that a process may write, which can be raised from outside.
  case sizeLimit

  var reason: String { self == .fullDisk ? "No space left on device" : "File too large" }
}

@Suite("smsq worker's log where it cannot be written", .serialized)
struct WorkerLogDiskTests {
  /// A worker that logs into a file, which takes only so many bytes until there is room again.
  private final class StuckWorker {
    let process: ChildProcess
    private let log: String
    private let obstacle: Obstacle
    private let disk: FullDisk?

    init(_ obstacle: Obstacle, room: Int, _ bench: Bench, _ arguments: String...) throws {
      self.obstacle = obstacle
      disk = obstacle == .fullDisk ? try FullDisk(megabytes: 32) : nil
      try disk?.fill(leaving: room)
      log = "\(disk?.path ?? NSTemporaryDirectory())/log-\(UUID().uuidString)"
      // In blocks of 512 bytes. The soft limit alone, which can be raised again.
      let limit = obstacle == .sizeLimit ? "ulimit -S -f \(room / 512);" : ""
      process = try Smsq.shell(
        #"\#(limit) exec "$@" >> "$LOG""#,
        ["worker", "--redis", bench.server.url, "--queue", "\(bench.queue.name)", "--name", bench.workerName]
          + arguments,
        environment: ["LOG": log]
      )
    }

    deinit { unlink(log) }

    /// Waits until the worker has said that its log cannot be written.
    func isStuck() async throws {
      try await eventually("it is stuck") { process.stderr.contains("the log cannot be written (\(obstacle.reason))") }
    }

    func makeRoom() async throws {
      switch obstacle {
      case .fullDisk: try disk?.makeRoom()
      case .sizeLimit:
        let prlimit = try ChildProcess("prlimit", ["--pid", "\(process.pid)", "--fsize=unlimited:"])
        #expect(try await prlimit.end().code == 0)
      }
    }

    /// As they stand in the file, the last one perhaps torn, in the middle of a character even.
    var rawLines: [Substring] {
      let bytes = (try? Data(contentsOf: URL(fileURLWithPath: log))) ?? Data()
      return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    }
    var lines: [LogLine] { rawLines.compactMap { LogLine(String($0)) } }
  }

  @Test("Sending goes on; when there is room again the log does, whole, and says what it lacks")
  func sizeLimit() async throws { try await goesOn(.sizeLimit) }

  @Test("The same on a disk that is full", .enabled(if: FullDisk.isPossible, "mounting takes root"))
  func fullDisk() async throws { try await goesOn(.fullDisk) }

  private func goesOn(_ obstacle: Obstacle) async throws {
    let bench = try await Bench()
    let count = 16_000
    // Long ids make long lines: what the writer keeps, 4 MiB in the buffer and as much in hand, is soon full.
    try await bench.push(count, prefix: String(repeating: "信", count: 120), "--id-lifetime", "0s")
    let stuck = try StuckWorker(obstacle, room: 64 << 10, bench, "--concurrency", "500")
    try await bench.eventually(sent: count, within: .seconds(60))
    try await stuck.isStuck()
    let before = stuck.rawLines.count
    #expect(before > 0 && before < count)
    try await stuck.makeRoom()
    try await eventually("the log goes on") { stuck.lines.contains { $0.event == "log-dropped" } }
    stuck.process.send(SIGTERM)
    let end = try await stuck.process.end()
    #expect(end.code == 0)
    #expect(end.note.split(separator: "\n").count == 1, "\(end.note)")
    let lines = stuck.lines
    #expect(lines.count == stuck.rawLines.count)
    #expect(lines.last?.event == "stopped")
    // No line is missing that is not counted: one a message, started, redis-unsafe, draining, stopped.
    let gaps = lines.filter { $0.event == "log-dropped" }
    let missing = gaps.compactMap { $0["lines"].flatMap { Int($0) } }.reduce(0, +)
    #expect(missing > 0)
    #expect(lines.count - gaps.count + missing == count + 4)
    #expect(gaps.first?["hint"]?.contains(obstacle.reason) == true)
  }

  @Test("No dead letter falls off that is not in the log; when there is room again they go on falling off")
  func lettersAtSizeLimit() async throws { try await keepsLetters(.sizeLimit) }

  @Test(
    "The same where the disk is full",
    .enabled(if: FullDisk.isPossible, "mounting takes root")
  )
  func lettersOnFullDisk() async throws { try await keepsLetters(.fullDisk) }

  private func keepsLetters(_ obstacle: Obstacle) async throws {
    let bench = try await Bench()
    let count = 3_000
    try await bench.bury(count)
    let stuck = try StuckWorker(obstacle, room: 64 << 10, bench, "--dead-max", "10", "--lease", "1s")
    func logged() -> Set<String> { Set(stuck.lines.filter { $0.event == "dead-dropped" }.compactMap { $0["payload"] }) }
    try await stuck.isStuck()
    // It tries again after two leases, which are six renewals.
    try await bench.eventuallyRenewed(times: 10)
    let dead = Set(try await bench.dead().map { String(decoding: $0.payload, as: UTF8.self) })
    #expect(dead.count > count / 2 && dead.count < count)
    #expect(dead.union(logged()).count == count)
    try await stuck.makeRoom()
    try await eventually("they fall off") { try await bench.counts().dead == 10 }
    stuck.process.send(SIGTERM)
    #expect(try await stuck.process.end().code == 0)
    #expect(stuck.lines.count == stuck.rawLines.count)
    #expect(logged().count == count - 10)
    #expect(try await bench.violations().isEmpty)
  }

  @Test("What falls off is logged at every level, whole")
  func critical() async throws {
    let bench = try await Bench()
    let count = 700
    try await bench.bury(count)
    let worker = try bench.worker("--dead-max", "10", "--log-level", "critical")
    try await eventually("they fall off") { try await bench.counts().dead == 10 }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log.allSatisfy { $0.event == "dead-dropped" && $0.level == "error" })
    #expect(worker.log.count == worker.lines.count)
    #expect(Set(try worker.log.map { try $0["payload"]?.json["id"] as? String }).count == count - 10)
  }

  @Test("A named pipe whose reader leaves and is followed by another one brings that one whole lines")
  func anotherReader() async throws {
    let bench = try await Bench()
    let fifo = NSTemporaryDirectory() + "/smsq-\(UUID().uuidString)"
    #expect(mkfifo(fifo, 0o600) == 0)
    defer { unlink(fifo) }
    let worker = try Smsq.shell(
      #"exec "$@" > "$FIFO""#,
      ["worker", "--redis", bench.server.url, "--queue", "\(bench.queue.name)"],
      environment: ["FIFO": fifo]
    )
    let first = try ChildProcess("cat", [fifo])
    try await first.logs("started")
    first.send(SIGKILL)
    _ = try await first.end()
    try await bench.push(20)
    try await bench.eventually(sent: 20)
    let second = try ChildProcess("cat", [fifo])
    try await second.logs("sent", times: 20)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    _ = try await second.end()
    #expect(second.log.count == second.lines.filter { !$0.isEmpty }.count)
    #expect(second.log.last?.event == "stopped")
  }
}
