import Logging
import MessageQueue
import Worker

/// Hands the queue's messages to a gateway, and says what became of each.
package struct SMSHandler: MessageHandler {
  private let gateway: any Gateway
  private let payload: PayloadFormat
  private let defaultCountryCode: String?
  private let showNumbers: Bool

  /// - Parameters:
  ///   - payload: how payloads are written.
  ///   - defaultCountryCode: see ``PhoneNumber/init(_:defaultCountryCode:)``.
  ///   - showNumbers: whether logs show numbers in full, and not masked. Texts they never show.
  package init(
    gateway: any Gateway,
    payload: PayloadFormat = .auto,
    defaultCountryCode: String?,
    showNumbers: Bool
  ) {
    self.gateway = gateway
    self.payload = payload
    self.defaultCountryCode = defaultCountryCode
    self.showNumbers = showNumbers
  }

  /// Decodes the payload and sends it unless it has expired. Never waits but for the gateway.
  package func handle(_ claimed: ClaimedMessage, now: Int64) async -> HandledMessage {
    let message: TextMessage
    do throws(MessageError) {
      message = try decode(claimed)
    } catch {
      var fields: Logger.Metadata = ["id": "\(claimed.assignedID)"]
      fields.setFailure(code: error.code.rawValue, reason: error.description)
      return HandledMessage(.dead(reason: "\(error.code): \(error)"), fields: fields)
    }

    var fields: Logger.Metadata = [
      "id": "\(message.id)",
      "to": "\(showNumbers ? message.to.e164 : message.to.masked)",
      "segments": "\(message.segmentation.segments)",
    ]
    if let userID = message.userID { fields["user_id"] = "\(userID)" }
    if let expiresAt = message.expiresAt, expiresAt <= now {
      fields["expires_at"] = "\(Timestamp.rfc3339(expiresAt))"
      return HandledMessage(.expired, fields: fields)
    }

    fields["gateway"] = "\(gateway.name)"
    let start = ContinuousClock.now
    let outcome: Outcome
    do {
      let answer = try await gateway.send(message, attempt: claimed.attempt)
      outcome = Self.outcome(of: answer, fields: &fields)
    } catch is CancellationError {
      outcome = .unfinished
    } catch {
      // Nobody knows whether the message was sent. To send it twice is the smaller harm.
      let reason = "\(error)"
      fields.setFailure(code: "no_answer", reason: reason)
      outcome = .retry(reason: "no_answer: \(reason)", after: nil)
    }
    fields["ms"] = "\(Int64((ContinuousClock.now - start) / .milliseconds(1)))"
    return HandledMessage(outcome, fields: fields)
  }

  package func describe(_ claimed: ClaimedMessage) -> Logger.Metadata {
    guard let message = try? decode(claimed) else { return ["id": "\(claimed.assignedID)"] }
    return ["id": "\(message.id)", "to": "\(showNumbers ? message.to.e164 : message.to.masked)"]
  }

  private func decode(_ claimed: ClaimedMessage) throws(MessageError) -> TextMessage {
    try TextMessage.decode(
      payload: claimed.payload,
      as: payload,
      assignedID: claimed.assignedID,
      defaultCountryCode: defaultCountryCode
    )
  }

  private static func outcome(of answer: GatewayAnswer, fields: inout Logger.Metadata) -> Outcome {
    switch answer {
    case .accepted(let providerID, let segments):
      fields["provider_id"] = "\(providerID)"
      // The provider's bill counts, where it differs from ours.
      fields["segments"] = "\(segments)"
      return .sent
    case .temporaryFailure(let code, let reason, let retryAfter):
      fields.setFailure(code: code, reason: reason)
      return .retry(reason: "\(code): \(reason)", after: retryAfter)
    case .permanentFailure(let code, let reason):
      fields.setFailure(code: code, reason: reason)
      return .dead(reason: "\(code): \(reason)")
    }
  }
}

extension Logger.Metadata {
  fileprivate mutating func setFailure(code: String, reason: String) {
    self["code"] = "\(code)"
    self["reason"] = "\(reason)"
  }
}
