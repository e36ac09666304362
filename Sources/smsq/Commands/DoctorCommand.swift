import ArgumentParser
import MessageQueue
import RedisClient
import Reports

struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check Redis, the queues and the supervisor's configuration, and say what to do.",
    discussion: """
      Reads only, also on a live queue. One line a check, ok, warning or problem; exits with 0 where there is no problem, \
      69 where Redis is not there, 78 where there is one.

        smsq doctor --queue otp --queue sms --supervisor-config /etc/supervisor/conf.d/smsq-worker.conf

      With --worker it is a probe for that worker alone, of one line: it exits with 0 if the worker has claimed from each \
      --queue within the last --within, if only to find nothing, and else with 69.

        smsq doctor --worker sender-1 --within 30s
      """
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queuesOption: QueuesOption

  @Option(
    help: ArgumentHelp("A supervisord.conf, or one file of its conf.d, to check as well.", valueName: "path")
  )
  var supervisorConfig: String?

  @Option(help: ArgumentHelp("The drain time of workers whose command does not name one.", valueName: "time"))
  var drain: Duration = .seconds(30)

  @Option(help: ArgumentHelp("Replicas that Redis should have online.", valueName: "number"))
  var replicas = 0

  @Option(help: ArgumentHelp("Check this worker only.", valueName: "name"))
  var worker: String?

  @Option(
    help: ArgumentHelp("How long ago its last claim may be; not less than its --lease.", valueName: "time")
  )
  var within = WorkerProbe.patience

  @Flag(help: "Write one JSON object a line for each check.")
  var json = false

  func validate() throws {
    if !(0...1000).contains(replicas) { throw ValidationError("--replicas is \(replicas): write 0 to 1000.") }
    if within < .seconds(1) { throw ValidationError("--within is \(within.argument): write 1s or more.") }
  }

  func run() async throws {
    if let worker {
      try await probe(worker)
    } else {
      try await checkUp()
    }
  }

  // MARK: All of it

  private func checkUp() async throws {
    let checkUp = await CheckUp(of: redis.queues(queuesOption.queues), replicas: replicas)
    // Without Redis the rest can be checked all the same.
    var findings = checkUp.findings
    if let supervisorConfig { findings += SupervisorCheck.findings(path: supervisorConfig, drain: drain) }

    for finding in findings { try Terminal.print(json ? JSONLine.encode(Line(finding)) : Self.text(finding)) }
    let problems = findings.filter { $0.level == .problem }.count
    let warnings = findings.filter { $0.level == .warning }.count
    let summary = "\(problems) problem\(problems == 1 ? "" : "s"), \(warnings) warning\(warnings == 1 ? "" : "s")"
    if let absence = checkUp.absence {
      // What comes and goes is absence to a doctor; what is wrong with the URL stays so.
      throw Failure(summary, absence.cause.exitCode == .config ? .config : .unavailable)
    }
    if problems > 0 { throw Failure(summary, .config) }
    Terminal.note(warnings == 0 ? "all is well" : "\(summary): it works, see the warnings")
  }

  private struct Line: Encodable {
    let check: String
    let level: String
    let found: String
    let hint: String?

    init(_ finding: Finding) {
      check = finding.check
      level = finding.level.rawValue
      found = finding.found
      hint = finding.hint
    }
  }

  static func text(_ finding: Finding) -> String {
    let level = finding.level.rawValue
    let hint = finding.hint.map { " - \($0)" } ?? ""
    return "\(level)\(String(repeating: " ", count: 9 - level.count))\(finding.check): \(finding.found)\(hint)"
  }

  // MARK: One worker

  private func probe(_ name: String) async throws {
    for queue in redis.queues(queuesOption.queues) {
      var snapshots: [QueueSnapshot] = []
      do throws(RedisError) {
        let first = try await queue.first.inspect()
        snapshots.append(first)
        // Those that are not pushed to may not be served yet, or not any more.
        for shard in 1..<min(first.shards.served, first.shards.spread.shards) {
          snapshots.append(try await queue.shard(shard).inspect())
        }
      } catch {
        // To a probe, nothing but a healthy worker is a success.
        throw Failure("cannot ask Redis for worker \(name): \(error)", .unavailable)
      }
      for snapshot in snapshots {
        guard let complaint = WorkerProbe.complaint(of: name, in: snapshot, within: within) else { continue }
        throw Failure("worker \(name), queue \(snapshot.queue): \(complaint)", .unavailable)
      }
    }
    try Terminal.print("worker \(name) is healthy: it claimed within the last \(within.argument)")
  }
}
