import Wire

extension TextMessage {
  /// No text of ``maximumSegments`` comes near it, so that what is longer is a mistake or an attack: 1 MiB. Queues take less,
  /// unless told otherwise: `--max-payload`.
  package static let maximumPayloadSize = 1 << 20

  /// Reads a payload: one JSON object such as
  /// `{"to":"+8613800138000","text":"Your code","from":"ACME","id":"...","expires_at":"2026-11-22T12:00:00Z",`
  /// `"queued_at":"...","user_id":17}`, in UTF-8 without a byte order mark, or what PHP's `serialize` makes of a message; see
  /// ``PHPMessage``.
  ///
  /// Of JSON, only `to` and `text` are required, `null` stands for an absent field, and unknown fields are kept for the
  /// gateway, see ``MessageExtras``. In the text's place may be `template`, with `template_params`, an object or a list. `to`,
  /// `from`, `id` and `template` may be integers, times as ``Timestamp`` reads them: what has one meaning is taken.
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
      try TextMessage(
        PHPMessage(payload: payload),
        of: payload,
        assignedID: assignedID,
        defaultCountryCode: defaultCountryCode
      )
    } else {
      try TextMessage(MessageFields(payload: payload), assignedID: assignedID, defaultCountryCode: defaultCountryCode)
    }
  }

  /// Refuses what is too large, whatever it is written in.
  static func checkSize(of payload: [UInt8], atMost limit: Int = maximumPayloadSize) throws(MessageError) {
    guard payload.count <= limit else {
      let advice = limit < maximumPayloadSize ? ", or raise --max-payload of smsq push and smsq worker" : ""
      throw MessageError(
        .payloadTooLarge,
        "the payload has \(payload.count) bytes and the most is \(limit): shorten it\(advice)"
      )
    }
  }

  init(_ fields: borrowing MessageFields, assignedID: String, defaultCountryCode: String?) throws(MessageError) {
    let checked = try CheckedFields(fields, defaultCountryCode: defaultCountryCode)
    let ownID = fields.value(of: fields.id)
    // It stood in the queue, in front of the payload, where anybody may write.
    if ownID == nil { try Self.check(id: assignedID.utf8Span) }
    self.init(
      to: checked.to,
      // They have been checked, so the one or the other is there.
      content: checked.segmentation.map { .text(fields.value(of: fields.text)!, $0) }
        ?? .template(fields.templated.flatMap { fields.value(of: $0.template) }!),
      from: fields.value(of: fields.from),
      id: ownID ?? assignedID,
      expiresAt: checked.expiresAt,
      queuedAt: checked.queuedAt,
      userID: fields.userID,
      extras: fields.extras
    )
  }
}

/// What is found out about a payload's fields when they are checked. Texts are looked at where they stand: a producer's
/// message is checked only to be passed on as it is.
struct CheckedFields {
  let to: PhoneNumber
  /// Whether it was written in E.164 form.
  let isE164: Bool
  /// Nil where a template stands in the text's place.
  let segmentation: Segmentation?
  /// Unix milliseconds.
  let expiresAt: Int64?
  /// Unix milliseconds.
  let queuedAt: Int64?

  init(_ fields: borrowing MessageFields, defaultCountryCode: String?) throws(MessageError) {
    let number = try fields.withUTF8(of: fields.to) { text throws(MessageError) in
      guard !text.isEmpty else {
        throw MessageError(.missingField, "'to' is empty: write a telephone number, such as +8613800138000")
      }
      if let number = PhoneNumber(e164: text) { return (number, isE164: true) }
      return (try PhoneNumber(String(copying: text), defaultCountryCode: defaultCountryCode), isE164: false)
    }
    guard let number else { throw fields.missing(fields.to) }
    (to, isE164) = number
    let hasTemplate = try Self.hasTemplate(fields)
    guard hasTemplate || fields.text.string != nil else { throw fields.missing(fields.text) }
    expiresAt = try fields.withUTF8(of: fields.expiresAt) { text throws(MessageError) in
      try Self.time(text, of: "expires_at")
    }
    queuedAt = try fields.withUTF8(of: fields.queuedAt) { text throws(MessageError) in
      try Self.time(text, of: "queued_at")
    }
    try fields.withUTF8(of: fields.from, SenderID.check)
    try fields.withUTF8(of: fields.id, TextMessage.check(id:))
    segmentation = hasTemplate ? nil : try fields.withUTF8(of: fields.text, TextMessage.segmentation(checking:))
  }

  /// Whether a template stands in the text's place. Some producers write every field that they have, so that an empty one of
  /// the two counts as missing.
  ///
  /// - Throws: `invalid_template`.
  private static func hasTemplate(_ fields: borrowing MessageFields) throws(MessageError) -> Bool {
    guard let templated = fields.templated, let template = templated.template.string else { return false }
    guard !template.isEmpty else {
      if fields.text.string != nil { return false }
      throw MessageError(.invalidTemplate, "'template' is empty: write the provider's name for it, or a 'text'")
    }
    guard fields.text.string?.isEmpty ?? true else {
      throw MessageError(
        .invalidTemplate,
        "there are both 'text' and 'template': leave one out, as only one can be sent"
      )
    }
    try fields.withUTF8(of: templated.template, TextMessage.check(template:))
    if let first = fields.firstByte(of: templated.parameters), !TemplateParameters.mayBegin(first) {
      throw TemplateParameters.wrongType
    }
    return true
  }

  private static func time(_ text: UTF8Span, of field: StaticString) throws(MessageError) -> Int64 {
    guard let milliseconds = Timestamp.milliseconds(text.span) else {
      let text = String(copying: text)
      throw MessageError(
        .invalidTime,
        "'\(field)' is '\(Redacted.time(text))', which \(Timestamp.complaint(of: text))"
      )
    }
    return milliseconds
  }
}

/// A payload's fields, as they were written. Not copyable, because it is large.
struct MessageFields: ~Copyable {
  private let payload: [UInt8]
  private(set) var to = MessageField("to")
  private(set) var text = MessageField("text")
  /// Nil where there is neither, as in most.
  private(set) var templated: TemplateFields?
  private(set) var from = MessageField("from")
  private(set) var id = MessageField("id")
  private(set) var expiresAt = MessageField("expires_at")
  private(set) var queuedAt = MessageField("queued_at")
  /// A string or a number, as ``TextMessage/userID`` has it; nil for anything else, which is nobody's mistake, as nothing is
  /// sent by it.
  private(set) var userID: String?
  /// Whether there are members that only the gateway may know.
  private var hasExtras = false

  var extras: MessageExtras { hasExtras ? MessageExtras(json: payload) : .none }

  init(payload: [UInt8]) throws(MessageError) {
    self.payload = payload
    try TextMessage.checkSize(of: payload)
    do throws(WireError) {
      try read()
    } catch {
      throw ForeignPayload.explaining(MessageError(error), of: payload)
    }
  }

  private mutating func read() throws(WireError) {
    var reader = try JSONReader(payload)
    while let name = try reader.nextName() {
      try name.withUTF8(in: payload) { name throws(WireError) in
        switch name {
        case "to": try to.read(&reader, orNumber: .digits)
        case "text": try text.read(&reader)
        case "from": try from.read(&reader, orNumber: .digits)
        case "id": try id.read(&reader, orNumber: .digits)
        case "expires_at": try expiresAt.read(&reader, orNumber: .any)
        case "queued_at": try queuedAt.read(&reader, orNumber: .any)
        case "user_id":
          hasExtras = true
          userID = TextMessage.userID(try reader.stringOrNumber())
        // The gateway is handed these two as they were written.
        case "template":
          hasExtras = true
          var fields = templated ?? TemplateFields()
          try fields.template.read(&reader, orNumber: .digits)
          templated = fields
        case "template_params":
          hasExtras = true
          var fields = templated ?? TemplateFields()
          try fields.parameters.skip(&reader)
          templated = fields
        default:
          hasExtras = true
          try reader.skipValue()
        }
      }
    }
  }

  /// A field's value; nil where it is missing or null.
  func value(of field: MessageField) -> String? { field.string?.text(in: payload) }

  /// The first byte of a field's value; nil where it is missing.
  func firstByte(of field: MessageField) -> UInt8? { field.range.map { payload[$0.lowerBound] } }

  func missing(_ field: MessageField) -> MessageError {
    MessageError(
      .missingField,
      "'\(field.name)' is \(field.range == nil ? "missing" : "null"): a message needs 'to' and 'text' or 'template'"
        + ForeignPayload.envelope(payload)
    )
  }

  /// Hands out a field's value where it stands. Nil, and nothing done, where it is missing or null.
  func withUTF8<Result, Failure>(
    of field: MessageField,
    _ body: (UTF8Span) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    guard let string = field.string else { return nil }
    return try string.withUTF8(in: payload, body)
  }
}

/// Has a `switch` compare a name where it stands.
func ~= (word: StaticString, name: UTF8Span) -> Bool {
  word.withUTF8Buffer { word in
    let name = name.span
    guard name.count == word.count else { return false }
    for index in word.indices where name[index] != word[index] { return false }
    return true
  }
}

struct TemplateFields {
  var template = MessageField("template")
  var parameters = MessageField("template_params")
}

struct MessageField {
  let name: StaticString
  /// Nil where the field is missing or null.
  private(set) var string: JSONString?
  /// Where the value stands in the payload; nil where the field is missing.
  private(set) var range: Range<Int>?

  init(_ name: StaticString) { self.name = name }

  mutating func read(_ reader: inout JSONReader, orNumber numbers: JSONReader.Numbers = .none) throws(WireError) {
    // Readers differ in which of two they take, and one of the two may be the wrong recipient.
    guard range == nil else { throw WireError(.duplicateMember, "is there twice: write it once").of(member: name) }
    let start = reader.index
    do throws(WireError) {
      string = try reader.stringOrNull(orNumber: numbers)
    } catch {
      throw error.code == .wrongType ? error.of(member: name) : error
    }
    range = start..<reader.index
  }

  /// Notes only where the value stands.
  mutating func skip(_ reader: inout JSONReader) throws(WireError) {
    guard range == nil else { throw WireError(.duplicateMember, "is there twice: write it once").of(member: name) }
    let start = reader.index
    try reader.skipValue()
    range = start..<reader.index
  }
}
