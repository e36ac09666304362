import SMS

// What the statuses of a webhook mean, with what users of other queues know from it: docs/gateways.md.

/// A server of the user's own.
struct Webhook: HTTPProvider {
  var secret: WebhookSecret?

  func request(for message: TextMessage, attempt: Int, now: Int64) -> HTTPRequest {
    var body: [UInt8] = []
    ProgramRequest.append(message, attempt: attempt, to: &body)
    let id = HTTPRequest.percentEncoded(message.id)
    let seconds = now / 1000
    var headers = [
      "Content-Type: application/json", "Idempotency-Key: \(id)", "webhook-id: \(id)", "webhook-timestamp: \(seconds)",
    ]
    if let secret {
      headers.append("webhook-signature: \(secret.signature(id: id, seconds: seconds, body: body))")
    }
    return HTTPRequest(headers: headers, body: body)
  }

  func reading(_ answer: HTTPAnswer, to message: TextMessage, now: Int64) -> GatewayAnswer {
    let segments = message.segmentation?.segments
    let said = answer.isCut ? nil : try? ProgramAnswer(line: answer.body, isNumbered: false)
    if (200..<300).contains(answer.status) {
      guard let said else { return .accepted(providerID: "", segments: segments) }
      return said.answer(ourSegments: segments, unlessSaid: "accepted")
        ?? .noAnswer("the answer's outcome must be accepted, throttled, retry, failed or unknown")
    }
    // The status counts. What the body says beside an outcome explains it.
    let code = said?.words.code ?? "\(answer.status)"
    let reason = said?.words.reason ?? Redacted.line(answer.statusText, limit: 500)
    let retryAfter = answer.retryAfter(now: now) ?? said?.retryAfter
    switch answer.status {
    case 300..<400:
      let place = answer.redirect.map { " to \($0)" } ?? ""
      let advice = "the server redirects\(place), which is not followed: correct --gateway"
      return .temporaryFailure(code: code, reason: Redacted.line(advice, limit: 500), retryAfter: nil)
    // The address or the login is wrong, and so each message would be refused: none of them is to become a dead letter.
    case 401, 402, 403, 404, 405, 407, 410:
      return .temporaryFailure(code: code, reason: reason, retryAfter: retryAfter)
    // Not yet: the server waited for the request in vain, has the same message in hand already, or fears a repeat.
    case 408, 409, 425: return .temporaryFailure(code: code, reason: reason, retryAfter: retryAfter)
    case 429, 503: return .throttled(code: code, reason: reason, retryAfter: retryAfter)
    case 400..<500: return .permanentFailure(code: code, reason: reason)
    // Somebody in between says that the server gave no answer.
    case 504: return .unknown(code: code, reason: reason)
    default: return .temporaryFailure(code: code, reason: reason, retryAfter: retryAfter)
    }
  }
}
