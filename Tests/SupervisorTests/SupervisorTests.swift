import Foundation
import MessageQueue
import RedisClient
import TestSupport
import Testing

/// The repository's own smsq-worker.conf under a real supervisord: two workers, named after host, program and number.
@Suite("smsq workers under supervisord", .serialized)
struct SupervisorTests {
  private func queue(_ supervisor: PrivateSupervisor) -> MessageQueue {
    MessageQueue(QueueName("sms")!, on: supervisor.server.connection())
  }

  private func violations(_ queue: MessageQueue, _ supervisor: PrivateSupervisor) async throws -> [String] {
    InvariantCheck(try await RedisDump(of: queue.name, on: supervisor.server.connection())).violations()
  }

  @Test("They start, send, and write one event a line to logs of their own")
  func start() async throws {
    let supervisor = try await PrivateSupervisor()
    let status = try await supervisor.status("sms:*")
    #expect(Set(status.keys) == ["sms:smsq-worker-0", "sms:smsq-worker-1"])
    #expect(status.values.allSatisfy { $0.hasPrefix("RUNNING") })
    try await supervisor.push(50)
    let queue = queue(supervisor)
    try await eventually("all sent") { try await queue.inspect().counters["sent"] == 50 }
    // What comes through its pipes supervisord writes a moment later.
    try await eventually("all lines are in the logs") {
      try (0...1).flatMap { try supervisor.log($0) }.count { $0.event == "sent" } == 50
    }
    var names: Set<String> = []
    for number in 0...1 {
      names.insert(try supervisor.log(number).first { $0.event == "started" }?["worker"] ?? "")
      #expect(try supervisor.errors(number) == "")
    }
    #expect(names.count == 2 && names.allSatisfy { $0.contains("-smsq-worker-") })
  }

  @Test("stop with messages in hand finishes them and ends with 0; start and restart bring it back under its name")
  func stopAndRestart() async throws {
    let supervisor = try await PrivateSupervisor(["SMSQ_SIM_LATENCY": "3s"])
    let queue = queue(supervisor)
    try await supervisor.push(40)
    try await eventually("all in hand") { try await queue.inspect().claimed == 40 }
    let stopped = try await supervisor.control("stop", "sms:*")
    #expect(stopped.code == 0)
    #expect(try await supervisor.status("sms:*").values.allSatisfy { $0.hasPrefix("STOPPED") })
    #expect(supervisor.ownLog.components(separatedBy: "stopped: smsq-worker-").count == 3)
    #expect(supervisor.ownLog.contains("exit status 0") && !supervisor.ownLog.contains("SIGKILL"))
    let drained = try await queue.inspect()
    #expect(drained.counters["sent"] == 40 && drained.claimed == 0 && drained.waiting == 0)
    #expect(drained.workers.isEmpty)

    try await supervisor.push(5, prefix: "n")
    #expect(try await supervisor.control("start", "sms:*").code == 0)
    try await eventually("sent") { try await queue.inspect().counters["sent"] == 45 }
    let before = try await supervisor.pid()
    #expect(try await supervisor.control("restart", PrivateSupervisor.worker).code == 0)
    #expect(try await supervisor.state() == "RUNNING")
    #expect(try await supervisor.pid() != before)
    let names = try supervisor.log().filter { $0.event == "started" }.compactMap { $0["worker"] }
    #expect(names.count == 3 && Set(names).count == 1)
    #expect(try await violations(queue, supervisor).isEmpty)
  }

  @Test("tail -f shows a worker's lines as they come")
  func tail() async throws {
    let supervisor = try await PrivateSupervisor()
    let tail = try ChildProcess(
      "supervisorctl",
      ["-c", supervisor.folder + "/supervisord.conf", "tail", "-f", PrivateSupervisor.worker],
      environment: ["PYTHONUNBUFFERED": "1"]
    )
    try await eventually("the log so far") { tail.stdout.contains("event=started") }
    // Worker 1 takes messages as well, so push until worker 0 has had one.
    var count = 0
    try await eventually("a new line") {
      count += 1
      try await supervisor.push(1, prefix: "tail-\(count)-")
      return tail.stdout.contains("event=sent") && tail.stdout.contains("id=tail-")
    }
    tail.send(SIGKILL)
    _ = try await tail.end()
  }

  @Test("signal TSTP makes them quiet, and restart ends that")
  func quiet() async throws {
    let supervisor = try await PrivateSupervisor()
    #expect(try await supervisor.control("signal", "TSTP", "sms:*").code == 0)
    try await eventually("quiet") {
      try (0...1).allSatisfy { number in try supervisor.log(number).contains { $0.event == "quiet" } }
    }
    try await supervisor.push(3)
    #expect(try await supervisor.status("sms:*").values.allSatisfy { $0.hasPrefix("RUNNING") })
    #expect(try await queue(supervisor).inspect().waiting == 3)
    #expect(try await supervisor.control("restart", "sms:*").code == 0)
    let queue = queue(supervisor)
    try await eventually("sent") { try await queue.inspect().counters["sent"] == 3 }
  }

  @Test("signal HUP, as logrotate has it sent, leaves them running and sending")
  func hangup() async throws {
    let supervisor = try await PrivateSupervisor()
    let before = try await supervisor.pid()
    #expect(try await supervisor.control("signal", "HUP", "sms:*").code == 0)
    try await eventually("they say so") {
      try (0...1).allSatisfy { number in try supervisor.log(number).contains { $0.event == "hangup" } }
    }
    try await supervisor.push(3)
    let queue = queue(supervisor)
    try await eventually("sent") { try await queue.inspect().counters["sent"] == 3 }
    #expect(try await supervisor.pid() == before)
  }

  @Test("kill -9 of one with messages in hand: it is started again, takes them back, and nothing is lost")
  func crash() async throws {
    let supervisor = try await PrivateSupervisor(["SMSQ_SIM_LATENCY": "4s", "SMSQ_LEASE": "60s"])
    // So that the other one cannot take anything.
    #expect(try await supervisor.control("stop", "sms:smsq-worker-1").code == 0)
    let queue = queue(supervisor)
    // Asked for first: on a busy machine that takes longer than the messages are in hand.
    let pid = try await supervisor.pid()
    try await supervisor.push(30)
    try await eventually("in hand") { try await queue.inspect().claimed == 30 }
    kill(pid, SIGKILL)
    try await eventually("started again") {
      let now = try await supervisor.pid()
      return now > 0 && now != pid
    }
    try await eventually("sent by the new life") { try await queue.inspect().counters["sent"] == 30 }
    let recovered = try supervisor.log().filter { $0.event == "recovered" }
    #expect(recovered.compactMap { Int($0["messages"] ?? "") }.reduce(0, +) == 30)
    #expect(try await queue.inspect().counters["recovered"] == 30)
    #expect(try await violations(queue, supervisor).isEmpty)
    try await eventually("RUNNING") { try await supervisor.state() == "RUNNING" }
  }

  @Test("A second worker of the same name: the supervised one ends with 78, and is left so")
  func superseded() async throws {
    let supervisor = try await PrivateSupervisor(["SMSQ_LEASE": "2s"])
    let name = try #require(try supervisor.log().first { $0.event == "started" }?["worker"])
    let rival = try ChildProcess(
      Smsq.path,
      ["worker", "--redis", supervisor.server.url, "--queue", "otp", "--queue", "sms", "--name", name]
    )
    try await eventually("it has ended") { try await supervisor.state() == "EXITED" }
    #expect(supervisor.ownLog.contains("exit status 78; expected"))
    #expect(try supervisor.log().contains { $0.event == "superseded" })
    // The other one is restarted meanwhile: a sign that supervisord has had the time to start this one, too.
    #expect(try await supervisor.control("restart", "sms:smsq-worker-1").code == 0)
    #expect(try await supervisor.state() == "EXITED")
    #expect(rival.isRunning)
    rival.send(SIGTERM)
    #expect(try await rival.end().code == 0)
  }

  @Test("A mistake in the options ends in FATAL, with the reason in the error log")
  func mistake() async throws {
    let supervisor = try await PrivateSupervisor()
    let path = supervisor.folder + "/supervisord.conf"
    let conf = try String(contentsOfFile: path, encoding: .utf8)
    // On a busy machine it may take longer than two seconds to refuse, and would count as started.
    let changes = ["--drain 30s": "--drain 30", "startretries=5": "startretries=1", "startsecs=2": "startsecs=60"]
    try changes.reduce(conf) { $0.replacingOccurrences(of: $1.key, with: $1.value) }
      .write(toFile: path, atomically: false, encoding: .utf8)
    #expect(try await supervisor.control("update").code == 0)
    try await eventually("given up") { try await supervisor.state() == "FATAL" }
    #expect(try supervisor.errors().contains("'30' has no unit"))
    let tail = try await supervisor.control("tail", PrivateSupervisor.worker, "stderr")
    #expect(tail.stdout.contains("--drain"))
  }
}
