/// A producer's message, checked and made complete, ready for the queue.
package struct PreparedMessage: Sendable {
  package let message: TextMessage
  /// What goes into the queue: the payload as it was given, with an id, the number in E.164, and the defaults added.
  /// Fields that are not ours stay as they were written.
  package let payload: [UInt8]
  /// The id, if the producer chose it; nil for a generated one.
  package let callerID: String?

  /// What a payload gets where it does not say otherwise. Times are written once for all the messages that get them.
  package struct Defaults: Sendable {
    /// Nil for a new one.
    let id: String?
    let countryCode: String?
    let from: String?
    /// RFC 3339.
    let expiresAt: String?
    /// RFC 3339, by Redis' clock.
    let queuedAt: String?

    /// - Parameters:
    ///   - expiresAt: Unix milliseconds.
    ///   - queuedAt: Unix milliseconds, by Redis' clock.
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
      self.expiresAt = expiresAt.map(Timestamp.rfc3339)
      self.queuedAt = queuedAt.map(Timestamp.rfc3339)
    }
  }

  /// - Parameter payload: one JSON object, see ``TextMessage/decode(payload:assignedID:defaultCountryCode:)``.
  package init(payload: [UInt8], defaults: Defaults) throws(MessageError) {
    let fields = try MessageFields(payload: payload)
    let id = fields.id.value ?? defaults.id ?? RandomUUID.text()
    message = try TextMessage(fields, assignedID: id, defaultCountryCode: defaults.countryCode)
    callerID = fields.id.value
    if let from = defaults.from { try SenderID.check(from) }

    var edit = PayloadEdit(of: payload)
    edit.set(fields.id, to: id)
    edit.set(fields.to, to: message.to.e164)
    edit.set(fields.from, to: fields.from.value ?? defaults.from)
    edit.set(fields.expiresAt, to: fields.expiresAt.value ?? defaults.expiresAt)
    edit.set(fields.queuedAt, to: fields.queuedAt.value ?? defaults.queuedAt)
    self.payload = edit.end()
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

/// Puts values in place of those that stand in a payload; those of missing fields come first. The other bytes stay as they
/// are, to the last digit and space: they are their producer's.
private struct PayloadEdit {
  private let payload: [UInt8]
  private var result: [UInt8] = []
  /// How much of the payload is in the result.
  private var done: Int
  private var replaced: [(range: Range<Int>, value: String)] = []

  init(of payload: [UInt8]) {
    self.payload = payload
    // There is a brace, and at least one member behind it: the payload has been read.
    done = (payload.firstIndex(of: UInt8(ascii: "{")) ?? -1) + 1
    result.reserveCapacity(payload.count + 160)
    result += payload[..<done]
  }

  /// Changes nothing where the value is nil, or the field has it already.
  mutating func set(_ field: MessageField, to value: String?) {
    guard let value, value != field.value else { return }
    if let range = field.range {
      replaced.append((range, value))
    } else {
      JSONText.append(name: field.name, to: &result)
      JSONText.append(value, to: &result)
      result.append(UInt8(ascii: ","))
    }
  }

  consuming func end() -> [UInt8] {
    for (range, value) in replaced.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      result += payload[done..<range.lowerBound]
      JSONText.append(value, to: &result)
      done = range.upperBound
    }
    result += payload[done...]
    return result
  }
}
