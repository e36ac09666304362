import ArgumentParser
import Foundation
import Gateways
import Glibc
import Logging
import ProcessTable
import SMS
import Worker

struct CronCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cron",
    abstract: "Work off the process table, once. Made to be called by crontab.",
    discussion: """
      Takes the rows that are due, has each done, records the outcomes, and ends when no row is due or --max-runtime is \
      over. Runs may overlap, and any number of them may run at once: no two ever take the same row.

        * * * * *  /usr/local/bin/smsq cron --database /srv/shop/smsq.db

      The whole path, because cron's own PATH is /usr/bin:/bin.

      Says nothing while all is well, so that cron sends no mail. Rows that failed and will be tried again say nothing \
      either; --verbose says what became of each row.

      Exit codes: 0 all is well, or nothing to do; 75 some rows failed and will be tried again; 65 rows are dead, and \
      named; 69 the database or Redis is not there; 77 the database may not be written. docs/cron.md has the rest.

      Signals: TERM, INT or HUP claims no more and finishes what is in hand; a second TERM or INT interrupts that.
      """
  )

  @OptionGroup var databaseOptions: DatabaseOptions

  @Option(help: ArgumentHelp("Most rows in hand at once.", valueName: "number"))
  var processes = 10

  @Option(help: ArgumentHelp("Most rows to take in this run.", valueName: "number"))
  var limit: Int?

  @Option(help: ArgumentHelp("Take no more rows after this time; what is in hand is finished.", valueName: "time"))
  var maxRuntime: Duration = .seconds(55)

  @Option(help: ArgumentHelp("Do nothing but in the minutes of the local day that this divides.", valueName: "time"))
  var every: Schedule?

  @Option(help: ArgumentHelp("How long a command may take.", valueName: "time"))
  var timeout: Duration = .seconds(300)

  @Option(help: ArgumentHelp("How long after its last sign of life a run counts as killed.", valueName: "time"))
  var lease: Duration = .seconds(60)

  @Option(help: ArgumentHelp("Failed tries before a row is given up.", valueName: "number"))
  var maxAttempts = 10

  @Option(help: ArgumentHelp("Killed runs with a row in hand before it is given up.", valueName: "number"))
  var maxCrashes = 3

  @Option(help: ArgumentHelp("Retry after up to this time, doubled with each failure.", valueName: "time"))
  var backoffBase: Duration = .seconds(30)

  @Option(help: ArgumentHelp("The longest back-off.", valueName: "time"))
  var backoffMax: Duration = .seconds(3600)

  @OptionGroup var redis: RedisOptions
  @OptionGroup var country: CountryCodeOption
  @OptionGroup var segments: MaxSegmentsOption
  @OptionGroup var gatewayOptions: GatewayOptions
  @OptionGroup var unknownOption: UnknownOption
  @OptionGroup var outboxOptions: OutboxOptions

  @Flag(name: .shortAndLong, help: "Say what became of each row.")
  var verbose = false

  @Flag(help: "Write what the run did as one JSON object, also when that was nothing.")
  var json = false

  func validate() throws {
    let wholeNumbers = [
      ("--processes", processes, 1...10_000), ("--limit", limit ?? 1, 1...Int.max),
      ("--max-attempts", maxAttempts, 1...1_000_000), ("--max-crashes", maxCrashes, 1...1_000_000),
    ]
    for (option, value, range) in wholeNumbers where !range.contains(value) {
      throw ValidationError("\(option) is \(value): write a number from \(range.lowerBound) to \(range.upperBound).")
    }
    if lease < .seconds(1) { throw ValidationError("--lease is \(lease.argument): write 1s or more.") }
    if timeout <= .zero { throw ValidationError("--timeout is \(timeout.argument): write more than 0s.") }
    if backoffMax < backoffBase {
      throw ValidationError(
        "--backoff-max (\(backoffMax.argument)) is shorter than --backoff-base (\(backoffBase.argument))."
      )
    }
  }

  func run() async throws {
    if let every, !every.includes(minute: Schedule.currentMinute()) { return }
    let table = try databaseOptions.table(.readWrite)
    let report = CronReport(isVerbose: verbose)
    let control = RunControl()
    let signals = await SignalHandlers(for: control)
    defer { signals.cancel() }
    let log = EventLog(format: .text, level: .warning, descriptor: STDERR_FILENO)
    defer { log.flush() }
    let logger = Logger(label: "smsq") { _ in log }
    let summary = try await gatewayOptions.withGateway(
      recordingIn: outboxOptions.outbox ? table.database : nil,
      logger: logger
    ) { gateway in
      let run = ProcessRun(table, handler: actions(gateway, logger), options: options, control: control) {
        report.note($0)
      }
      do {
        return try await run.run()
      } catch let broken as ProcessRun.Broken {
        throw failure(broken)
      }
    }
    report.finish(summary)
    if json { try Terminal.print(JSONLine.encode(summary), done: CronReport.text(summary)) }
    if !summary.unavailable.isEmpty { throw ExitCode.unavailable }
    if summary.dead > 0 { throw ExitCode.dataError }
    if summary.retried + summary.interrupted + summary.lost > 0 { throw ExitCode.tempFail }
  }

  private func actions(_ gateway: any Gateway, _ logger: Logger) -> RowActions {
    RowActions(
      send: SendAction(
        handler: SMSHandler(
          gateway: gateway,
          defaultCountryCode: country.defaultCountryCode,
          showNumbers: false,
          maxSegments: segments.maxSegments
        ),
        watch: GatewayWatch(longestBackoff: backoffMax, logger: logger, startFields: ["gateway": "\(gateway.name)"]),
        onUnknown: unknownOption.onUnknown
      ),
      command: CommandAction(timeout: timeout),
      queue: QueueAction(
        connect: redis.connect,
        isCluster: redis.isCluster,
        defaultCountryCode: country.defaultCountryCode,
        maxSegments: segments.maxSegments
      )
    )
  }

  private var options: RunOptions {
    // Not the process id alone: it is used again, and a new run must not take an old one's rows for its own.
    var options = RunOptions(owner: "\(getpid())-\(UUID().uuidString.lowercased())")
    options.processes = processes
    options.limit = limit
    options.maxRuntime = maxRuntime
    options.lease = lease
    options.maxAttempts = maxAttempts
    options.maxCrashes = maxCrashes
    let backoff = Backoff(base: backoffBase, max: backoffMax)
    options.retryDelay = { backoff.delay(afterFailures: $0, jitter: .random(in: 0..<1)) }
    return options
  }

  private func failure(_ broken: ProcessRun.Broken) -> Failure {
    let failure = Failure(broken.error)
    if broken.unrecorded.isEmpty { return failure }
    let ids = broken.unrecorded.prefix(CronReport.maxLines).map(String.init).joined(separator: ", ")
    let more = broken.unrecorded.count > CronReport.maxLines ? ", ..." : ""
    return Failure(
      "\(failure.description)\nwhat became of the rows \(ids)\(more) could not be recorded: they may be done, and are done "
        + "again when the lease (\(lease.argument)) ends",
      failure.code
    )
  }
}

/// What a row asks for, by its action.
struct RowActions: RowHandler {
  let send: SendAction
  let command: CommandAction
  let queue: QueueAction

  func handle(_ row: ClaimedRow) async -> RowOutcome {
    switch row.action {
    case .send: await send.run(row)
    case .command: await command.run(row)
    case .queue: await queue.run(row)
    }
  }
}
