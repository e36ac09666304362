// Durations as people write them: 250ms, 10s, 5m, 24h, 7d, 1.5s, 1h30m.
//
// A number without a unit is refused: the tools that people come from disagree on whether it means seconds or
// milliseconds.

/// Why a text is no duration: a sentence for the person who wrote it.
package struct DurationError: Error, CustomStringConvertible {
  package let description: String

  fileprivate init(_ description: String) { self.description = description }
}

extension Duration {
  /// From the longest to the shortest, in nanoseconds. "m" comes before "ms" here, but never takes its place: a unit is
  /// read as all the letters that follow a number.
  private static let units: [(name: String, nanoseconds: Int)] = [
    ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
    ("ms", 1_000_000),
  ]

  private static let examples = "10s, 500ms, 5m, 24h or 7d"

  /// Reads one or more numbers, each with a unit of d, h, m, s or ms, the longest first: `1h30m`, `1.5s`.
  ///
  /// - Throws: `DurationError` for anything else, for what is negative, and for more than 292 years.
  package init(notation text: String) throws(DurationError) {
    var rest = text[...]
    var nanoseconds = 0
    var remainingUnits = Self.units[...]

    if rest.isEmpty { throw DurationError("a duration is missing; write \(Self.examples)") }
    if rest.first == "-" { throw DurationError("'\(text)' is negative; write \(Self.examples)") }
    while !rest.isEmpty {
      let number = rest.prefix { Self.isDigit($0) || $0 == "." }
      rest = rest.dropFirst(number.count)
      let unit = rest.prefix { !Self.isDigit($0) && $0 != "." }
      rest = rest.dropFirst(unit.count)

      if number.isEmpty { throw DurationError("'\(text)' is no duration; write \(Self.examples)") }
      if unit.isEmpty { throw DurationError("'\(text)' has no unit: write \(Self.examples)") }
      guard let known = Self.units.first(where: { $0.name == unit }) else {
        throw DurationError("'\(text)' has the unknown unit '\(unit)': write \(Self.examples)")
      }
      guard let position = remainingUnits.firstIndex(where: { $0.name == unit }) else {
        throw DurationError("'\(text)' must have each unit once, the longest first, as in 1h30m")
      }
      remainingUnits = remainingUnits[(position + 1)...]
      guard Self.isDecimal(number) else {
        throw DurationError("'\(text)' is no duration; write \(Self.examples)")
      }
      guard let part = Self.multiply(number, by: known.nanoseconds),
        case let (sum, false) = nanoseconds.addingReportingOverflow(part)
      else { throw DurationError("'\(text)' is too long; the longest is 106751d") }
      nanoseconds = sum
    }
    self = .nanoseconds(nanoseconds)
  }

  /// Not `"0"..."9"`, in whose order a digit with an accent has its place as well.
  private static func isDigit(_ character: Character) -> Bool { character.isASCII && character.isWholeNumber }

  /// True for `10`, `1.5` and `0.25`, false for `1.`, `.5` and `1.2.3`.
  private static func isDecimal(_ number: Substring) -> Bool {
    let parts = number.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count <= 2 && !parts.contains(where: \.isEmpty)
  }

  /// `number` of units in nanoseconds, what is less than one cut off; nil on overflow.
  private static func multiply(_ number: Substring, by unit: Int) -> Int? {
    let parts = number.split(separator: ".")
    guard let whole = Int(parts[0]) else { return nil }
    var (result, overflow) = whole.multipliedReportingOverflow(by: unit)
    if parts.count == 2 {
      // Digit by digit, because a Double would turn 0.1s into 100000000.00000001 ns.
      var digitUnit = unit
      for digit in parts[1] {
        digitUnit /= 10
        let (sum, carried) = result.addingReportingOverflow(digitUnit * digit.wholeNumberValue!)
        result = sum
        overflow = overflow || carried
      }
    }
    return overflow ? nil : result
  }

  /// The duration in the notation that `init(notation:)` reads, to the nanosecond: `250ms`, `1.5s`, `1h30m`, `24h`,
  /// `7d`. Days are used from two on: `24h` says better than `1d` what is meant. Negative ones carry a minus sign.
  package var notation: String {
    let (seconds, attoseconds) = components
    if seconds < 0 || attoseconds < 0 { return "-" + (Duration.zero - self).notation }
    if seconds == 0 && attoseconds == 0 { return "0s" }
    let nanoseconds = Int(attoseconds / 1_000_000_000)
    if seconds == 0 { return Self.decimal(nanoseconds / 1_000_000, nanoseconds % 1_000_000, digits: 6) + "ms" }

    var rest = Int(seconds)
    var text = ""
    if rest >= 2 * 86400 {
      text += "\(rest / 86400)d"
      rest %= 86400
    }
    if rest >= 3600 { text += "\(rest / 3600)h" }
    rest %= 3600
    if rest >= 60 { text += "\(rest / 60)m" }
    rest %= 60
    if rest > 0 || nanoseconds > 0 { text += Self.decimal(rest, nanoseconds, digits: 9) + "s" }
    return text
  }

  /// `whole.fraction`, the fraction having `digits` digits of which trailing zeros are left out.
  private static func decimal(_ whole: Int, _ fraction: Int, digits: Int) -> String {
    guard fraction > 0 else { return "\(whole)" }
    var text = String(fraction)
    text = String(repeating: "0", count: digits - text.count) + text
    while text.last == "0" { text.removeLast() }
    return "\(whole).\(text)"
  }
}
