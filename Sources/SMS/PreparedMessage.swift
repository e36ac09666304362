import Wire

/// A producer's message, checked and made complete, ready for the queue.
package struct PreparedMessage: Sendable {
  /// What goes into the queue: the payload as it was given, with an id, the number in E.164, and the defaults added.
  /// Fields that are not ours stay as they were written.
  package let payload: [UInt8]
  /// The id, if the producer chose it; nil for a generated one.
  package let callerID: String?
  package var to: PhoneNumber { checked.to }
  /// Nil for a template.
  package var segmentation: Segmentation? { checked.segmentation }
  private let checked: CheckedFields
  private let ownID: ID

  /// The message's id, whoever chose it.
  package var id: String {
    switch ownID {
    case .given(let id): id
    case .generated(let id): id.text
    }
  }

  /// An id as it is needed: one that is generated goes into the payload, and hardly ever anywhere else.
  private enum ID {
    case given(String)
    case generated(RandomUUID)
  }

  /// What a payload gets where it does not say otherwise. Written as JSON once for all the messages that get it.
  package struct Defaults: Sendable {
    /// Nil for a new one.
    fileprivate let id: String?
    fileprivate let countryCode: String?
    fileprivate let from: Member?
    fileprivate let expiresAt: Member?
    fileprivate let queuedAt: Member?
    fileprivate let maxSegments: Int
    fileprivate let maxPayload: Int

    /// - Parameters:
    ///   - expiresAt: Unix milliseconds.
    ///   - queuedAt: Unix milliseconds, by Redis' clock.
    ///   - maxSegments: refuse a text that takes more.
    ///   - maxPayload: the most bytes that a payload may have, made complete; a queue takes no more.
    /// - Throws: `invalid_sender`.
    package init(
      id: String? = nil,
      countryCode: String? = nil,
      from: String? = nil,
      expiresAt: Int64? = nil,
      queuedAt: Int64? = nil,
      maxSegments: Int = TextMessage.maximumSegments,
      maxPayload: Int = TextMessage.maximumPayloadSize
    ) throws(MessageError) {
      if let from { try SenderID.check(from) }
      self.id = id
      self.countryCode = countryCode
      self.from = from.map { Member("from", $0) }
      self.expiresAt = expiresAt.map { Member("expires_at", Timestamp.rfc3339($0)) }
      self.queuedAt = queuedAt.map { Member("queued_at", Timestamp.rfc3339($0)) }
      self.maxSegments = maxSegments
      self.maxPayload = maxPayload
    }

    /// A member as it is put into a payload.
    fileprivate struct Member {
      /// Name, value and comma.
      let json: [UInt8]
      let value: [UInt8]

      init(_ name: StaticString, _ text: String) {
        value = JSONText.bytes(text)
        var json: [UInt8] = []
        JSONText.append(name: name, to: &json)
        self.json = json + value + [UInt8(ascii: ",")]
      }
    }
  }

  /// - Parameter payload: one JSON object, see ``TextMessage/decode(payload:assignedID:defaultCountryCode:)``.
  package init(payload: [UInt8], defaults: borrowing Defaults) throws(MessageError) {
    let fields = try MessageFields(payload: payload)
    checked = try CheckedFields(fields, defaultCountryCode: defaults.countryCode)
    try checked.segmentation?.check(atMost: defaults.maxSegments)
    callerID = fields.value(of: fields.id)

    var edit = PayloadEdit(of: payload)
    if let id = callerID {
      ownID = .given(id)
    } else if let id = defaults.id {
      try TextMessage.check(id: id.utf8Span)
      ownID = .given(id)
      edit.set(fields.id) { JSONText.append(id, to: &$0) }
    } else {
      let id = RandomUUID()
      ownID = .generated(id)
      edit.set(fields.id) {
        $0.append(UInt8(ascii: "\""))
        id.append(to: &$0)
        $0.append(UInt8(ascii: "\""))
      }
    }
    if !checked.isE164 {
      let number = checked.to.e164
      edit.set(fields.to) { JSONText.append(number, to: &$0) }
    }
    edit.set(fields.from, ifMissing: defaults.from)
    edit.set(fields.expiresAt, ifMissing: defaults.expiresAt)
    edit.set(fields.queuedAt, ifMissing: defaults.queuedAt)
    let complete = edit.end()
    // A worker takes it as it is in the queue.
    try TextMessage.checkSize(of: complete, atMost: defaults.maxPayload)
    self.payload = complete
  }

  /// Makes a payload of texts, with the members in the order given, and a template's parameters behind them.
  package static func payload(
    _ members: [(key: String, value: String)],
    parameters: TemplateParameters? = nil
  ) -> [UInt8] {
    var bytes = [UInt8(ascii: "{")]
    for (key, value) in members {
      if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
      JSONText.append(key, to: &bytes)
      bytes.append(UInt8(ascii: ":"))
      JSONText.append(value, to: &bytes)
    }
    if let parameters {
      if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
      JSONText.append(name: "template_params", to: &bytes)
      bytes += parameters.json
    }
    return bytes + [UInt8(ascii: "}")]
  }
}

/// Puts values in place of those that stand in a payload; those of missing fields come first. The other bytes stay as they
/// are, to the last digit and space: they are their producer's.
private struct PayloadEdit: ~Copyable {
  private let payload: [UInt8]
  private var result: [UInt8] = []
  /// How much of the payload is in the result.
  private var done: Int
  /// Values as JSON, and where they belong.
  private var replaced: [(range: Range<Int>, value: [UInt8])] = []

  init(of payload: [UInt8]) {
    self.payload = payload
    // There is a brace, and at least one member behind it: the payload has been read.
    done = (payload.firstIndex(of: UInt8(ascii: "{")) ?? -1) + 1
    result.reserveCapacity(payload.count + 160)
    result += payload[..<done]
  }

  mutating func set(_ field: MessageField, ifMissing member: PreparedMessage.Defaults.Member?) {
    guard let member, field.string == nil else { return }
    if let range = field.range {
      replaced.append((range, member.value))
    } else {
      result += member.json
    }
  }

  /// - Parameter append: appends the value as JSON.
  mutating func set(_ field: MessageField, _ append: (inout [UInt8]) -> Void) {
    if let range = field.range {
      var value: [UInt8] = []
      append(&value)
      replaced.append((range, value))
    } else {
      JSONText.append(name: field.name, to: &result)
      append(&result)
      result.append(UInt8(ascii: ","))
    }
  }

  consuming func end() -> [UInt8] {
    // Of most payloads nothing is replaced, and sorting nothing takes its time.
    if !replaced.isEmpty {
      for (range, value) in replaced.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
        result += payload[done..<range.lowerBound]
        result += value
        done = range.upperBound
      }
    }
    result += payload[done...]
    return result
  }
}
