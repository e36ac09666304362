extension String {
  /// The text on one line of a terminal: what would move the cursor, change colours or turn the writing direction is shown
  /// as JSON would escape it. Payloads come from anybody.
  var printable: String {
    var shown = ""
    for scalar in unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .lineSeparator, .paragraphSeparator: shown += scalar.escaped
      case .format where scalar.properties.isBidiControl: shown += scalar.escaped
      default: shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }
}

extension Unicode.Scalar {
  /// For the characters above, all of which have at most four digits.
  fileprivate var escaped: String {
    let digits = String(value, radix: 16)
    return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
