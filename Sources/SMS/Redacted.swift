import Wire

/// What an error or a log line may show of a value that somebody else wrote.
package enum Redacted {
  /// The first characters and the last four, at most ten in all, and at least four hidden. Up to six characters are no
  /// telephone number and are shown whole. What cannot be printed becomes `?`.
  package static func number(_ text: String) -> String {
    let scalars = text.unicodeScalars
    // A text may be a megabyte: no need to count further than the longest number that could be meant.
    let count = scalars.prefix(64).count
    guard count > 6 else { return printable(scalars) }
    let shown = min(count - 4, 10)
    let tail = min(4, (shown + 1) / 2)
    return printable(scalars.prefix(shown - tail)) + "****" + printable(scalars.suffix(tail))
  }

  /// A user's id: where it looks like a telephone number, as some producers have it, with its middle hidden as that.
  ///
  /// A number is digits in groups: 7 to 15 behind `+` or `00`, 8 to 15 without. People count their users up to 7 digits more
  /// often than they write a number of so few.
  package static func user(_ id: String, showingNumbers: Bool) -> String {
    guard id.utf8.allSatisfy({ isDigit($0) || " +-.()/".utf8.contains($0) }) else {
      return printable(id.unicodeScalars)
    }
    if showingNumbers { return id }
    let digits = id.utf8.filter(isDigit)
    let hasPrefix = digits.starts(with: "00".utf8)
    let isInternational = hasPrefix || id.hasPrefix("+")
    return ((isInternational ? 7 : 8)...15).contains(digits.count - (hasPrefix ? 2 : 0)) ? number(id) : id
  }

  /// A time as far as it looks like one, so that its fault can be seen. Columns get shifted: of what may be a number, or a
  /// text with a code at its end, no more is shown than that it is no time.
  static func time(_ text: String) -> String {
    let beginning = Array(text.utf8.prefix(10))
    let isDate =
      beginning.count == 10 && beginning[4] == UInt8(ascii: "-") && beginning[7] == UInt8(ascii: "-")
      && beginning.count(where: isDigit) == 8
    if isDate { return value(text) }
    if text.utf8.prefix(64).allSatisfy({ isDigit($0) || " +-.()/".utf8.contains($0) }) { return number(text) }
    let scalars = text.unicodeScalars
    return printable(scalars.prefix(10)) + (scalars.dropFirst(10).isEmpty ? "" : "...")
  }

  /// A member's or a column's name. One that holds as many digits as a telephone number, or is as long as a text, is none.
  package static func name(_ text: String) -> String {
    let digits = text.utf8.prefix(64).count(where: isDigit)
    return digits < 5 && text.unicodeScalars.prefix(33).count <= 32 ? printable(text.unicodeScalars) : number(text)
  }

  /// The first 32 characters, for values that are no secret, such as a time.
  static func value(_ text: String) -> String {
    let scalars = text.unicodeScalars
    return printable(scalars.prefix(32)) + (scalars.dropFirst(32).isEmpty ? "" : "...")
  }

  /// The first characters of what a provider said, on one line.
  package static func line(_ text: String, limit: Int) -> String { printable(text.unicodeScalars.prefix(limit)) }

  /// A log is read in a terminal: no control characters, no invisible ones, nothing that turns the writing direction.
  private static func printable(_ scalars: some Sequence<Unicode.Scalar>) -> String {
    var shown = ""
    for scalar in scalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
        shown.append("?")
      default: shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }
}
