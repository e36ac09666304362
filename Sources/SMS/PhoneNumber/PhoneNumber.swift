import Wire

/// A telephone number in E.164 form: `+`, then 7 to 15 digits, the first of them those of an assigned country code.
package struct PhoneNumber: Hashable, Sendable, CustomStringConvertible {
  /// The number, such as `+8613800138000`.
  package let e164: String

  /// Digits, those of the country code among them. 15 is ITU-T E.164's limit. It names no lower one; the shortest
  /// international numbers in use have 7.
  static let lengths = 7...15
  static let howToWrite = "write + and 7 to 15 digits, such as +8613800138000"

  /// Reads a number as people write it: see ``WrittenNumber`` for the characters, ``NumberReadings`` for what the digits can
  /// mean. Where they can be one number, it is that; where they can be two or none, it is refused, so that no message goes to
  /// somebody else.
  ///
  /// A number with `+` is taken at its word, also where the numbering plans do not know it: they may be older than it. Only
  /// its country code must be assigned, and what is left of dialling within the country is dropped (`+44 07700 900123`).
  ///
  /// - Parameter defaultCountryCode: where a number without `+` is dialled: 1 to 3 digits, with or without `+`. All regions of
  ///   a shared code are meant, as of 1 or 7. Nil refuses numbers without `+` but for those with 00 in front.
  /// - Throws: `invalid_number`, `no_country_code`, `invalid_country_code`.
  package init(_ text: String, defaultCountryCode: String?) throws(MessageError) {
    // The usual case in one look: a number that is in E.164 form already.
    if Self.isE164(text.utf8.span) {
      e164 = text
      return
    }
    let written = try WrittenNumber(text)
    if written.hasPlus {
      e164 = try Self.international(written, text)
    } else {
      e164 = try Self.withoutPlus(written, text, defaultCountryCode)
    }
  }

  /// A number that is in E.164 form already; nil for one that is not, or that has to be looked at more closely.
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
  package static func countryCode(_ text: String) throws(MessageError) -> String { String(try plan(of: text).code) }

  private static func plan(of countryCode: String) throws(MessageError) -> NumberingPlan {
    let digits = countryCode.hasPrefix("+") ? countryCode.dropFirst() : Substring(countryCode)
    guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy(isDigit), !digits.hasPrefix("0"),
      let code = UInt16(digits)
    else {
      throw MessageError(
        .invalidCountryCode,
        "'\(Redacted.value(countryCode))' is no country code: write 1 to 3 digits, such as 86 or +86"
      )
    }
    guard let plan = NumberingPlan(code: code) else {
      throw MessageError(
        .invalidCountryCode,
        "'\(countryCode)' is no country's code: write one that is assigned, such as 86 or +86"
      )
    }
    return plan
  }

  /// Whether a number is good as it is: `+`, digits, an assigned country code, and a length that its country has, without a
  /// 0 that is dialled only within the country. What is not may still be a number: it is looked at more closely.
  static func isE164(_ bytes: Span<UInt8>) -> Bool {
    guard (8...16).contains(bytes.count), bytes[0] == UInt8(ascii: "+") else { return false }
    for index in 1..<bytes.count where !isDigit(bytes[index]) { return false }
    let code = CallingCode(prefix: Int(bytes[1]) * 100 + Int(bytes[2]) * 10 + Int(bytes[3]) - 111 * 48)
    return code.has(length: bytes.count - 1) && bytes[1 + code.noZeroAt] != UInt8(ascii: "0")
  }

  private static func international(_ written: WrittenNumber, _ text: String) throws(MessageError) -> String {
    let digits = written.digits
    let number = "+" + String(decoding: digits, as: UTF8.self)
    let isComplete = written.zeroInBrackets == nil && isE164(number.utf8.span)
    if isComplete, NumberingPlan(ofNumber: digits[...]).map({ !repeatsCode(digits, $0) }) ?? true { return number }
    guard let plan = NumberingPlan(ofNumber: digits[...]) else {
      throw invalid(
        text,
        digits.isEmpty
          ? "it has no digits"
          : digits[0] == UInt8(ascii: "0") ? "its country code starts with 0" : "no country has its country code"
      )
    }
    let readings = NumberReadings(international: written)
    if let only = try only(of: readings, text) { return only }
    guard lengths.contains(digits.count) else { throw invalid(text, "it has \(digits.count) digits") }
    guard written.zeroInBrackets == nil else {
      throw invalid(text, "it holds (0) where none belongs", "write it as it is dialled from abroad")
    }
    guard !repeatsCode(digits, plan) else {
      throw invalid(text, "it has its country code \(plan.code) twice", "write that once")
    }
    guard CallingCode(of: digits).noZeroAt == 0 || digits[plan.codeLength] != UInt8(ascii: "0") else {
      throw invalid(
        text,
        "no number of the country code \(plan.code) has such a 0, nor is it one without",
        "write it as it is dialled from abroad"
      )
    }
    return number
  }

  /// Whether somebody has put + and the country code in front of a number that had its code already: no number as it is, and
  /// one without the first of the two.
  private static func repeatsCode(_ digits: [UInt8], _ plan: NumberingPlan) -> Bool {
    let code = digits.prefix(plan.codeLength)
    let rest = digits.dropFirst(plan.codeLength)
    return rest.starts(with: code) && !plan.has(rest) && plan.has(rest.dropFirst(plan.codeLength))
  }

  private static func withoutPlus(
    _ written: WrittenNumber,
    _ text: String,
    _ defaultCountryCode: String?
  ) throws(MessageError) -> String {
    let digits = written.digits
    guard !digits.isEmpty else { throw invalid(text, "it has no digits") }
    let plan: NumberingPlan? = if let defaultCountryCode { try self.plan(of: defaultCountryCode) } else { nil }
    if plan == nil, !digits.starts(with: "00".utf8) {
      throw MessageError(
        .noCountryCode,
        "'\(Redacted.number(text))' has no country code: write +, the country code and the number, such as "
          + "+8613800138000, or set --default-country-code"
      )
    }
    if let only = try only(of: NumberReadings(written, in: plan), text) { return only }
    let place = plan.map { "where the country code is \($0.code)" } ?? "with 00 for +"
    throw MessageError(
      .invalidNumber,
      "'\(Redacted.number(text))' is no telephone number \(place), however it is read (by \(NumberingPlan.source)): check "
        + "it, or write + and the country code, such as +8613800138000"
    )
  }

  /// Nil if there is none.
  private static func only(of readings: NumberReadings, _ text: String) throws(MessageError) -> String? {
    guard readings.found.count > 1 else { return readings.found.first }
    throw MessageError(
      .invalidNumber,
      "'\(Redacted.number(text))' can be read as \(readings.found.map(Redacted.number).joined(separator: " or as ")): "
        + "write the one that is meant with +, its country code, and no 0 in brackets"
    )
  }

  private static func invalid(
    _ text: String,
    _ reason: String,
    _ advice: String = howToWrite
  ) -> MessageError {
    MessageError(.invalidNumber, "'\(Redacted.number(text))' is no telephone number, as \(reason): \(advice)")
  }
}
