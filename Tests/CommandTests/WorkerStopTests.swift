import Glibc
import TestSupport
import Testing

@Suite("smsq worker, how it stops", .serialized)
struct WorkerStopTests {
  /// A worker that has so many messages in hand; or that has sent some already, on a machine too busy to look in time.
  private func busyWorker(_ bench: Bench, _ count: Int, _ latency: String, _ drain: String) async throws -> ChildProcess
  {
    try await bench.push(count)
    // Claimed in Redis is not yet in hand: the worker has to have its answer, which it says at this level.
    let worker = try bench.worker("--sim-latency", latency, "--drain", drain, "--log-level", "debug")
    try await TestSupport.eventually("\(count) in hand") {
      worker.log("claimed").reduce(0) { $0 + (Int($1["messages"] ?? "") ?? 0) } == count
    }
    return worker
  }

  private func eventually(inHand count: Int, _ bench: Bench) async throws {
    try await TestSupport.eventually("\(count) in hand") {
      let counts = try await bench.counts()
      return counts.claimed == count || counts.counters["sent", default: 0] > 0
    }
  }

  @Test("TERM and INT finish what is in hand: exit code 0, all sent, nothing held", arguments: [SIGTERM, SIGINT])
  func drain(signal: Int32) async throws {
    let bench = try await Bench()
    let worker = try await busyWorker(bench, 20, "500ms", "30s")
    worker.send(signal)
    let end = try await worker.end()
    #expect(end.code == 0)
    #expect(end.stderr == "")
    let counts = try await bench.counts()
    #expect(counts.counters["sent"] == 20)
    #expect(counts.waiting == 0 && counts.claimed == 0 && counts.scheduled == 0 && counts.dead == 0)
    #expect(counts.workers.isEmpty)
    let events = worker.log.map(\.event)
    #expect(events.first == "started" && events.last == "stopped")
    #expect(events.filter { $0 == "sent" }.count == 20 && events.filter { $0 == "draining" }.count == 1)
    #expect(worker.log("stopped")[0]["unfinished"] == nil)
  }

  @Test("A stop is heeded at whatever moment of the start it comes")
  func duringStart() async throws {
    let bench = try await Bench()
    // Later and later, until the start is over several times in a row.
    var (delay, started) = (0, 0)
    while started < 5 {
      let worker = try bench.worker()
      // What is asked for is the moment, whichever it is; at the last the worker runs, however slow the machine.
      try await Task.sleep(for: .milliseconds(delay))
      if delay > 1_000 { try await worker.logs("started") }
      delay += 4 + delay / 10
      worker.send(SIGTERM)
      let end = try await worker.end(within: .seconds(20))
      let hasStarted = !worker.log("started").isEmpty
      started = hasStarted ? started + 1 : 0
      // Before it listens for signals, which is before it has started, the signal ends it by itself.
      #expect(end.code == 0 || end.code == 128 + SIGTERM && !hasStarted, "\(end)")
      #expect(worker.log("stopped").count == (hasStarted ? 1 : 0))
    }
    #expect(try await bench.violations().isEmpty)
  }

  @Test("What waits still waits after a stop: a stopping worker claims nothing more")
  func nothingMore() async throws {
    let bench = try await Bench()
    try await bench.push(10)
    let worker = try bench.worker("--sim-latency", "500ms", "--concurrency", "3")
    try await eventually(inHand: 3, bench)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    let counts = try await bench.counts()
    #expect(counts.counters["sent", default: 0] + counts.waiting == 10)
    #expect(worker.log("sent").count == counts.counters["sent", default: 0])
    #expect(try await bench.violations().isEmpty)
  }

  @Test("A second TERM gives back at once: exit code 75, all wait again")
  func secondTerm() async throws {
    let bench = try await Bench()
    let worker = try await busyWorker(bench, 7, "10m", "10m")
    worker.send(SIGTERM)
    try await worker.logs("draining")
    worker.send(SIGTERM)
    try await expectGivenBack(worker, bench, 7)
  }

  @Test("The end of --drain gives back, too")
  func drainDeadline() async throws {
    let bench = try await Bench()
    let worker = try await busyWorker(bench, 7, "10m", "300ms")
    worker.send(SIGTERM)
    try await expectGivenBack(worker, bench, 7)
  }

  private func expectGivenBack(_ worker: ChildProcess, _ bench: Bench, _ count: Int) async throws {
    let end = try await worker.end()
    #expect(end.code == 75)
    #expect(worker.log("given-back").count == count)
    #expect(worker.log("giving-back").map { $0["in_hand"] } == ["\(count)"])
    #expect(worker.log.last?.event == "stopped")
    #expect(worker.log.last?["unfinished"] == "\(count)")
    let counts = try await bench.counts()
    #expect(counts.waiting == count && counts.claimed == 0 && counts.workers.isEmpty)
    #expect(counts.counters["returned"] == count)
    #expect(try await bench.waiting().map { try $0.json["id"] as? String } == (0..<count).map { "m\($0)" })
    #expect(try await bench.violations().isEmpty)
  }

  @Test("TSTP goes quiet: finishes what is in hand, claims no more, stays, and ends at TERM")
  func quiet() async throws {
    let bench = try await Bench()
    try await bench.push(3)
    let worker = try bench.worker("--sim-latency", "500ms", "--lease", "1s")
    try await eventually(inHand: 3, bench)
    worker.send(SIGTSTP)
    try await worker.logs("quiet")
    try await bench.eventually(sent: 3)
    try await bench.push(2, prefix: "n")
    try await bench.eventuallyRenewed(times: 3)
    #expect(worker.isRunning)
    #expect(try await bench.counts().waiting == 2)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(try await bench.counts().waiting == 2)
    #expect(worker.log("quiet").count == 1 && worker.log("sent").count == 3)
  }

  // MARK: HUP

  @Test("HUP changes nothing but for a line in the log: what is in hand is sent, and so is what comes")
  func hangup() async throws {
    let bench = try await Bench()
    let worker = try await busyWorker(bench, 3, "500ms", "30s")
    for count in 1...2 {
      worker.send(SIGHUP)
      try await TestSupport.eventually("it says so") { worker.log("hangup").count == count }
    }
    try await bench.push(2, prefix: "n")
    try await bench.eventually(sent: 5)
    #expect(worker.isRunning)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log("draining").count == 1)
  }

  @Test("HUP that was ignored at the start, as by nohup, stays so")
  func nohup() async throws {
    let bench = try await Bench()
    let script = #"trap '' HUP; exec "$0" worker --redis "$1" --queue "$2" --name "$3""#
    let arguments = [Smsq.path, bench.server.url, bench.queue.name.description, bench.workerName]
    let worker = try ChildProcess("/bin/sh", ["-c", script] + arguments)
    try await worker.logs("started")
    worker.send(SIGHUP)
    try await bench.push(1)
    try await bench.eventually(sent: 1)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log("hangup").isEmpty)
  }

  @Test("HUP because the terminal that shows the log was closed is a stop: what is in hand is finished")
  func terminal() async throws {
    let bench = try await Bench()
    try await bench.push(3)
    // Runs a command on a terminal of its own, and closes that at the end of standard input.
    let script = """
      import os, pty, sys
      pid, terminal = pty.fork()
      if pid == 0:
          os.execv(sys.argv[1], sys.argv[1:])
      print(pid, flush=True)
      sys.stdin.read()
      os.close(terminal)
      print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
      """
    let worker = ["worker", "--redis", bench.server.url, "--queue", bench.queue.name.description]
    let options = ["--name", bench.workerName, "--sim-latency", "500ms", "--drain", "30s"]
    let shell = try ChildProcess("python3", ["-c", script, Smsq.path] + worker + options, input: .open)
    try await eventually(inHand: 3, bench)
    // A HUP with the terminal still there is one like any other.
    let pid = try #require(Int32(shell.lines.first ?? ""))
    kill(pid, SIGHUP)
    try await bench.eventually(sent: 3)
    try await bench.push(3, prefix: "n")
    try await TestSupport.eventually("in hand again") {
      let counts = try await bench.counts()
      return counts.claimed == 3 || counts.counters["sent", default: 0] > 3
    }
    try shell.closeInput()
    #expect(try await shell.end().output == "\(pid)\n0")
    let counts = try await bench.counts()
    #expect(counts.counters["sent"] == 6 && counts.workers.isEmpty && counts.waiting == 0)
  }

  @Test("An idle worker stops at once; while Redis is away, by the end of --drain")
  func idle() async throws {
    let server = try await RedisServer()
    let bench = try await Bench(on: server)
    let worker = try bench.worker("--wake-timeout", "60s")
    try await TestSupport.eventually("registered") { try await bench.counts().workers.count == 1 }
    worker.send(SIGTERM)
    #expect(try await worker.end(within: .seconds(10)).code == 0)

    let cutOff = try bench.worker("--drain", "500ms")
    try await TestSupport.eventually("registered") { try await bench.counts().workers.count == 1 }
    try await server.stop()
    try await cutOff.logs("redis-lost")
    cutOff.send(SIGTERM)
    // 75 where a claim was underway: what it took, if anything, is given back when its lease ends.
    #expect([0, 75].contains(try await cutOff.end(within: .seconds(20)).code))
  }

  @Test("kill -9: the next worker of that name takes back at once what it held, with a crash on its account")
  func crash() async throws {
    let bench = try await Bench()
    let victim = try await busyWorker(bench, 5, "10m", "10m")
    victim.send(SIGKILL)
    #expect(try await victim.end().code == 128 + SIGKILL)
    let worker = try bench.worker("--lease", "60s", "--concurrency", "1")
    try await bench.eventually(sent: 5)
    #expect(try await worker.logs("recovered")["messages"] == "5")
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(try await bench.counts().counters["recovered"] == 5)
    #expect(worker.log("sent").map { $0["id"] } == (0..<5).map { "m\($0)" })
    #expect(try await bench.violations().isEmpty)
  }

  @Test("--after-crash hold: what a crashed worker held is dead and not sent twice")
  func hold() async throws {
    let bench = try await Bench()
    let victim = try await busyWorker(bench, 3, "10m", "10m")
    victim.send(SIGKILL)
    _ = try await victim.end()
    let worker = try bench.worker("--after-crash", "hold")
    try await TestSupport.eventually("dead") { try await bench.counts().dead == 3 }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(try await bench.dead().allSatisfy { $0.reason?.hasPrefix("unknown: ") == true })
    #expect(try await bench.sent() == 0)
    #expect(try await bench.violations().isEmpty)
  }

  @Test("A second worker of the same name: the first gives back what it cannot finish, says so, and ends with 78")
  func superseded() async throws {
    let bench = try await Bench()
    try await bench.push(20)
    let first = try bench.worker("--sim-latency", "10m", "--lease", "1s", "--drain", "1s")
    try await TestSupport.eventually("in hand") { try await bench.counts().claimed == 20 }
    let second = try bench.worker("--lease", "1s")
    let end = try await first.end()
    #expect(end.code == 78)
    #expect(first.log("superseded").count == 1)
    #expect(first.log("superseded").first?["by"]?.hasPrefix("\(bench.workerName)@") == true)
    #expect(first.log("superseded").first?["hint"]?.contains("--name") == true)
    try await bench.eventually(sent: 20)
    #expect(first.log("given-back").count == 20 && first.log("lease-lost").isEmpty)
    #expect(second.log("recovered").isEmpty)
    #expect(second.isRunning)
    second.send(SIGTERM)
    #expect(try await second.end().code == 0)
    #expect(try await bench.violations().isEmpty)
  }

  @Test("Workers without a name have one each, and none of them ends for another")
  func unnamed() async throws {
    let bench = try await Bench()
    let arguments = [
      "worker", "--redis", bench.server.url, "--queue", bench.queue.name.description, "--lease", "1s",
    ]
    let workers = try (0..<3).map { _ in try ChildProcess(Smsq.path, arguments) }
    for worker in workers { try await worker.logs("started") }
    try await TestSupport.eventually("each has renewed its lease") {
      let lives = try await bench.counts().workers
      return lives.count == 3 && lives.allSatisfy { $0.lastClaim != nil }
    }
    #expect(Set(workers.compactMap { $0.log("started").first?["worker"] }).count == 3)
    try await bench.push(20)
    try await bench.eventually(sent: 20)
    for worker in workers {
      worker.send(SIGTERM)
      #expect(try await worker.end().code == 0)
      #expect(worker.log("superseded").isEmpty && worker.log("recovered").isEmpty)
    }
  }
}
