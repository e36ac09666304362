import ArgumentParser
import Gateways
import Glibc
import SMS
import Wire

/// What gateways over HTTP need to know.
struct HTTPGatewayOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "For https: certificates of the authorities that may have issued the server's, in PEM. (default: the system's)",
      valueName: "path"
    )
  )
  var gatewayCa: String?

  @Option(
    help: ArgumentHelp(
      "For https://host/path: a file with the secret that signs each request (webhook-signature).",
      valueName: "path"
    )
  )
  var gatewaySecretFile: String?

  @Option(
    help: ArgumentHelp(
      "The same secret itself. Everybody on this host sees it here; give it by SMSQ_GATEWAY_SECRET.",
      valueName: "secret"
    )
  )
  var gatewaySecret: String?

  @Option(
    help: ArgumentHelp(
      "For twilio: who sends messages that name no sender: a messaging service (MG...), a number or a name.",
      valueName: "sender"
    )
  )
  var gatewayFrom: String?

  @Option(
    help: ArgumentHelp(
      "For twilio: another host that speaks like it. (default: \(TwilioAccount.standardURL))",
      valueName: "url"
    )
  )
  var gatewayUrl: String?

  /// Says which option is for another gateway than the one chosen, and what is wrong with a URL.
  func validate(for gateway: GatewayChoice) throws {
    let isTwilio = gateway == .twilio
    let webhook: String? = if case .webhook(let url) = gateway { url } else { nil }
    let url = try webhook.map { try Self.url($0, "--gateway") } ?? gatewayUrl.map { try Self.url($0, "--gateway-url") }
    let options = [
      ("--gateway-secret-file", gatewaySecretFile, webhook != nil, "https://host/path"),
      ("--gateway-secret", gatewaySecret, webhook != nil, "https://host/path"),
      ("--gateway-from", gatewayFrom, isTwilio, "twilio"), ("--gateway-url", gatewayUrl, isTwilio, "twilio"),
      ("--gateway-ca", gatewayCa, isTwilio || webhook != nil, "https://host/path or twilio"),
    ]
    for (option, value, isOfUse, wanted) in options {
      if value?.isEmpty == true { throw ValidationError("\(option) is empty.") }
      if value != nil, !isOfUse { throw ValidationError("\(option) is for --gateway \(wanted).") }
    }
    if gatewayCa != nil, url?.isSecure == false {
      throw ValidationError("--gateway-ca is about TLS, and the gateway's URL begins with http://: write https://.")
    }
    if gatewaySecret != nil, gatewaySecretFile != nil {
      throw ValidationError("--gateway-secret and --gateway-secret-file are two ways to say the same: give one.")
    }
    if isTwilio, let gatewayUrl, gatewayUrl.contains("?") {
      throw ValidationError("--gateway-url has a query (?...): write the beginning of the address only.")
    }
    if let gatewayFrom, case .address = TwilioAccount.Sender(gatewayFrom) {
      do throws(MessageError) {
        try SenderID.check(gatewayFrom)
      } catch {
        throw ValidationError(
          "--gateway-from is neither a messaging service's SID (MG and 32 digits) nor a sender: \(error)."
        )
      }
    }
  }

  private static func url(_ text: String, _ option: String) throws -> GatewayURL {
    do {
      return try GatewayURL(text)
    } catch {
      throw ValidationError("The URL that \(option) gives cannot be used: \(error).")
    }
  }

  /// - Throws: ``Failure`` for what is missing or cannot be read.
  func gateway(_ choice: GatewayChoice, timeout: Duration) throws -> HTTPGateway {
    var options = HTTPGateway.Options()
    options.timeout = timeout
    // As OpenSSL reads it, whose variable it is.
    options.caFile = gatewayCa ?? Self.variable("SSL_CERT_FILE")
    options.userAgent = "smsq/\(Version.current)"
    do {
      if case .webhook(let url) = choice, let url = try? GatewayURL(url) {
        return try HTTPGateway(webhook: url, secret: try secret().map { try WebhookSecret($0) }, options: options)
      }
      return try HTTPGateway(twilio: try account(), options: options)
    } catch let error as HTTPSetupError {
      throw Failure("the gateway cannot be used: \(error)", .config)
    }
  }

  private func secret() throws -> String? {
    guard let path = gatewaySecretFile else { return gatewaySecret }
    guard let file = fopen(path, "r") else {
      throw Failure("cannot read the secret in '\(path)': \(String(cString: strerror(errno)))", .config)
    }
    defer { fclose(file) }
    // A secret has some 40 characters.
    var bytes = [UInt8](repeating: 0, count: 4097)
    let count = fread(&bytes, 1, bytes.count, file)
    guard ferror(file) == 0 else {
      throw Failure("cannot read the secret in '\(path)': \(String(cString: strerror(errno)))", .config)
    }
    guard count < bytes.count, let text = String(validating: bytes.prefix(count), as: UTF8.self) else {
      throw Failure("'\(path)' holds no secret: it is longer than 4,096 bytes, or no text", .config)
    }
    let secret = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    guard !secret.isEmpty else { throw Failure("the file '\(path)' is empty: it is to hold the secret", .config) }
    return secret
  }

  private func account() throws -> TwilioAccount {
    guard let sid = Self.variable("TWILIO_ACCOUNT_SID") else {
      throw Failure(
        "the environment variable TWILIO_ACCOUNT_SID is not set; Twilio's console shows what it is to hold",
        .config
      )
    }
    guard sid.hasPrefix("AC"),
      sid.utf8.allSatisfy({ $0 < 0x80 && Character(Unicode.Scalar($0)).isLetter || isDigit($0) })
    else {
      let hint = sid.hasPrefix("SK") ? ": this is an API key's, and goes into TWILIO_API_KEY" : ""
      throw Failure("TWILIO_ACCOUNT_SID is no account's SID, which is AC and 32 letters and digits\(hint)", .config)
    }
    let (user, password): (String, String)
    switch (Self.variable("TWILIO_API_KEY"), Self.variable("TWILIO_API_SECRET"), Self.variable("TWILIO_AUTH_TOKEN")) {
    case (let key?, let secret?, _): (user, password) = (key, secret)
    case (.some, nil, _):
      throw Failure("TWILIO_API_KEY is set, and TWILIO_API_SECRET, which belongs to it, is not", .config)
    case (nil, _, let token?): (user, password) = (sid, token)
    case (nil, _, nil):
      throw Failure(
        "the environment variable TWILIO_AUTH_TOKEN is not set, nor TWILIO_API_KEY and TWILIO_API_SECRET",
        .config
      )
    }
    let sender = gatewayFrom ?? Self.variable("TWILIO_MESSAGING_SERVICE_SID")
    var account = TwilioAccount(sid: sid, user: user, password: password, sender: sender.map(TwilioAccount.Sender.init))
    if let gatewayUrl { account.baseURL = gatewayUrl }
    return account
  }

  /// Nil for one that is not set, or empty.
  private static func variable(_ name: String) -> String? {
    guard let value = getenv(name).map({ String(cString: $0).trimmed() }), !value.isEmpty else { return nil }
    return value
  }
}
