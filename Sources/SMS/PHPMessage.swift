import Wire

/// A message as a PHP producer writes it: `serialize([$user_id, $mobile, $content])`, or of the map with these keys.
///
/// `mobile` is a string or an integer, `content` a string. A list has these three and no more; a map may hold other keys,
/// which are ignored. As with JSON, nothing may be there twice: which one is meant is not for us to guess.
struct PHPMessage {
  /// As ``TextMessage/userID`` has it.
  var userID: String? {
    switch rawUserID {
    case .integer(let number): String(number)
    case .string(let text): TextMessage.userID(text)
    case .null, .other, nil: nil
    }
  }
  let mobile: String
  let content: String
  private let rawUserID: PHPReader.Value?

  /// - Throws: `invalid_php`, `missing_field`, `duplicate_field`, `wrong_type`, `payload_too_large`, `invalid_utf8`.
  init(payload: [UInt8]) throws(MessageError) {
    try TextMessage.checkSize(of: payload)
    do throws(MessageError) {
      try self.init(Self.elements(of: payload))
    } catch {
      throw ForeignPayload.explaining(error, of: payload)
    }
  }

  private typealias Elements = [(key: PHPReader.Key, value: PHPReader.Value)]

  private static func elements(of payload: [UInt8]) throws(MessageError) -> Elements {
    do throws(WireError) {
      var reader = try PHPReader(payload)
      var elements: Elements = []
      for _ in 0..<(try reader.arrayCount()) { elements.append((try reader.key(), try reader.value())) }
      try reader.endArray()
      try reader.end()
      return elements
    } catch {
      throw MessageError(error)
    }
  }

  private init(_ elements: Elements) throws(MessageError) {
    var fields: [String: PHPReader.Value] = [:]
    var isList: Bool?
    for (key, value) in elements {
      let name: String
      switch key {
      case .integer(let index):
        guard isList != false, (0..<3).contains(index) else { throw Self.neitherForm }
        isList = true
        name = Self.names[Int(index)]
      case .string(let text):
        guard isList != true else { throw Self.neitherForm }
        isList = false
        name = text
      }
      guard Self.names.contains(name) else { continue }
      guard fields.updateValue(value, forKey: name) == nil else {
        throw MessageError(.duplicateField, "'\(name)' is there twice: write it once")
      }
    }
    // A list that lacks one would otherwise be a map that does.
    if isList == true && fields.count < 3 { throw Self.neitherForm }

    rawUserID = fields["user_id"]
    mobile =
      switch fields["mobile"] {
      // A minus sign would pass for the dash that people write into numbers.
      case .integer(let number) where number >= 0: String(number)
      case .string(let text): text
      case .null, nil: throw Self.missing("mobile")
      default: throw MessageError(.wrongType, "'mobile' is neither a string nor a positive integer")
      }
    content =
      switch fields["content"] {
      case .string(let text): text
      case .null, nil: throw Self.missing("content")
      default: throw MessageError(.wrongType, "'content' is no string: cast it, (string) $content")
      }
  }

  /// `"user_id":17`, for ``MessageExtras``. Empty where it is neither an integer nor a string.
  var userIDMember: [UInt8] {
    var member: [UInt8] = []
    JSONText.append(name: "user_id", to: &member)
    switch rawUserID {
    case .integer(let number): member += "\(number)".utf8
    case .string(let text): JSONText.append(text, to: &member)
    case .null, .other, nil: return []
    }
    return member
  }

  private static let names = ["user_id", "mobile", "content"]

  private static var neitherForm: MessageError {
    MessageError(
      .invalidPHP,
      "the PHP array is neither [user_id, mobile, content] nor a map with the keys user_id, mobile and content"
    )
  }

  private static func missing(_ name: String) -> MessageError {
    MessageError(.missingField, "'\(name)' is missing or null: a message needs 'mobile' and 'content'")
  }
}

extension TextMessage {
  init(
    _ message: PHPMessage,
    of payload: [UInt8],
    assignedID: String,
    defaultCountryCode: String?
  ) throws(MessageError) {
    let number = try PhoneNumber(message.mobile, defaultCountryCode: defaultCountryCode)
    try Self.check(id: assignedID.utf8Span)
    self.init(
      to: number,
      content: .text(message.content, try Self.segmentation(checking: message.content.utf8Span)),
      from: nil,
      id: assignedID,
      expiresAt: nil,
      queuedAt: nil,
      userID: message.userID,
      extras: MessageExtras(php: payload)
    )
  }
}
