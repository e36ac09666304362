import Wire

/// A telephone number as somebody wrote it, reduced to what it means: its digits, and whether a `+` came before them.
///
/// What groups digits is dropped: spaces of any width, dashes, dots, slashes and brackets; so are the invisible characters
/// that come along when a number is copied from an address book. Digits of every script count (`８６`, `٨٦`). What may have
/// changed the number is refused: an extension, a second number, what a spreadsheet makes of a number.
struct WrittenNumber {
  /// In ASCII.
  private(set) var digits: [UInt8] = []
  private(set) var hasPlus = false
  /// Which of the digits is the 0 of `(0)`, as in `+44 (0)20 7946 0018`.
  private(set) var zeroInBrackets: Int?

  /// - Throws: `invalid_number`.
  init(_ text: String) throws(MessageError) {
    // No number is longer, however it is grouped, and a hostile one must not cost memory.
    guard !text.isEmpty else {
      throw MessageError(.invalidNumber, "the number is empty: \(PhoneNumber.howToWrite)")
    }
    guard text.utf8.count <= 96 else { throw Self.error(text, "is too long for a telephone number") }
    var rest = Self.trimmed(text)
    if let first = rest.first, first == "t" || first == "T", Substring(rest).lowercased().hasPrefix("tel:") {
      rest.removeFirst(4)
    }
    digits.reserveCapacity(20)
    // Where a bracket was opened, in digits.
    var bracket: Int?
    // What a number that became a decimal has: one dot, and nothing else but digits.
    var dot: Int?
    var separators = 0
    while let scalar = rest.popFirst() {
      switch Meaning(scalar) {
      case .digit(let digit): digits.append(digit)
      case .plus where digits.isEmpty && !hasPlus: hasPlus = true
      case .opening: bracket = digits.count
      case .closing:
        if let opened = bracket, digits[opened...] == [UInt8(ascii: "0")] {
          guard zeroInBrackets == nil else { throw Self.error(text, "holds (0) twice") }
          zeroInBrackets = opened
        }
        bracket = nil
      case .dot:
        dot = digits.count
        separators += 1
      case .separator: separators += 1
      case .invisible: break
      case .plus, .other: throw Self.error(text, at: scalar, followedBy: rest)
      }
    }
    // 021.234.56.00 has more dots, and no group of a number is 0 alone.
    if let dot, separators == 1, dot >= 7, Self.isFraction(digits[dot...]) { throw Self.decimal(text) }
  }

  /// Line ends and tabs around a number come from the file it was cut from; between digits they may divide two numbers.
  private static func trimmed(_ text: String) -> Substring.UnicodeScalarView {
    func isEnd(_ scalar: Unicode.Scalar) -> Bool { scalar == "\n" || scalar == "\r" || scalar == "\t" }
    var scalars = Substring(text).unicodeScalars
    while let first = scalars.first, isEnd(first) { scalars.removeFirst() }
    while let last = scalars.last, isEnd(last) { scalars.removeLast() }
    return scalars
  }

  /// What a character says in a number.
  private enum Meaning {
    case digit(UInt8)
    case plus, opening, closing, dot, separator, invisible, other

    init(_ scalar: Unicode.Scalar) {
      self =
        switch scalar {
        case "0"..."9": .digit(UInt8(truncatingIfNeeded: scalar.value))
        case "+", "＋": .plus
        case "(", "（", "[", "［": .opening
        case ")", "）", "]", "］": .closing
        case ".", "．": .dot
        // Beside those of the dashes' and spaces' categories: the minus sign, the long vowel sign of Japanese keyboards, and
        // the tilde, where Russians wait for the dialling tone.
        case " ", "-", "/", "／", "\u{2212}", "\u{30FC}", "~", "\u{223C}", "～": .separator
        // The soft hyphen, marks of the writing direction, what joins, the byte order mark. Without U+202E: it shows digits
        // in another order than they are in.
        case "\u{AD}", "\u{61C}", "\u{200B}"..."\u{200F}", "\u{202A}"..."\u{202D}", "\u{2060}"..."\u{2064}",
          "\u{2066}"..."\u{2069}", "\u{FEFF}":
          .invisible
        case let scalar where scalar.isASCII: .other
        case let scalar: Self(properties: scalar.properties)
        }
    }

    private init(properties: Unicode.Scalar.Properties) {
      self =
        switch properties.generalCategory {
        case .decimalNumber: .digit(UInt8(ascii: "0") + UInt8(properties.numericValue ?? 0))
        case .spaceSeparator, .dashPunctuation: .separator
        default: .other
        }
    }
  }

  /// The digits behind a decimal number's point: `.0`, `.00`, `.5`.
  private static func isFraction(_ digits: ArraySlice<UInt8>) -> Bool {
    digits.count == 1 || (!digits.isEmpty && digits.allSatisfy { $0 == UInt8(ascii: "0") })
  }

  private static func error(
    _ text: String,
    at scalar: Unicode.Scalar,
    followedBy rest: Substring.UnicodeScalarView
  ) -> MessageError {
    let isExponent = rest.contains(where: isDigit) && rest.allSatisfy { isDigit($0) || $0 == "+" || $0 == "-" }
    let isFraction = rest.contains("0") && rest.allSatisfy { $0 == "0" }
    switch scalar {
    case "e" where isExponent, "E" where isExponent, "," where rest.contains("e") || rest.contains("E"):
      return error(text, "lost digits in a spreadsheet, which wrote it with an exponent", inSpreadsheet)
    case "," where isFraction: return decimal(text)
    case ",", ";", "x", "X", "e", "#":
      return error(text, "holds more than a number", "write one number, without an extension")
    case "\u{202E}":
      return error(text, "holds the character U+202E, which shows digits in another order", "type the number anew")
    default:
      let name = "U+" + String(scalar.value, radix: 16, uppercase: true)
      return error(text, "is no telephone number, because of the character \(name)")
    }
  }

  private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

  private static func decimal(_ text: String) -> MessageError {
    error(text, "is a decimal number, as a spreadsheet writes one", inSpreadsheet)
  }

  private static let inSpreadsheet = "make the column text there, and export it again"

  private static func error(
    _ text: String,
    _ problem: String,
    _ advice: String = PhoneNumber.howToWrite
  ) -> MessageError {
    MessageError(.invalidNumber, "'\(Redacted.number(text))' \(problem): \(advice)")
  }
}
