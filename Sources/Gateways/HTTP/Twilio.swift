import SMS
import Wire

/// Whose account sends, and as whom.
package struct TwilioAccount: Sendable {
  /// Who sends messages that name no sender.
  package enum Sender: Sendable, Equatable {
    case service(String)
    case address(String)

    /// - Parameter text: a messaging service's SID, which begins with MG and has 34 characters, or a number or name.
    package init(_ text: String) {
      let isSID = text.hasPrefix("MG") && text.utf8.count == 34 && text.utf8.dropFirst(2).allSatisfy(isHexadecimal)
      self = isSID ? .service(text) : .address(text)
    }
  }

  package static let standardURL = "https://api.twilio.com"

  /// The account's SID, letters and digits.
  package var sid: String
  /// The SID of the account or of an API key, with its token or secret.
  package var user: String
  package var password: String
  package var sender: Sender?
  package var baseURL = standardURL

  package init(sid: String, user: String, password: String, sender: Sender? = nil) {
    self.sid = sid
    self.user = user
    self.password = password
    self.sender = sender
  }

  var messagesURL: String {
    var base = baseURL
    while base.hasSuffix("/") { base.removeLast() }
    return base + "/2010-04-01/Accounts/\(sid)/Messages.json"
  }
}

private func isHexadecimal(_ byte: UInt8) -> Bool {
  isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
}

/// Twilio's Messages resource (twilio.com/docs/messaging/api/message-resource).
struct Twilio: HTTPProvider {
  var sender: TwilioAccount.Sender?

  /// In seconds: how long Twilio may let a message wait (its error 90007).
  private static let validityPeriods: ClosedRange<Int64> = 1...36_000

  /// Twilio's own templates are another thing (ContentSid), with names and variables of its own.
  func refusal(of message: TextMessage) -> GatewayAnswer? {
    guard message.text == nil else { return nil }
    return .permanentFailure(
      code: "template",
      reason: "the message has a template in the text's place, and this gateway sends texts only"
    )
  }

  func request(for message: TextMessage, attempt: Int, now: Int64) -> HTTPRequest {
    var parameters = [("To", message.to.e164), ("Body", message.text ?? "")]
    switch message.from.map(TwilioAccount.Sender.address) ?? sender {
    case .service(let sid): parameters.append(("MessagingServiceSid", sid))
    case .address(let address): parameters.append(("From", address))
    case nil: break
    }
    if let expiresAt = message.expiresAt {
      let periods = Self.validityPeriods
      let left = min(max((expiresAt - now) / 1000, periods.lowerBound), periods.upperBound)
      parameters.append(("ValidityPeriod", "\(left)"))
    }
    let form = parameters.map { "\($0)=\(HTTPRequest.percentEncoded($1))" }.joined(separator: "&")
    return HTTPRequest(
      headers: ["Content-Type: application/x-www-form-urlencoded", "Accept: application/json"],
      body: Array(form.utf8)
    )
  }

  func reading(_ answer: HTTPAnswer, to message: TextMessage, now: Int64) -> GatewayAnswer {
    let said = answer.isCut ? nil : TwilioReply(answer.body)
    if (200..<300).contains(answer.status) {
      if let said, said.status == "failed" || said.status == "undelivered", let code = said.errorCode {
        return self.answer(code: code, said.errorMessage, answer, now)
      }
      // A messaging service has not counted yet, and says 0.
      let segments = said?.segments.flatMap { (1...10_000).contains($0) ? $0 : nil }
      return .accepted(
        providerID: Redacted.line(said?.sid ?? "", limit: 128),
        segments: segments ?? message.segmentation?.segments
      )
    }
    return self.answer(code: said?.code ?? answer.status, said?.message, answer, now)
  }

  private func answer(code: Int, _ words: String?, _ answer: HTTPAnswer, _ now: Int64) -> GatewayAnswer {
    let entry = TwilioErrors.entry(code, status: answer.status)
    let reason = entry.words ?? Redacted.line(words.map(Self.withoutNumbers) ?? answer.statusText, limit: 500)
    let retryAfter = answer.retryAfter(now: now)
    let code = "\(code)"
    switch entry.kind {
    case .never: return .permanentFailure(code: code, reason: reason)
    case .later, .account: return .temporaryFailure(code: code, reason: reason, retryAfter: retryAfter)
    case .slower: return .throttled(code: code, reason: reason, retryAfter: retryAfter)
    case .unknown: return .unknown(code: code, reason: reason)
    }
  }

  /// Twilio repeats numbers in what it says, and they do not belong into logs.
  static func withoutNumbers(_ text: String) -> String {
    var shown = ""
    var digits = ""
    func number() -> String { digits.utf8.count < 7 ? digits : "****" }
    for character in text {
      if character.isASCII, character.isNumber {
        digits.append(character)
      } else {
        shown += number()
        digits = ""
        shown.append(character)
      }
    }
    return shown + number()
  }
}

/// What Twilio says, as far as it is of use.
private struct TwilioReply {
  private(set) var sid: String?
  private(set) var status: String?
  private(set) var segments: Int?
  private(set) var code: Int?
  private(set) var message: String?
  private(set) var errorCode: Int?
  private(set) var errorMessage: String?

  /// Nil for what is no JSON object.
  init?(_ body: [UInt8]) {
    do {
      var reader = try JSONReader(body)
      while let name = try reader.nextName()?.text(in: body) {
        guard let value = try reader.stringOrNumber() else { continue }
        switch name {
        case "sid": sid = value
        case "status": status = value
        case "num_segments": segments = Int(value)
        case "code": code = Int(value)
        case "message": message = value
        case "error_code": errorCode = Int(value)
        case "error_message": errorMessage = value
        default: break
        }
      }
    } catch {
      return nil
    }
  }
}
