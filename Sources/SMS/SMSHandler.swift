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

  package var startFields: Logger.Metadata { ["gateway": "\(gateway.name)"] }

  /// Decodes the payload and sends it unless it has expired. Never waits but for the gateway.
  package func handle(_ claimed: ClaimedMessage, now: Int64) async -> HandledMessage {
    let message: TextMessage
    do throws(MessageError) {
      message = try decode(claimed)
    } catch {
      return HandledMessage(.dead(reason: "\(error.code): \(error)"), id: claimed.assignedID) {
        $0.append("code", "\(error.code)")
      }
    }
    if let expiresAt = message.expiresAt, expiresAt <= now {
      return HandledMessage(.expired, id: message.id) {
        append(message, to: &$0)
        $0.append("expires_at", .text(Timestamp.rfc3339(expiresAt)))
      }
    }

    let start = ContinuousClock.now
    let outcome: Outcome
    var answer: GatewayAnswer?
    do {
      let given = try await gateway.send(message, attempt: claimed.attempt)
      answer = given
      outcome = Self.outcome(of: given)
    } catch is CancellationError {
      outcome = .unfinished
    } catch {
      // Nobody knows whether the message was sent. To send it twice is the smaller harm.
      outcome = .retry(reason: "no_answer: \(error)", after: nil)
    }
    let time = ContinuousClock.now - start
    return HandledMessage(outcome, id: message.id) { [answer] fields in
      // The provider's bill counts, where it differs from ours.
      let billed: Int? = if case .accepted(_, let segments) = answer { segments } else { nil }
      append(message, segments: billed, to: &fields)
      fields.append("ms", .number(Int(time / .milliseconds(1))))
      fields.append("gateway", .text(gateway.name))
      switch answer {
      case .accepted(let providerID, _): fields.append("provider_id", .text(providerID))
      case .temporaryFailure(let code, _, _), .permanentFailure(let code, _): fields.append("code", .text(code))
      case nil: if outcome != .unfinished { fields.append("code", "no_answer") }
      }
    }
  }

  private func append(_ message: TextMessage, segments: Int? = nil, to fields: inout LogFields) {
    fields.append("to", .text(showNumbers ? message.to.e164 : message.to.masked))
    fields.append("segments", .number(segments ?? message.segmentation.segments))
    if let userID = message.userID { fields.append("user_id", .text(userID)) }
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

  private static func outcome(of answer: GatewayAnswer) -> Outcome {
    switch answer {
    case .accepted: .sent
    case .temporaryFailure(let code, let reason, let retryAfter):
      .retry(reason: "\(code): \(reason)", after: retryAfter)
    case .permanentFailure(let code, let reason): .dead(reason: "\(code): \(reason)")
    }
  }
}
