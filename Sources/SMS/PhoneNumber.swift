/// A telephone number in E.164 form: `+`, then 7 to 15 digits, the first of them not 0.
///
/// 15 digits is ITU-T E.164's limit. It names no lower one; the shortest international numbers in use have 7.
package struct PhoneNumber: Hashable, Sendable, CustomStringConvertible {
  /// The number, such as `+8613800138000`.
  package let e164: String

  /// Reads a number as people write it.
  ///
  /// Spaces, dashes, dots and parentheses are ignored; `00` in front means `+`. A number without either is national: it
  /// gets the default country code, and loses one leading 0 (the trunk prefix of most countries) unless the country is
  /// Italy (39), where the 0 belongs to the number. Trunk prefixes other than 0 are not known here.
  ///
  /// - Parameter defaultCountryCode: 1 to 3 digits, with or without `+`; nil refuses national numbers.
  /// - Throws: `invalid_number`, `no_country_code`, `invalid_country_code`.
  package init(_ text: String, defaultCountryCode: String?) throws(MessageError) {
    // The usual case in one look: a number that is in E.164 form already.
    if Self.isE164(text.utf8.span) {
      e164 = text
      return
    }
    let shown = Redacted.number(text)
    var (digits, international) = try Self.digits(of: text, shown: shown)
    if !international, digits.starts(with: "00".utf8) {
      digits.removeFirst(2)
      international = true
    }
    if !international {
      guard let defaultCountryCode else {
        throw MessageError(
          .noCountryCode,
          "'\(shown)' has no country code: write +, the country code and the number, such as +8613800138000, "
            + "or set --default-country-code"
        )
      }
      let countryCode = try Self.countryCode(defaultCountryCode)
      if digits.first == UInt8(ascii: "0"), countryCode != "39" { digits.removeFirst() }
      // Two leading zeros were handled above, so a 0 that is still there is Italy's or a mistake.
      if digits.first == UInt8(ascii: "0"), countryCode != "39" {
        throw MessageError(.invalidNumber, "'\(shown)' is no national number: it starts with more than one 0")
      }
      digits.insert(contentsOf: countryCode.utf8, at: 0)
    }
    let number = "+" + String(decoding: digits, as: UTF8.self)
    guard Self.isE164(number.utf8.span) else {
      let why = digits.first == UInt8(ascii: "0") ? "its country code starts with 0" : "it has \(digits.count) digits"
      throw MessageError(
        .invalidNumber,
        "'\(shown)' is no telephone number, as \(why): a number is + and 7 to 15 digits, such as +8613800138000"
      )
    }
    e164 = number
  }

  /// A number that is in E.164 form already; nil for one that is not.
  init?(e164 text: UTF8Span) {
    guard Self.isE164(text.span) else { return nil }
    e164 = String(copying: text)
  }

  /// The number with its middle hidden, for logs: `+86138****8000`. At least four digits are hidden.
  package var masked: String {
    // From 13 digits on it is six characters and four, and nothing to count: this is done for each line of a log.
    let bytes = e164.utf8
    guard bytes.count >= 14 else { return Redacted.number(e164) }
    return String(Substring(bytes.prefix(6))) + "****" + String(Substring(bytes.suffix(4)))
  }

  /// The number in full. Write ``masked`` to logs.
  package var description: String { e164 }

  /// The digits of a country code, checked, without `+`.
  ///
  /// - Throws: `invalid_country_code`.
  package static func countryCode(_ text: String) throws(MessageError) -> String {
    let digits = text.hasPrefix("+") ? text.dropFirst() : Substring(text)
    guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy(isDigit), !digits.hasPrefix("0") else {
      throw MessageError(
        .invalidCountryCode,
        "'\(Redacted.value(text))' is no country code: write 1 to 3 digits, such as 86 or +86"
      )
    }
    return String(digits)
  }

  private static func isE164(_ bytes: Span<UInt8>) -> Bool {
    guard (8...16).contains(bytes.count), bytes[0] == UInt8(ascii: "+"), bytes[1] != UInt8(ascii: "0") else {
      return false
    }
    for index in 1..<bytes.count where !isDigit(bytes[index]) { return false }
    return true
  }

  /// The digits, and whether a `+` came before them.
  private static func digits(
    of text: String,
    shown: String
  ) throws(MessageError) -> (digits: [UInt8], international: Bool) {
    // No number is longer, however it is grouped, and a hostile one must not cost memory.
    guard (1...64).contains(text.utf8.count) else {
      let what = text.isEmpty ? "the number is empty" : "'\(shown)' is too long for a telephone number"
      throw MessageError(.invalidNumber, "\(what): write + and 7 to 15 digits, such as +8613800138000")
    }
    var digits: [UInt8] = []
    var international = false
    for scalar in text.unicodeScalars {
      switch scalar {
      case "0"..."9": digits.append(UInt8(scalar.value))
      case " ", "-", ".", "(", ")": break
      case "+" where digits.isEmpty && !international: international = true
      default:
        let name = "U+" + String(scalar.value, radix: 16, uppercase: true)
        throw MessageError(
          .invalidNumber,
          "'\(shown)' is no telephone number, because of the character \(name): "
            + "write + and the digits 0 to 9, such as +8613800138000"
        )
      }
    }
    // +44 (0)20... : the 0 is dialled only inside the country. To keep it would be another number, and whether to drop
    // it depends on the country.
    if international || digits.starts(with: "00".utf8), text.utf8.contains(sequence: "(0)".utf8) {
      throw MessageError(.invalidNumber, "'\(shown)' holds (0): write the number as it is dialled from abroad")
    }
    return (digits, international)
  }
}

func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

extension String.UTF8View {
  fileprivate func contains(sequence wanted: String.UTF8View) -> Bool {
    indices.contains { self[$0...].starts(with: wanted) }
  }
}
