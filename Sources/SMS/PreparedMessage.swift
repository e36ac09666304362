#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A producer's message, checked and made complete, ready for the queue.
package struct PreparedMessage: Sendable {
  package let message: TextMessage
  /// What goes into the queue: the payload as it was given, with an id, the number in E.164, and the defaults added.
  /// Fields that are not ours stay as they were written.
  package let payload: [UInt8]
  /// The id, if the producer chose it; nil for a generated one.
  package let callerID: String?

  /// What a payload gets where it does not say otherwise.
  package struct Defaults: Sendable {
    package var countryCode: String?
    package var from: String?
    /// Unix milliseconds.
    package var expiresAt: Int64?
    /// Unix milliseconds, by Redis' clock.
    package var queuedAt: Int64?

    package init(countryCode: String? = nil, from: String? = nil, expiresAt: Int64? = nil, queuedAt: Int64? = nil) {
      self.countryCode = countryCode
      self.from = from
      self.expiresAt = expiresAt
      self.queuedAt = queuedAt
    }
  }

  /// - Parameter payload: one JSON object, see ``TextMessage/decode(payload:assignedID:defaultCountryCode:)``.
  package init(payload: [UInt8], defaults: Defaults) throws(MessageError) {
    let fields = try MessageFields(payload: payload)
    let id = fields.id ?? UUID().uuidString.lowercased()
    message = try TextMessage(fields, assignedID: id, defaultCountryCode: defaults.countryCode, defaults)
    callerID = fields.id

    var values: [(key: String, value: String)] = []
    if fields.id == nil { values.append(("id", id)) }
    if fields.to != message.to.e164 { values.append(("to", message.to.e164)) }
    if fields.from == nil, let from = defaults.from { values.append(("from", from)) }
    if fields.expiresAt == nil, let time = defaults.expiresAt { values.append(("expires_at", Timestamp.rfc3339(time))) }
    if fields.queuedAt == nil, let time = defaults.queuedAt { values.append(("queued_at", Timestamp.rfc3339(time))) }
    self.payload = values.isEmpty ? payload : fields.object.replacing(values)
  }

  /// Makes a payload of texts, with the members in the order given.
  package static func payload(_ members: [(key: String, value: String)]) -> [UInt8] {
    var bytes = [UInt8(ascii: "{")]
    for (key, value) in members {
      if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
      JSONText.append(key, to: &bytes)
      bytes.append(UInt8(ascii: ":"))
      JSONText.append(value, to: &bytes)
    }
    return bytes + [UInt8(ascii: "}")]
  }
}
