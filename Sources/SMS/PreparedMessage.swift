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
    /// Nil for a new one.
    package var id: String?
    package var countryCode: String?
    package var from: String?
    /// Unix milliseconds.
    package var expiresAt: Int64?
    /// Unix milliseconds, by Redis' clock.
    package var queuedAt: Int64?

    package init(
      id: String? = nil,
      countryCode: String? = nil,
      from: String? = nil,
      expiresAt: Int64? = nil,
      queuedAt: Int64? = nil
    ) {
      self.id = id
      self.countryCode = countryCode
      self.from = from
      self.expiresAt = expiresAt
      self.queuedAt = queuedAt
    }
  }

  /// - Parameter payload: one JSON object, see ``TextMessage/decode(payload:assignedID:defaultCountryCode:)``.
  package init(payload: [UInt8], defaults: Defaults) throws(MessageError) {
    let fields = try MessageFields(payload: payload)
    let id = fields.id.value ?? defaults.id ?? RandomUUID.text()
    message = try TextMessage(fields, assignedID: id, defaultCountryCode: defaults.countryCode)
    callerID = fields.id.value
    if let from = defaults.from { _ = try SenderID(from) }

    let wanted: [(field: MessageField, value: String?)] = [
      (fields.id, id), (fields.to, message.to.e164), (fields.from, fields.from.value ?? defaults.from),
      (fields.expiresAt, fields.expiresAt.value ?? defaults.expiresAt.map(Timestamp.rfc3339)),
      (fields.queuedAt, fields.queuedAt.value ?? defaults.queuedAt.map(Timestamp.rfc3339)),
    ]
    self.payload = Self.setting(
      wanted.compactMap { field, value in value == field.value ? nil : value.map { (field, $0) } },
      in: payload
    )
  }

  /// Puts values in place of those that stand in the payload; those of missing fields come first. The other bytes stay as
  /// they are, to the last digit and space: they are their producer's.
  private static func setting(_ values: [(field: MessageField, value: String)], in payload: [UInt8]) -> [UInt8] {
    if values.isEmpty { return payload }
    var result: [UInt8] = []
    result.reserveCapacity(payload.count + 160)
    // There is a brace, and at least one member behind it: the payload has been read.
    var done = (payload.firstIndex(of: UInt8(ascii: "{")) ?? -1) + 1
    result += payload[..<done]
    for (field, value) in values where field.range == nil {
      JSONText.append(field.name, to: &result)
      result.append(UInt8(ascii: ":"))
      JSONText.append(value, to: &result)
      result.append(UInt8(ascii: ","))
    }
    let replaced = values.compactMap { field, value in field.range.map { (range: $0, value: value) } }
    for (range, value) in replaced.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      result += payload[done..<range.lowerBound]
      JSONText.append(value, to: &result)
      done = range.upperBound
    }
    return result + payload[done...]
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
