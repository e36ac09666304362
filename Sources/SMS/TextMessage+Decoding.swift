extension TextMessage {
  /// No text of ``maximumSegments`` comes near it, so that what is longer is a mistake or an attack: 1 MiB.
  package static let maximumPayloadSize = 1 << 20

  /// Reads a payload: one JSON object such as
  /// `{"to":"+8613800138000","text":"Your code","from":"ACME","id":"...","expires_at":"2026-11-22T12:00:00Z",`
  /// `"queued_at":"...","user_id":17}`, in UTF-8 without a byte order mark, or what PHP's `serialize` makes of a message; see
  /// ``PHPMessage``.
  ///
  /// Of JSON, only `to` and `text` are required, `null` stands for an absent field, and unknown fields are ignored.
  ///
  /// - Parameters:
  ///   - assignedID: the message's id when the payload names none.
  ///   - defaultCountryCode: see ``PhoneNumber/init(_:defaultCountryCode:)``.
  package static func decode(
    payload: [UInt8],
    as format: PayloadFormat = .auto,
    assignedID: String,
    defaultCountryCode: String?
  ) throws(MessageError) -> TextMessage {
    if format.isPHP(payload) {
      try TextMessage(PHPMessage(payload: payload), assignedID: assignedID, defaultCountryCode: defaultCountryCode)
    } else {
      try TextMessage(MessageFields(payload: payload), assignedID: assignedID, defaultCountryCode: defaultCountryCode)
    }
  }

  /// Refuses what is too large or not UTF-8, whatever it is written in.
  static func check(payload: [UInt8]) throws(MessageError) {
    guard payload.count <= maximumPayloadSize else {
      throw MessageError(
        .payloadTooLarge,
        "the payload has \(payload.count) bytes and the most is \(maximumPayloadSize): shorten it"
      )
    }
    guard (try? UTF8Span(validating: payload.span)) != nil else {
      throw MessageError(.invalidUTF8, "the payload is not valid UTF-8: write it in UTF-8")
    }
  }

  init(_ fields: borrowing MessageFields, assignedID: String, defaultCountryCode: String?) throws(MessageError) {
    let to = try fields.to.required()
    guard !to.isEmpty else {
      throw MessageError(.missingField, "'to' is empty: write a telephone number, such as +8613800138000")
    }
    try self.init(
      to: PhoneNumber(to, defaultCountryCode: defaultCountryCode),
      text: fields.text.required(),
      from: fields.from.value,
      id: fields.id.value ?? assignedID,
      expiresAt: Self.time(fields.expiresAt),
      queuedAt: Self.time(fields.queuedAt),
      userID: fields.userID
    )
  }

  private static func time(_ field: MessageField) throws(MessageError) -> Int64? {
    guard let text = field.value else { return nil }
    guard let milliseconds = Timestamp.milliseconds(text) else {
      throw MessageError(
        .invalidTime,
        "'\(field.name)' is '\(Redacted.value(text))', which is no time: write it as RFC 3339, such as 2026-11-22T12:00:00Z"
      )
    }
    return milliseconds
  }
}

/// A payload's fields, as they were written. Not copyable, because it is large and every copy would count references to six
/// strings.
struct MessageFields: ~Copyable {
  private(set) var to = MessageField("to")
  private(set) var text = MessageField("text")
  private(set) var from = MessageField("from")
  private(set) var id = MessageField("id")
  private(set) var expiresAt = MessageField("expires_at")
  private(set) var queuedAt = MessageField("queued_at")
  /// A string or a number; nil for anything else, which is nobody's mistake, as nothing is sent by it.
  private(set) var userID: String?

  init(payload: [UInt8]) throws(MessageError) {
    try TextMessage.check(payload: payload)
    var reader = try JSONReader(payload)
    while let name = try reader.nextName() {
      switch name {
      case "to": try to.read(&reader)
      case "text": try text.read(&reader)
      case "from": try from.read(&reader)
      case "id": try id.read(&reader)
      case "expires_at": try expiresAt.read(&reader)
      case "queued_at": try queuedAt.read(&reader)
      case "user_id": userID = try reader.stringOrNumber()
      default: try reader.skipValue()
      }
    }
  }
}

struct MessageField {
  let name: StaticString
  /// Nil where the field is missing or null.
  private(set) var value: String?
  /// Where the value stands in the payload, its quotes included; nil where the field is missing.
  private(set) var range: Range<Int>?

  init(_ name: StaticString) { self.name = name }

  mutating func read(_ reader: inout JSONReader) throws(MessageError) {
    // Readers differ in which of two they take, and one of the two may be the wrong recipient.
    guard range == nil else { throw MessageError(.duplicateField, "'\(name)' is there twice: write it once") }
    let start = reader.index
    value = try reader.stringOrNull(of: name)
    range = start..<reader.index
  }

  func required() throws(MessageError) -> String {
    if let value { return value }
    throw MessageError(
      .missingField,
      "'\(name)' is \(range == nil ? "missing" : "null"): a message needs 'to' and 'text'"
    )
  }
}
