import ArgumentParser
import Glibc
import Logging
import MessageQueue
import ProcessTable
import SMS
import Web
import Worker

struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker",
    abstract: "Take messages from the queues and send them, until told to stop.",
    discussion: """
      Runs for ever: where Redis is not there, it waits and comes back. Made to be kept alive by supervisord; see \
      supervisor/smsq-worker.conf.

        smsq worker --queue otp --queue sms --name sender-1 --concurrency 200
        smsq worker --gateway command:/usr/local/bin/my-gateway

      Signals: TERM or INT finishes what is in hand and exits with 0; a second one, or the end of --drain, gives back \
      what is not finished and exits with 75. TSTP claims no more and keeps running. HUP changes nothing, unless it comes \
      because the terminal that shows the log was closed: that is as TERM.

      Standard output carries one line an event: started, sent, retry, dead, expired, recovered, redis-lost, redis-back, \
      quiet, draining, stopped, and a few more; docs/message-path.md explains each.
      """
  )

  @OptionGroup var redis: RedisOptions

  @OptionGroup var queuesOption: QueuesOption

  @Option(
    help: ArgumentHelp(
      "A stable name, one a worker: after a crash it takes back at once what it held. (default: the host's name and random digits)",
      valueName: "name"
    )
  )
  var name: String?

  @Option(help: ArgumentHelp("Most messages in hand at once.", valueName: "number"))
  var concurrency = 100

  @Option(
    help: ArgumentHelp("How long a worker may be silent before others take over what it holds.", valueName: "time")
  )
  var lease: Duration = .seconds(10)

  @Option(
    help: ArgumentHelp(
      "Longest wait in Redis: a message that wakes nobody is found after it.",
      valueName: "time"
    )
  )
  var wakeTimeout: Duration = .milliseconds(250)

  @Option(help: ArgumentHelp("How long a stop waits for messages in hand.", valueName: "time"))
  var drain: Duration = .seconds(30)

  @Option(help: ArgumentHelp("Temporary failures before a message is given up.", valueName: "number"))
  var maxAttempts = 10

  @Option(help: ArgumentHelp("Crashes with a message in hand before it is given up as poison.", valueName: "number"))
  var maxCrashes = 3

  @Option(
    help: ArgumentHelp("Largest payload to take; a larger one goes to the dead letters unread.", valueName: "size")
  )
  var maxPayload = PayloadSize.standard

  @Option(help: ArgumentHelp("Retry after up to this time, doubled with each failure.", valueName: "time"))
  var backoffBase: Duration = .seconds(2)

  @Option(help: ArgumentHelp("The longest back-off.", valueName: "time"))
  var backoffMax: Duration = .seconds(600)

  @Option(help: "What a crashed worker held: send it again, or hold it among the dead letters.")
  var afterCrash = WorkerOptions.MayBeSent.resend

  @Option(help: ArgumentHelp("Most dead letters to keep; 0 for no bound.", valueName: "number"))
  var deadMax = 100_000

  @Option(help: ArgumentHelp("How long to keep dead letters; 0s for ever.", valueName: "time"))
  var deadAge: Duration = .seconds(30 * 86400)

  @Option(
    help: ArgumentHelp(
      "How long smsq status can tell what became of a message that was sent or has expired; 0s not at all.",
      valueName: "time"
    )
  )
  var keep: Duration = .zero

  @Option(help: ArgumentHelp("Replicas that Redis should have online; fewer are warned of.", valueName: "number"))
  var replicas = 0

  @Option(
    help: ArgumentHelp(
      "Send in these hours of the day only, such as 08:00-21:00@Asia/Shanghai; other messages are put off until then.",
      valueName: "hours@zone"
    )
  )
  var sendWindow: SendWindow?

  @Option(
    help: ArgumentHelp(
      "Do not send what names no expires_at later than so long after its push, or its first claim where that is not known.",
      valueName: "time"
    )
  )
  var expiresIn: Duration?

  @Option(help: "How payloads are written: JSON, PHP's serialize(), or each as its beginning shows.")
  var payload = PayloadFormat.auto

  @Option(
    help: ArgumentHelp(
      "Serve /metrics for Prometheus, /healthz and /readyz here: 127.0.0.1:9464 or unix:/path. Needs libmicrohttpd12.",
      valueName: "address"
    )
  )
  var metrics: ListenAddress?

  @OptionGroup var country: CountryCodeOption
  @OptionGroup var segments: MaxSegmentsOption
  @OptionGroup var gatewayOptions: GatewayOptions
  @OptionGroup var unknownOption: UnknownOption
  @OptionGroup var outboxOptions: OutboxOptions
  @OptionGroup var databaseOptions: DatabaseOptions
  @OptionGroup var logOptions: LogOptions

  func validate() throws {
    let wholeNumbers = [
      ("--concurrency", concurrency, 1...100_000), ("--max-attempts", maxAttempts, 1...1_000_000),
      ("--max-crashes", maxCrashes, 1...1_000_000), ("--dead-max", deadMax, 0...Int.max),
      ("--replicas", replicas, 0...1000),
    ]
    for (option, value, range) in wholeNumbers where !range.contains(value) {
      throw ValidationError("\(option) is \(value): write a number from \(range.lowerBound) to \(range.upperBound).")
    }
    if lease < .seconds(1) { throw ValidationError("--lease is \(lease.argument): write 1s or more.") }
    if wakeTimeout < .milliseconds(10) || wakeTimeout > .seconds(60) {
      throw ValidationError("--wake-timeout is \(wakeTimeout.argument): write 10ms to 60s.")
    }
    if let expiresIn, expiresIn < .milliseconds(1) {
      throw ValidationError("--expires-in is \(expiresIn.argument): write 1ms or more, or leave it out.")
    }
    if backoffMax < backoffBase {
      throw ValidationError(
        "--backoff-max (\(backoffMax.argument)) is shorter than --backoff-base (\(backoffBase.argument))."
      )
    }
    if let name, QueueName(name) == nil {
      throw ValidationError("'\(name)' is no worker name: write 1 to 64 letters, digits and any of _ - . :")
    }
  }

  func run() async throws {
    try redis.checkFiles()
    let outbox = outboxOptions.outbox ? try books() : nil
    let log = EventLog(format: logOptions.logFormat, level: logOptions.logLevel)
    let logger = Logger(label: "smsq") { _ in log }
    let end = try await gatewayOptions.withGateway(recordingIn: outbox, logger: logger) { gateway in
      let handler = SMSHandler(
        gateway: gateway,
        payload: payload,
        defaultCountryCode: country.defaultCountryCode,
        showNumbers: logOptions.showNumbers,
        maxSegments: segments.maxSegments,
        hours: sendWindow.map(SendHours.init),
        expiresIn: expiresIn
      )
      let counts = metrics.map { _ in HandledCounts() }
      let worker = Worker(
        queues: queuesOption.queues,
        redis: redis.endpoint,
        handler: counts.map { MeteredHandler(base: handler, counts: $0) } ?? handler,
        options: options,
        logger: logger,
        output: log,
        metrics: metrics.map { _ in WorkerMetrics() }
      )
      let server = try serve(worker, counts, gateway.name, log)
      defer { withExtendedLifetime(server) {} }
      let signals = await SignalHandlers(for: worker.control, logger: logger)
      defer { signals.cancel() }
      return await worker.run()
    }
    log.flush()
    switch end {
    case .clean: break
    case .unfinished: throw ExitCode.tempFail
    case .superseded: throw ExitCode.config
    }
  }

  /// Begins to serve the worker's numbers, where somebody is to see them.
  private func serve(
    _ worker: Worker,
    _ counts: HandledCounts?,
    _ gateway: String,
    _ log: EventLog
  ) throws(Failure) -> HTTPServer? {
    guard let metrics, let counts, let numbers = worker.metrics else { return nil }
    let pages = WorkerPages {
      WorkerPages.Numbers(
        queues: numbers.snapshot(),
        handled: counts.snapshot(),
        gateway: gateway,
        isGatewayLost: worker.gateway.isLost,
        isThrottled: worker.gateway.isThrottled,
        droppedLines: log.droppedLines,
        now: .now
      )
    }
    do throws(ListenError) {
      return try HTTPServer(on: metrics, thread: "smsq-metrics") { pages.answer($0) }
    } catch {
      throw Failure("--metrics \(error)", .config)
    }
  }

  /// Not durable: the queue is what must not be lost. These books only have to outlive this process.
  private func books() throws -> ProcessDatabase {
    do {
      return try databaseOptions.open(.create, isDurable: false)
    } catch let failure as Failure where failure.code == .unavailable {
      // To a supervisor 69 would mean to try again; a path that is not there is wrong the next time, too.
      throw Failure(failure.description, .config)
    }
  }

  private var options: WorkerOptions {
    var options = WorkerOptions(name: name ?? WorkerName.own)
    options.concurrency = concurrency
    options.lease = lease
    options.wakeTimeout = wakeTimeout
    options.drain = drain
    options.maxAttempts = maxAttempts
    options.maxCrashes = maxCrashes
    options.maxPayload = maxPayload.bytes
    options.backoff = Backoff(base: backoffBase, max: backoffMax)
    options.afterCrash = afterCrash
    options.onUnknown = unknownOption.onUnknown
    options.replicas = replicas
    options.notesClaimTime = sendWindow != nil || expiresIn != nil
    options.keep = keep == .zero ? nil : keep
    options.deadLetters = DeadLetterBounds(
      count: deadMax == 0 ? nil : deadMax,
      age: deadAge == .zero ? nil : deadAge
    )
    return options
  }
}

extension PayloadFormat: ExpressibleByArgument {}

extension ListenAddress: ExplainedArgument {
  init(explaining argument: String) throws {
    guard let address = ListenAddress(argument) else {
      throw ValidationError(
        "'\(argument)' is no place to listen at: write host:port, as 127.0.0.1:9464, or unix:/path."
      )
    }
    self = address
  }

  var argument: String { description }
}
