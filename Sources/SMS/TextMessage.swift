/// One text message, checked: whatever holds one may send it.
package struct TextMessage: Sendable, Equatable {
  package let to: PhoneNumber
  package let content: Content
  /// A name or a number that ``SenderID`` has checked; nil leaves the sender to the gateway.
  package let from: String?
  /// Names the message in logs and to the gateway: 1 to ``maximumIDLength`` characters.
  package let id: String
  /// When the message is of no more use, in Unix milliseconds.
  package private(set) var expiresAt: Int64?
  /// When its producer queued it, or wants it sent where that is later, in Unix milliseconds.
  package let queuedAt: Int64?
  /// Whose message it is, as its producer named it: 1 to ``maximumUserIDLength`` bytes without control characters. For books
  /// and logs, not for sending.
  package let userID: String?
  /// What else its producer says of it: for the gateway. A template's parameters and its signature are among them.
  package let extras: MessageExtras

  /// What the recipient will read.
  package enum Content: Sendable, Equatable {
    /// Never empty, without NUL, at most ``maximumSegments`` long; with what it will be billed as, counted once.
    case text(String, Segmentation)
    /// The provider's name for a text that it has, and fills in. What that will be billed as, only the provider knows.
    case template(String)
  }

  /// Nil where a template stands in its place.
  package var text: String? { if case .text(let text, _) = content { text } else { nil } }
  /// Nil where it is not known, as the text is the provider's.
  package var segmentation: Segmentation? {
    if case .text(_, let segmentation) = content { segmentation } else { nil }
  }

  /// The header of a concatenated SMS numbers its parts in one octet (3GPP TS 23.040, 9.2.3.24.1).
  package static let maximumSegments = 255
  /// Ours: room for a UUID, a URN or two ids joined, and a log line stays a line.
  package static let maximumIDLength = 128
  /// Ours, in bytes: room for a UUID or a telephone number with something around it. Books have it in each row.
  package static let maximumUserIDLength = 64
  /// Ours: providers' names for templates are numbers, or as `SMS_154950909`.
  package static let maximumTemplateLength = 128

  /// - Throws: `empty_text`, `invalid_text`, `text_too_long`, `invalid_sender`, `invalid_id`.
  package init(
    to: PhoneNumber,
    text: String,
    from: String? = nil,
    id: String,
    expiresAt: Int64? = nil,
    queuedAt: Int64? = nil,
    userID: String? = nil
  ) throws(MessageError) {
    if let from { try SenderID.check(from) }
    try Self.check(id: id.utf8Span)
    self.init(
      to: to,
      content: .text(text, try Self.segmentation(checking: text.utf8Span)),
      from: from,
      id: id,
      expiresAt: expiresAt,
      queuedAt: queuedAt,
      userID: Self.userID(userID),
      extras: .none
    )
  }

  /// Of what has been checked.
  init(
    to: PhoneNumber,
    content: Content,
    from: String?,
    id: String,
    expiresAt: Int64?,
    queuedAt: Int64?,
    userID: String?,
    extras: MessageExtras
  ) {
    self.to = to
    self.content = content
    self.from = from
    self.id = id
    self.expiresAt = expiresAt
    self.queuedAt = queuedAt
    self.userID = userID
    self.extras = extras
  }

  /// The same message with an expiry, for a producer who has set none.
  ///
  /// - Parameter time: in Unix milliseconds.
  package func expiring(at time: Int64) -> TextMessage {
    var message = self
    message.expiresAt = time
    return message
  }

  /// - Parameter now: the present, Unix ms; asked for only where the message expires at all.
  package func hasExpired(at now: () -> Int64) -> Bool { expiresAt.map { $0 <= now() } ?? false }

  /// - Throws: `empty_text`, `invalid_text`, `text_too_long`.
  static func segmentation(checking text: UTF8Span) throws(MessageError) -> Segmentation {
    let segmentation = try segmentation(ofAnyLength: text)
    try segmentation.check(atMost: maximumSegments)
    return segmentation
  }

  /// - Throws: `empty_text`, `invalid_text`.
  static func segmentation(ofAnyLength text: UTF8Span) throws(MessageError) -> Segmentation {
    guard !text.isEmpty else { throw MessageError(.emptyText, "the text is empty: write at least one character") }
    let segmentation = Segmentation(of: text)
    // NUL is in neither alphabet's printable part, so that only the other encoding can hold it, and ends the text in many a
    // provider's C code.
    guard segmentation.encoding == .gsm7 || !contains(0, in: text.span) else {
      throw MessageError(.invalidText, "the text holds a NUL character (U+0000): leave it out")
    }
    return segmentation
  }

  /// - Throws: `invalid_id`.
  static func check(id: UTF8Span) throws(MessageError) {
    if isPlain(id.span) { return }
    let text = String(copying: id)
    let length = text.unicodeScalars.count
    guard (1...maximumIDLength).contains(length) else {
      throw MessageError(.invalidID, "the id has \(length) characters: write 1 to \(maximumIDLength), or leave it out")
    }
    guard !text.unicodeScalars.contains(where: isControl) else {
      throw MessageError(.invalidID, "the id '\(Redacted.number(text))' holds a control character: leave it out")
    }
  }

  /// - Throws: `invalid_template`.
  static func check(template: UTF8Span) throws(MessageError) {
    if isPlain(template.span) { return }
    let text = String(copying: template)
    let length = text.unicodeScalars.count
    guard length <= maximumTemplateLength else {
      throw MessageError(
        .invalidTemplate,
        "'template' has \(length) characters: write the provider's name for it, of at most \(maximumTemplateLength)"
      )
    }
    guard !text.unicodeScalars.contains(where: isControl) else {
      throw MessageError(.invalidTemplate, "'template' holds a control character: leave it out")
    }
  }

  /// A producer's name for a user, where books and logs can have it as it is; nil otherwise. It is never cut nor mended, which
  /// could make one user of two, and no message dies of it.
  static func userID(_ text: String?) -> String? {
    guard let text, (1...maximumUserIDLength).contains(text.utf8.count), !text.unicodeScalars.contains(where: isControl)
    else { return nil }
    return text
  }

  /// Whether a name is of printable ASCII and not too long: the usual case, in one look at its bytes.
  private static func isPlain(_ name: Span<UInt8>) -> Bool {
    guard (1...maximumIDLength).contains(name.count) else { return false }
    for index in name.indices where !(0x20..<0x7F).contains(name[index]) { return false }
    return true
  }

  private static func contains(_ byte: UInt8, in text: Span<UInt8>) -> Bool {
    for index in text.indices where text[index] == byte { return true }
    return false
  }
}

/// Unicode's control characters: C0, DEL and C1.
private func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) }
