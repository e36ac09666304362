import ArgumentParser
import Gateways
import Glibc
import Logging
import SMS
import Wire

struct SendCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send",
    abstract: "Send one message straight to the gateway, without a queue.",
    discussion: """
        smsq send --to +8613800138000 --text "hi" --sim-latency 50ms
        smsq send --to +8613800138000 --text "hi" --gateway command:/usr/local/bin/my-gateway

      Prints the provider's id. Exits with 65 when the message can never be sent, with 75 when it may work later.
      """
  )

  @Option(help: ArgumentHelp("The telephone number, as +8613800138000.", valueName: "number"))
  var to: String

  @Option(help: "The text.")
  var text: String?

  @OptionGroup var template: TemplateOptions
  @OptionGroup var sender: SenderOption

  @Option(help: ArgumentHelp("An id for the message. (default: a new one)", valueName: "id"))
  var id: String?

  @OptionGroup var country: CountryCodeOption
  @OptionGroup var segments: MaxSegmentsOption
  @OptionGroup var gatewayOptions: GatewayOptions
  @OptionGroup var outboxOptions: OutboxOptions
  @OptionGroup var databaseOptions: DatabaseOptions

  @Flag(help: "Write the result as one JSON object.")
  var json = false

  private struct Result: Encodable {
    let id: String
    let gateway: String
    var status: String
    let to: String
    var segments: Int?
    let encoding: String?
    var providerId: String?
    var code: String?
    var reason: String?
  }

  func run() async throws {
    try template.checkContent(beside: text)
    let message: TextMessage
    do {
      let members = [("to", to), ("text", text), ("from", sender.from)]
      message = try TextMessage.decode(
        payload: template.payload(members.compactMap { key, value in value.map { (key, $0) } }),
        assignedID: id ?? RandomUUID().text,
        defaultCountryCode: country.defaultCountryCode
      )
      try message.segmentation?.check(atMost: segments.maxSegments)
    } catch {
      throw Failure("\(error)", .dataError)
    }

    // Standard output is for the result.
    let log = EventLog(format: .text, level: .warning, descriptor: STDERR_FILENO)
    let logger = Logger(label: "smsq") { _ in log }
    defer { log.flush() }
    let outbox = outboxOptions.outbox ? try databaseOptions.open(.create) : nil
    try await gatewayOptions.withGateway(recordingIn: outbox, logger: logger) { try await send(message, to: $0) }
  }

  private func send(_ message: TextMessage, to gateway: any Gateway) async throws {
    var result = Result(
      id: message.id,
      gateway: gateway.name,
      status: "accepted",
      to: message.to.e164,
      segments: message.segmentation?.segments,
      encoding: message.segmentation?.encoding.rawValue
    )
    var failure: Failure?
    do {
      switch try await gateway.send(message, attempt: Attempt(1)) {
      case .accepted(let providerID, let segments):
        result.providerId = providerID
        result.segments = segments
      case .throttled(let code, let reason, _):
        (result.status, result.code, result.reason) = ("throttled", code, reason)
        failure = Failure("not sent: \(reason) (\(code)); the gateway asks to slow down, try again later", .tempFail)
      case .temporaryFailure(let code, let reason, _):
        (result.status, result.code, result.reason) = ("temporary-failure", code, reason)
        failure = Failure("not sent: \(reason) (\(code)); it may work later", .tempFail)
      case .permanentFailure(let code, let reason):
        (result.status, result.code, result.reason) = ("permanent-failure", code, reason)
        failure = Failure("not sent: \(reason) (\(code)); it will not work later either", .dataError)
      case .unknown(let code, let reason):
        (result.status, result.code, result.reason) = ("unknown", code, reason)
        failure = Failure("\(reason) (\(code)): the message may have been sent or not", .tempFail)
      }
    } catch {
      (result.status, result.code, result.reason) = ("unknown", "no_answer", "\(error)")
      failure = Failure("the gateway did not answer (\(error)): the message may have been sent or not", .tempFail)
    }
    let done = failure?.description ?? "the gateway has accepted the message, do not send it again"
    if json {
      try Terminal.print(JSONLine.encode(result), done: done)
    } else if let providerID = result.providerId {
      try Terminal.print(providerID, done: done)
    }
    if let failure { throw failure }
  }
}
