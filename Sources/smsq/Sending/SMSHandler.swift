import Gateways
import Logging
import MessageQueue
import SMS
import Wire
import Worker

/// Hands the queue's messages to a gateway, and says what became of each.
struct SMSHandler: MessageHandler {
  private let gateway: any Gateway
  private let payload: PayloadFormat
  private let defaultCountryCode: String?
  private let showNumbers: Bool
  private let maxSegments: Int
  private let hours: SendHours?
  private let expiresIn: Int64?

  /// - Parameters:
  ///   - payload: how payloads are written.
  ///   - defaultCountryCode: see ``PhoneNumber/init(_:defaultCountryCode:)``.
  ///   - showNumbers: whether logs show numbers in full, and not masked. Texts they never show.
  ///   - maxSegments: a text that takes more is not sent.
  ///   - hours: when messages are sent; nil for always.
  ///   - expiresIn: how long messages are of use whose producers do not say; nil for ever.
  init(
    gateway: any Gateway,
    payload: PayloadFormat = .auto,
    defaultCountryCode: String?,
    showNumbers: Bool,
    maxSegments: Int = TextMessage.maximumSegments,
    hours: SendHours? = nil,
    expiresIn: Duration? = nil
  ) {
    self.gateway = gateway
    self.payload = payload
    self.defaultCountryCode = defaultCountryCode
    self.showNumbers = showNumbers
    self.maxSegments = maxSegments
    self.hours = hours
    self.expiresIn = expiresIn?.milliseconds
  }

  var startFields: Logger.Metadata { ["gateway": "\(gateway.name)"] }

  /// Decodes the payload and sends it unless it has expired. Never waits but for the gateway.
  ///
  /// It stays on the thread of the lane that calls it: each change of thread costs more than all the rest.
  nonisolated(nonsending) func handle(_ claimed: ClaimedMessage, during tenure: Tenure) async -> HandledMessage {
    let message: TextMessage
    do throws(MessageError) {
      let decoded = try decode(claimed)
      message = expiresIn == nil ? decoded : withExpiry(decoded, claimed, tenure)
    } catch {
      return HandledMessage(.invalid(reason: "\(error.code): \(error)"), id: claimed.assignedID) {
        $0.append("code", "\(error.code)")
      }
    }
    do throws(MessageError) {
      try message.segmentation?.check(atMost: maxSegments)
    } catch {
      return HandledMessage(.invalid(reason: "\(error.code): \(error)"), id: message.id) {
        append(message, to: &$0)
        $0.append("code", "\(error.code)")
      }
    }
    // Most never expire: for them not even the clock is fetched.
    if message.expiresAt != nil, message.hasExpired(at: tenure.now) { return expired(message) }
    if let putOff = putOff(message, tenure) { return putOff }

    let start = Instant.now
    let outcome: Outcome
    var answer: GatewayAnswer?
    do {
      let given = try await gateway.send(message, attempt: Attempt(claimed.attempt, for: holder(tenure)))
      answer = given
      outcome = Self.outcome(of: given)
    } catch is NotHandedOver {
      if message.hasExpired(at: tenure.now) { return expired(message) }
      return putOff(message, tenure) ?? HandledMessage(.notStarted, id: message.id)
    } catch is CancellationError {
      outcome = .unfinished
    } catch {
      outcome = .unknown(reason: "no_answer: \(error)")
    }
    let time = Instant.now - start
    return HandledMessage(outcome, id: message.id) { [answer] fields in
      // The provider's bill counts, where it differs from ours.
      let billed: Int? = if case .accepted(_, let segments) = answer { segments } else { nil }
      append(message, segments: billed, to: &fields)
      fields.append("ms", .number(Int(time / .milliseconds(1))))
      fields.append("gateway", .text(gateway.name))
      switch answer {
      case .accepted(let providerID, _): fields.append("provider_id", .text(providerID))
      case .throttled(let code, _, _), .temporaryFailure(let code, _, _), .permanentFailure(let code, _),
        .unknown(let code, _):
        fields.append("code", .text(code))
      case nil: if outcome != .unfinished { fields.append("code", "no_answer") }
      }
    }
  }

  /// Nil where the message may be sent now.
  private func putOff(_ message: TextMessage, _ tenure: Tenure) -> HandledMessage? {
    guard let hours, let opening = hours.opening(after: tenure.now()) else { return nil }
    return HandledMessage(.putOff(until: opening, reason: hours.reason), id: message.id)
  }

  /// Whom a gateway asks that has let a message wait: it may be too late by then.
  private func holder(_ tenure: Tenure) -> Tenure {
    guard let hours else { return tenure }
    return Tenure(holds: { tenure.holds() && hours.opening(after: tenure.now()) == nil }, now: tenure.now)
  }

  /// Has a message expire whose producer has set no expiry: it counts from the push where that is known, and else from the first
  /// claim.
  private func withExpiry(_ message: TextMessage, _ claimed: ClaimedMessage, _ tenure: Tenure) -> TextMessage {
    guard let expiresIn, message.expiresAt == nil else { return message }
    let claimedAt = claimed.history.claimedAt ?? tenure.now()
    // A producer's clock may be ahead of Redis': it was pushed before it was claimed in any case.
    return message.expiring(at: min(message.queuedAt ?? claimedAt, claimedAt) + expiresIn)
  }

  private func expired(_ message: TextMessage) -> HandledMessage {
    HandledMessage(.expired, id: message.id) { fields in
      append(message, to: &fields)
      if let expiresAt = message.expiresAt { fields.append("expires_at", .text(Timestamp.rfc3339(expiresAt))) }
    }
  }

  private func append(_ message: TextMessage, segments: Int? = nil, to fields: inout LogFields) {
    fields.append("to", .text(showNumbers ? message.to.e164 : message.to.masked))
    if let segments = segments ?? message.segmentation?.segments { fields.append("segments", .number(segments)) }
    if let userID = message.userID {
      fields.append("user_id", .text(Redacted.user(userID, showingNumbers: showNumbers)))
    }
  }

  func describe(_ claimed: ClaimedMessage) -> Logger.Metadata {
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
    case .throttled(let code, let reason, let retryAfter): .throttled(reason: "\(code): \(reason)", after: retryAfter)
    case .temporaryFailure(let code, let reason, let retryAfter):
      .retry(reason: "\(code): \(reason)", after: retryAfter)
    case .permanentFailure(let code, let reason): .refused(reason: "\(code): \(reason)")
    case .unknown(let code, let reason): .unknown(reason: "\(code): \(reason)")
    }
  }
}

extension Tenure: MessageHolder {}
