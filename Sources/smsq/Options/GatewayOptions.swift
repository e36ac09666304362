import ArgumentParser
import SMS

enum GatewayKind: String, ExpressibleByArgument, CaseIterable {
  case simulator
}

/// Which gateway, and how the simulated one behaves.
struct GatewayOptions: ParsableArguments {
  @Option(help: "Where messages go. The simulator sends nothing and tells no one.")
  var gateway = GatewayKind.simulator

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
      "Append a line 'id attempt' to this file for each message that the simulator takes.",
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
  }

  func makeGateway() -> any Gateway {
    switch gateway {
    case .simulator: SimulatedGateway(simulator)
    }
  }
}

struct CountryCodeOption: ParsableArguments {
  @Option(help: ArgumentHelp("Country code for national numbers, such as 86.", valueName: "code"))
  var defaultCountryCode: String?

  func validate() throws {
    guard let code = defaultCountryCode else { return }
    do {
      _ = try PhoneNumber.countryCode(code)
    } catch {
      throw ValidationError("--default-country-code: \(error).")
    }
  }
}
