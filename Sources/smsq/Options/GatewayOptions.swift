import ArgumentParser
import Gateways
import Glibc
import Logging
import ProcessTable

/// Where messages go: `simulator`, `twilio`, the URL of a webhook, or `command:` and a program with its arguments.
enum GatewayChoice: ExplainedArgument, Equatable {
  case simulator
  case twilio
  /// Looked at in validate(): what ArgumentParser says of a value that it could not read repeats the value, and this one may
  /// hold a password.
  case webhook(String)
  case command([String])

  private static let prefix = "command:"

  /// Splits a command at its spaces, and at nothing else: no shell reads it, so nothing in it can start another program.
  ///
  /// - Throws: `ValidationError`, also for quotes and backslashes: whoever writes one expects a shell's reading of it.
  init(explaining argument: String) throws {
    if argument == "simulator" {
      self = .simulator
      return
    }
    if argument == "twilio" {
      self = .twilio
      return
    }
    if GatewayURL.isOne(argument) {
      self = .webhook(argument)
      return
    }
    guard argument.hasPrefix(Self.prefix) else {
      throw ValidationError(
        "'\(argument)' is no gateway: write simulator, twilio, https://host/path, or command:/path/to/program"
      )
    }
    let command = argument.dropFirst(Self.prefix.count)
    if let quote = command.first(where: { "'\"\\".contains($0) }) {
      throw ValidationError(
        "the gateway's command holds \(quote), but no shell reads it: it is split at its spaces only. Put such words into "
          + "a script, or into the program's environment"
      )
    }
    // A NUL ends a string for the system: the program would be another one.
    guard !command.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
      throw ValidationError("the gateway's command holds a control character")
    }
    let words = command.split(separator: " ").map(String.init)
    guard !words.isEmpty else {
      throw ValidationError("the gateway's program is missing: write command:/path/to/program")
    }
    self = .command(words)
  }

  var argument: String {
    switch self {
    case .simulator: "simulator"
    case .twilio: "twilio"
    case .webhook(let url): url
    case .command(let words): Self.prefix + words.joined(separator: " ")
    }
  }
}

/// Which gateway, and how the simulated one behaves.
struct GatewayOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where messages go: simulator, which sends nothing; twilio, with TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN in the "
        + "environment; https://host/path, a server of yours that gets each as a POST; or command:/path/to/program and its arguments, a program of yours that sends.",
      valueName: "gateway"
    )
  )
  var gateway: GatewayChoice = .simulator

  @Option(
    help: ArgumentHelp(
      "How long one answer may take; without it by then, it is unknown whether that message was sent.",
      valueName: "time"
    )
  )
  var gatewayTimeout: Duration = .seconds(30)

  @OptionGroup var http: HTTPGatewayOptions

  @Option(
    help: ArgumentHelp("How long the simulator takes for an answer: 50ms, or a range 50ms..200ms.", valueName: "time")
  )
  var simLatency = DurationRange(.zero ... .zero)

  @Option(help: ArgumentHelp("Share of temporary failures, 0 to 1.", valueName: "share"))
  var simFail = 0.0

  @Option(help: ArgumentHelp("Share of messages throttled, 0 to 1.", valueName: "share"))
  var simThrottle = 0.0

  @Option(help: ArgumentHelp("Share of permanent failures, 0 to 1.", valueName: "share"))
  var simReject = 0.0

  @Option(
    help: ArgumentHelp(
      "Share of messages accepted whose answer is lost with the connection, 0 to 1.",
      valueName: "share"
    )
  )
  var simDrop = 0.0

  @Option(help: ArgumentHelp("Most messages a second; more are throttled.", valueName: "number"))
  var simRate: Int?

  @Option(
    help: ArgumentHelp(
      "Draws the simulator's outcomes: the same seed, the same outcomes for the same messages.",
      valueName: "number"
    )
  )
  var simSeed: UInt64 = 0

  // The last two are for tests that kill workers, and hidden from the help; docs/reliability.md describes them.
  @Option(
    help: ArgumentHelp(
      "Append a line 'id attempt time' to this file for each message that the simulator takes.",
      valueName: "path",
      visibility: .hidden
    )
  )
  var simLedger: String?

  @Option(
    help: ArgumentHelp(
      "Die as by kill -9 when a message holds this text.",
      valueName: "text",
      visibility: .hidden
    )
  )
  var simCrashOn: String?

  private var simulator: SimulatorOptions {
    var options = SimulatorOptions()
    options.latency = simLatency.bounds
    options.failureRatio = simFail
    options.throttleRatio = simThrottle
    options.permanentRatio = simReject
    options.dropRatio = simDrop
    options.maxPerSecond = simRate
    options.seed = simSeed
    options.ledgerPath = simLedger
    options.crashText = simCrashOn
    return options
  }

  func validate() throws {
    if let problem = simulator.problem { throw ValidationError("The simulator cannot run: \(problem).") }
    if !(.milliseconds(100) ... .seconds(3600)).contains(gatewayTimeout) {
      throw ValidationError("--gateway-timeout is \(gatewayTimeout.argument): write 100ms to 1h.")
    }
    try http.validate(for: gateway)
  }

  /// Makes the gateway, and ends it when `body` is done.
  ///
  /// - Parameter database: where the simulator records what it sends; nil for nowhere.
  /// - Throws: `Failure` if a program cannot be started, or is to keep the simulator's books.
  func withGateway<Result>(
    recordingIn database: ProcessDatabase? = nil,
    logger: Logger,
    _ body: (any Gateway) async throws -> Result
  ) async throws -> Result {
    switch gateway {
    case .simulator:
      let simulated = SimulatedGateway(simulator)
      return try await body(database.map { RecordingGateway(simulated, in: $0) } ?? simulated)
    case .twilio, .webhook:
      try refuseBooks(database)
      return try await ending(try http.gateway(gateway, timeout: gatewayTimeout), body)
    case .command(let command):
      try refuseBooks(database)
      // Its own thread: a reader of standard error that stalls must not stall the gateway.
      let errors = LineWriter(descriptor: STDERR_FILENO) { count, _ in
        Array("gateway: (\(count) lines left out)\n".utf8)
      }
      var options = ProgramGateway.Options()
      options.timeout = gatewayTimeout
      let gateway: ProgramGateway
      do {
        gateway = try ProgramGateway(command: command, options: options, logger: logger) { line in
          errors.write { $0 += "gateway: ".utf8 + line + [UInt8(ascii: "\n")] }
        }
      } catch {
        throw Failure("\(error)", error.isTemporary ? .tempFail : .config)
      }
      defer { errors.flush(timeout: .seconds(1)) }
      return try await ending(gateway, body)
    }
  }

  private func refuseBooks(_ database: ProcessDatabase?) throws {
    guard database != nil else { return }
    throw Failure("--outbox is for --gateway simulator: a real provider keeps its own books", .usage)
  }

  private func ending<Result>(
    _ gateway: any Gateway,
    _ body: (any Gateway) async throws -> Result
  ) async throws -> Result {
    let result: Swift.Result<Result, any Error>
    do {
      result = .success(try await body(gateway))
    } catch {
      result = .failure(error)
    }
    await gateway.stop()
    return try result.get()
  }
}
