import Wire

/// Why a message, or a part of one, was refused.
///
/// The description is written for the person who made the message: what was wrong, with what value, and what to do. It
/// goes into dead letters and logs, so it never holds a whole number nor a whole text.
package struct MessageError: Error, Hashable, CustomStringConvertible {
  /// A stable word for scripts and counters. Open: a newer release may know more of them.
  package struct Code: Hashable, Sendable, RawRepresentable, CustomStringConvertible {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }
    package var description: String { rawValue }
  }

  package let code: Code
  /// One sentence, without the code.
  package let description: String

  package init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}

extension MessageError.Code {
  // The payload as a whole.
  package static let payloadTooLarge = Self(rawValue: "payload_too_large")
  package static let invalidUTF8 = Self(rawValue: "invalid_utf8")
  package static let invalidJSON = Self(rawValue: "invalid_json")
  package static let invalidPHP = Self(rawValue: "invalid_php")
  package static let notAnObject = Self(rawValue: "not_an_object")
  package static let missingField = Self(rawValue: "missing_field")
  package static let duplicateField = Self(rawValue: "duplicate_field")
  package static let wrongType = Self(rawValue: "wrong_type")
  // One field of it.
  package static let invalidNumber = Self(rawValue: "invalid_number")
  package static let noCountryCode = Self(rawValue: "no_country_code")
  package static let invalidCountryCode = Self(rawValue: "invalid_country_code")
  package static let invalidSender = Self(rawValue: "invalid_sender")
  package static let emptyText = Self(rawValue: "empty_text")
  package static let invalidText = Self(rawValue: "invalid_text")
  package static let textTooLong = Self(rawValue: "text_too_long")
  package static let invalidTemplate = Self(rawValue: "invalid_template")
  package static let invalidID = Self(rawValue: "invalid_id")
  package static let invalidTime = Self(rawValue: "invalid_time")
}

extension MessageError {
  /// Of a payload, or another text that a message was to be read from.
  init(_ error: WireError) {
    let subject = error.member.map { "'\($0)'" } ?? "the payload"
    let (code, advice): (Code, String) =
      switch error.code {
      case .invalidUTF8: (.invalidUTF8, "")
      case .invalidJSON: (.invalidJSON, "")
      case .invalidPHP: (.invalidPHP, "")
      case .empty: (.invalidJSON, ": write one JSON object with 'to' and 'text' or 'template'")
      case .notAnObject: (.notAnObject, ": write one JSON object, {\"to\":\"+8613800138000\",\"text\":\"...\"}")
      case .wrongType: (.wrongType, "")
      case .duplicateMember: (.duplicateField, "")
      }
    self.init(code, "\(subject) \(error.description)\(advice)")
  }
}
