extension TextMessage {
  /// No text of ``maximumSegments`` comes near it, so that what is longer is a mistake or an attack: 1 MiB.
  package static let maximumPayloadSize = 1 << 20

  /// Reads a payload: one JSON object such as
  /// `{"to":"+8613800138000","text":"Your code","from":"ACME","id":"...","expires_at":"2026-11-22T12:00:00Z",`
  /// `"queued_at":"..."}`, in UTF-8 without a byte order mark.
  ///
  /// Only `to` and `text` are required, `null` stands for an absent field, and unknown fields are ignored.
  ///
  /// - Parameters:
  ///   - assignedID: the message's id when the payload names none.
  ///   - defaultCountryCode: see ``PhoneNumber/init(_:defaultCountryCode:)``.
  package static func decode(
    payload: [UInt8],
    assignedID: String,
    defaultCountryCode: String?
  ) throws(MessageError) -> TextMessage {
    let fields = try MessageFields(payload: payload)
    guard !fields.to.isEmpty else {
      throw MessageError(.missingField, "'to' is empty: write a telephone number, such as +8613800138000")
    }
    return try TextMessage(
      to: PhoneNumber(fields.to, defaultCountryCode: defaultCountryCode),
      text: fields.text,
      from: fields.from,
      id: fields.id ?? assignedID,
      expiresAt: time(fields.expiresAt, field: "expires_at"),
      queuedAt: time(fields.queuedAt, field: "queued_at")
    )
  }

  private static func time(_ text: String?, field: String) throws(MessageError) -> Int64? {
    guard let text else { return nil }
    guard let milliseconds = Timestamp.milliseconds(text) else {
      throw MessageError(
        .invalidTime,
        "'\(field)' is '\(Redacted.value(text))', which is no time: write it as RFC 3339, such as 2026-11-22T12:00:00Z"
      )
    }
    return milliseconds
  }
}

/// A payload's fields, as they were written.
private struct MessageFields {
  let to: String
  let text: String
  let from: String?
  let id: String?
  let expiresAt: String?
  let queuedAt: String?

  init(payload: [UInt8]) throws(MessageError) {
    guard payload.count <= TextMessage.maximumPayloadSize else {
      throw MessageError(
        .payloadTooLarge,
        "the payload has \(payload.count) bytes and the most is \(TextMessage.maximumPayloadSize): shorten it"
      )
    }
    guard (try? UTF8Span(validating: payload.span)) != nil else {
      throw MessageError(.invalidUTF8, "the payload is not valid UTF-8: write it in UTF-8")
    }
    var to = Field(name: "to")
    var text = Field(name: "text")
    var from = Field(name: "from")
    var id = Field(name: "id")
    var expiresAt = Field(name: "expires_at")
    var queuedAt = Field(name: "queued_at")
    var reader = try JSONReader(payload)
    while let name = try reader.nextName() {
      switch name {
      case "to": try to.read(&reader)
      case "text": try text.read(&reader)
      case "from": try from.read(&reader)
      case "id": try id.read(&reader)
      case "expires_at": try expiresAt.read(&reader)
      case "queued_at": try queuedAt.read(&reader)
      default: try reader.skipValue()
      }
    }
    self.to = try to.required()
    self.text = try text.required()
    self.from = from.value
    self.id = id.value
    self.expiresAt = expiresAt.value
    self.queuedAt = queuedAt.value
  }
}

private struct Field {
  let name: String
  private(set) var value: String?
  private var isPresent = false

  init(name: String) { self.name = name }

  mutating func read(_ reader: inout JSONReader) throws(MessageError) {
    // Readers differ in which of two they take, and one of the two may be the wrong recipient.
    guard !isPresent else { throw MessageError(.duplicateField, "'\(name)' is there twice: write it once") }
    isPresent = true
    value = try reader.stringOrNull(of: name)
  }

  func required() throws(MessageError) -> String {
    if let value { return value }
    throw MessageError(
      .missingField,
      "'\(name)' is \(isPresent ? "null" : "missing"): a message needs 'to' and 'text'"
    )
  }
}
