import Glibc

/// Times on the wire: RFC 3339 text outside, or Unix seconds, and Unix milliseconds inside.
///
/// `Date.ISO8601FormatStyle` reads 30 February, the hour 25 and trailing junk as times (tried with Swift 6.3), so that a
/// producer's mistake would become a wrong expiry instead of an error.
package enum Timestamp {
  /// The milliseconds that RFC 3339 can write: the years 0000 to 9999.
  package static let range: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999

  /// This host's time, in Unix milliseconds.
  package static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// Reads `2026-11-22T12:00:00Z`, with a fraction (what is below the millisecond is dropped) or an offset such as
  /// `+08:00`. A leap second is the second after it, as in Unix time.
  ///
  /// As RFC 3339 are read what ISO 8601, PHP, Python and PostgreSQL write of the same time: `+0800` and `+08`, and a space
  /// instead of the T, or in front of the offset. Unix time is 10 digits of seconds, the years 2001 to 2286, with a fraction
  /// or without. Of other numbers it would have to be guessed whether they are milliseconds, or a delay.
  ///
  /// - Returns: Unix milliseconds; nil if the text is not exactly one such time.
  package static func milliseconds(_ text: String) -> Int64? { milliseconds(text.utf8.span) }

  package static func milliseconds(_ text: Span<UInt8>) -> Int64? { rfc3339(text) ?? unixTime(text) }

  /// What is wrong with a text that is read as no time, and what to do: goes on where `'2026-11-22'` ends.
  package static func complaint(of text: String) -> String {
    let digits = text.utf8.prefix(while: isDigit).count
    if digits == 13, digits == text.utf8.count {
      return "has 13 digits, as Unix time in milliseconds: write it in seconds, as 10 digits"
    }
    if digits > 4, text.utf8.allSatisfy({ isDigit($0) || $0 == UInt8(ascii: ".") }) {
      return "is no Unix time in seconds, which has 10 digits: write that, or RFC 3339, such as 2026-11-22T12:00:00Z"
    }
    if milliseconds(text + "Z") != nil {
      return "has no time zone: put Z for UTC behind it, or an offset such as +08:00"
    }
    return "is no time: write it as RFC 3339, such as 2026-11-22T12:00:00Z, or as Unix time in seconds"
  }

  private static func unixTime(_ text: Span<UInt8>) -> Int64? {
    guard var reader = Reader(text), let seconds = reader.number(digits: 10), seconds >= 1_000_000_000,
      let fraction = reader.fraction(), reader.isAtEnd
    else { return nil }
    return seconds * 1000 + fraction
  }

  private static func rfc3339(_ text: Span<UInt8>) -> Int64? {
    guard var reader = Reader(text), let year = reader.number(digits: 4), reader.take("-"),
      let month = reader.number(digits: 2), (1...12).contains(month), reader.take("-"),
      let day = reader.number(digits: 2), (1...days(inMonth: month, year: year)).contains(day),
      reader.take("T") || reader.take("t") || reader.take(" "),
      let hour = reader.number(digits: 2), hour <= 23, reader.take(":"),
      let minute = reader.number(digits: 2), minute <= 59, reader.take(":"),
      let second = reader.number(digits: 2), second <= 60,
      let fraction = reader.fraction(),
      let offset = reader.offset(), reader.isAtEnd
    else { return nil }
    let minutes = (daysSince1970(year: year, month: month, day: day) * 24 + hour) * 60 + minute - offset
    let milliseconds = (minutes * 60 + second) * 1000 + fraction
    return range.contains(milliseconds) ? milliseconds : nil
  }

  /// Writes Unix milliseconds as RFC 3339 in UTC, with a fraction only where there is one. Clamped to ``range``.
  package static func rfc3339(_ milliseconds: Int64) -> String {
    var bytes: [UInt8] = []
    append(milliseconds, alwaysWithFraction: false, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends what ``rfc3339(_:)`` writes, or with a fraction always, so that the columns of a log line up.
  package static func append(_ milliseconds: Int64, alwaysWithFraction: Bool, to bytes: inout [UInt8]) {
    let clamped = min(max(milliseconds, range.lowerBound), range.upperBound)
    let (seconds, fraction) = floorDivide(clamped, by: 1000)
    let (days, secondOfDay) = floorDivide(seconds, by: 86_400)
    let (year, month, day) = date(daysSince1970: days)
    append(year, digits: 4, "-", to: &bytes)
    append(month, digits: 2, "-", to: &bytes)
    append(day, digits: 2, "T", to: &bytes)
    append(secondOfDay / 3600, digits: 2, ":", to: &bytes)
    append(secondOfDay / 60 % 60, digits: 2, ":", to: &bytes)
    let hasFraction = fraction != 0 || alwaysWithFraction
    append(secondOfDay % 60, digits: 2, hasFraction ? "." : "Z", to: &bytes)
    if hasFraction { append(fraction, digits: 3, "Z", to: &bytes) }
  }

  private static func append(_ number: Int64, digits: Int, _ end: Unicode.Scalar, to bytes: inout [UInt8]) {
    var divisor: Int64 = digits == 4 ? 1000 : digits == 3 ? 100 : 10
    while divisor > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
      divisor /= 10
    }
    bytes.append(UInt8(ascii: end))
  }

  private static func days(inMonth month: Int64, year: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  // Both ways count in years that start on 1 March, so that the leap day is a year's last one. From there on the months
  // have 31, 30, 31, 30, 31 days, again and again, which is 153 days for five. 719,468 days lie between 1 March of the
  // year 0 and 1 January 1970; 146,097 are 400 years.

  private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
    let (marchYear, marchMonth) = month > 2 ? (year, month - 3) : (year - 1, month + 9)
    let (era, yearOfEra) = floorDivide(marchYear, by: 400)
    let dayOfYear = (153 * marchMonth + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  private static func date(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivide(days + 719_468, by: 146_097)
    // 1,460, 36,524 and 146,096: the days before the last one of 4, 100 and 400 years, each of which is a leap day.
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let isNextYear = marchMonth >= 10
    return (era * 400 + yearOfEra + (isNextYear ? 1 : 0), isNextYear ? marchMonth - 9 : marchMonth + 3, day)
  }

  private static func floorDivide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}

private struct Reader {
  private let bytes: InlineArray<48, UInt8>
  private let count: Int
  private var index = 0

  /// Nil if the text is longer than a time can be: one with a dozen digits of fraction has 38 characters.
  init?(_ text: Span<UInt8>) {
    count = text.count
    guard count <= 48 else { return nil }
    bytes = InlineArray { $0 < text.count ? text[$0] : 0 }
  }

  var isAtEnd: Bool { index == count }

  private var current: UInt8? { index < count ? bytes[index] : nil }

  mutating func take(_ wanted: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: wanted) else { return false }
    index += 1
    return true
  }

  mutating func digit() -> Int64? {
    guard let byte = current, isDigit(byte) else { return nil }
    index += 1
    return Int64(byte - UInt8(ascii: "0"))
  }

  mutating func number(digits: Int) -> Int64? {
    var number: Int64 = 0
    for _ in 0..<digits {
      guard let digit = digit() else { return nil }
      number = number * 10 + digit
    }
    return number
  }

  /// Milliseconds; 0 when there is no fraction, nil when there is a point without digits.
  mutating func fraction() -> Int64? {
    guard take(".") else { return 0 }
    guard var milliseconds = digit().map({ $0 * 100 }) else { return nil }
    var unit: Int64 = 10
    while let digit = digit() {
      milliseconds += digit * unit
      unit /= 10
    }
    return milliseconds
  }

  /// Minutes east of UTC.
  mutating func offset() -> Int64? {
    if take("Z") || take("z") { return 0 }
    _ = take(" ")
    let sign: Int64 = take("+") ? 1 : -1
    guard sign == 1 || take("-"),
      let hours = number(digits: 2), hours <= 23
    else { return nil }
    if isAtEnd { return sign * hours * 60 }
    _ = take(":")
    guard let minutes = number(digits: 2), minutes <= 59 else { return nil }
    return sign * (hours * 60 + minutes)
  }
}
