/// Whom a message says it is from: a name of at most 11 characters, or a number.
///
/// A name fits the address field of a short message: 3GPP TS 23.040 (9.1.2.5) gives it 10 octets, which hold 11
/// septets.
package enum SenderID {
  /// Checks a sender.
  ///
  /// A name has at least one letter, at most 11 characters, and only letters and digits of ASCII, spaces, and
  /// `+ - _ & .`. A number is 3 to 15 digits, such as a short code, with or without `+`.
  ///
  /// - Throws: `invalid_sender`.
  package static func check(_ text: String) throws(MessageError) { try check(text.utf8Span) }

  static func check(_ text: UTF8Span) throws(MessageError) {
    let bytes = text.span
    let length = bytes.count
    var letters = 0
    var digits = 0
    for index in 0..<min(length, 17) {
      switch bytes[index] {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): letters += 1
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digits += 1
      case UInt8(ascii: " "), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "&"),
        UInt8(ascii: "."):
        break
      default: throw invalid(String(copying: text))
      }
    }
    let isName = letters > 0 && length <= 11
    let isNumber =
      (3...15).contains(digits) && (length == digits || (length == digits + 1 && bytes[0] == UInt8(ascii: "+")))
    guard isName || isNumber else { throw invalid(String(copying: text)) }
  }

  private static func invalid(_ text: String) -> MessageError {
    MessageError(
      .invalidSender,
      "'\(Redacted.number(text))' is no sender: write a name of at most 11 letters and digits, "
        + "or a number of 3 to 15 digits"
    )
  }
}
