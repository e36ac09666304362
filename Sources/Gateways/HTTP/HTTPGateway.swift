import SMS
import Wire

/// How one kind of server wants its requests, and what its answers mean. Pure.
protocol HTTPProvider: Sendable {
  /// The answer to a message that the server has no request for; nil for any that it has one for.
  func refusal(of message: TextMessage) -> GatewayAnswer?
  /// - Parameter now: Unix milliseconds.
  func request(for message: TextMessage, attempt: Int, now: Int64) -> HTTPRequest
  func reading(_ answer: HTTPAnswer, to message: TextMessage, now: Int64) -> GatewayAnswer
}

extension HTTPProvider {
  func refusal(of message: TextMessage) -> GatewayAnswer? { nil }
}

/// Sends over HTTP.
package final class HTTPGateway: Gateway {
  package struct Options: Sendable {
    /// Certificates of authorities in PEM; nil for the system's.
    package var caFile: String?
    /// From the beginning of a request to the end of its answer.
    package var timeout = Duration.seconds(30)
    package var userAgent = "smsq"

    package init() {}
  }

  package let name: String
  private let provider: any HTTPProvider
  private let client: HTTPClient

  private init(_ name: String, _ provider: any HTTPProvider, _ options: HTTPClient.Options) throws(HTTPSetupError) {
    self.name = name
    self.provider = provider
    client = try HTTPClient(options)
  }

  /// A server of the user's own.
  ///
  /// - Parameter secret: signs each request; nil for none.
  package convenience init(
    webhook url: GatewayURL,
    secret: WebhookSecret?,
    options: Options = Options()
  ) throws(HTTPSetupError) {
    try self.init(url.host, Webhook(secret: secret), options.client(url.text))
  }

  /// Twilio, or what speaks like it.
  package convenience init(twilio account: TwilioAccount, options: Options = Options()) throws(HTTPSetupError) {
    var client = options.client(account.messagesURL)
    client.login = (account.user, account.password)
    try self.init("twilio", Twilio(sender: account.sender), client)
  }

  /// - Returns: the temporary failure `gateway_down` when the server surely does not have the message; the unknown outcome
  ///   `no_answer` when it may have it, and no answer came, or none that can be understood.
  package func send(_ message: TextMessage, attempt: Attempt) async throws -> GatewayAnswer {
    if let refusal = provider.refusal(of: message) { return refusal }
    let request = provider.request(for: message, attempt: attempt.number, now: Timestamp.now())
    switch try await client.post(request, mayBegin: { attempt.mayBegin(message) }) {
    case .answered(let answer): return provider.reading(answer, to: message, now: Timestamp.now())
    case .notSent(let reason): return .gatewayDown(Redacted.line(reason, limit: 500))
    case .noAnswer(let reason): return .noAnswer(Redacted.line(reason, limit: 500))
    }
  }

  package func stop() async { await client.stop() }
}

extension HTTPGateway.Options {
  fileprivate func client(_ url: String) -> HTTPClient.Options {
    HTTPClient.Options(url: url, caFile: caFile, userAgent: userAgent, timeout: timeout)
  }
}
