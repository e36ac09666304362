/// Whom a message says it is from: a name, a number, or a signature.
///
/// A name fits the address field of a short message: 3GPP TS 23.040 (9.1.2.5) gives it 10 octets, which hold 11 septets, or
/// 20 digits. A signature is no address: it is what a provider has on its books under a name in the customer's own script, and
/// puts in front of the text. Which ones it takes only the provider knows, so that a signature is left to the gateway, but for
/// what none can take.
package enum SenderID {
  /// The digits of the longest number: China's 106 numbers with a customer's own behind it use them all.
  static let maximumDigits = 20
  /// Ours, in Unicode scalars: a name, and brackets around it.
  static let maximumSignatureLength = 32

  /// Checks a sender.
  ///
  /// A name has at least one letter, at most 11 characters, and only letters and digits of ASCII, spaces, and
  /// `+ - _ & .`. A number is 3 to 20 digits, such as a short code, or `+` and 3 to 15. A signature has a letter, and a
  /// character beyond ASCII; it is at most 32 long, in composed form (NFC), and has nothing invisible in it.
  ///
  /// - Throws: `invalid_sender`.
  package static func check(_ text: String) throws(MessageError) { try check(text.utf8Span) }

  static func check(_ text: UTF8Span) throws(MessageError) {
    let bytes = text.span
    let length = bytes.count
    var letters = 0
    var digits = 0
    for index in 0..<min(length, maximumDigits + 1) {
      switch bytes[index] {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): letters += 1
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digits += 1
      case UInt8(ascii: " "), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "&"),
        UInt8(ascii: "."):
        break
      default: return try checkSignature(text)
      }
    }
    let isName = letters > 0 && length <= 11
    let isNumber =
      length == digits
      ? (3...maximumDigits).contains(digits)
      : length == digits + 1 && bytes[0] == UInt8(ascii: "+") && (3...15).contains(digits)
    if !isName && !isNumber { try checkSignature(text) }
  }

  private static func checkSignature(_ text: UTF8Span) throws(MessageError) {
    // Before anything is made of it: it may be a megabyte.
    guard text.count <= 4 * maximumSignatureLength else { throw invalid(text, "is too long") }
    let scalars = String(copying: text).unicodeScalars
    for scalar in scalars where !isVisible(scalar) {
      throw invalid(text, "holds the character U+\(String(scalar.value, radix: 16, uppercase: true))")
    }
    let limit = scalars.allSatisfy(\.isASCII) ? 11 : maximumSignatureLength
    guard scalars.count <= limit else { throw invalid(text, "has \(scalars.count) characters") }
    guard limit > 11 else { throw invalid(text) }
    guard scalars.contains(where: \.properties.isAlphabetic) else { throw invalid(text, "holds no letter") }
    // A provider compares it with its books by the byte.
    var copy = text
    guard copy.checkForNFC(quickCheck: false) else {
      throw invalid(text, "is in decomposed form, its accents apart from their letters (write it in NFC)")
    }
  }

  /// The joiners are invisible, and part of how some scripts are spelled.
  private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    case .format: scalar == "\u{200C}" || scalar == "\u{200D}"
    default: true
    }
  }

  private static func invalid(_ text: UTF8Span, _ why: String? = nil) -> MessageError {
    MessageError(
      .invalidSender,
      "'\(Redacted.number(String(copying: text)))' is no sender\(why.map { ", as it \($0)" } ?? ""): write a name of at most 11 "
        + "letters and digits, a number of 3 to \(maximumDigits) digits, or a signature in any script of at most "
        + "\(maximumSignatureLength) characters"
    )
  }
}
