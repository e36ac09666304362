/// Which numbers there are behind a country code, and what is dialled in front of them. `make numbers` writes the values.
struct NumberingPlan {
  /// 1 to 3 digits, such as 86. Several regions may share it, as the United States, Canada and others share 1.
  let code: UInt16
  /// The national numbers that are in use, of whatever kind, as they are dialled from abroad. See ``DigitAutomaton``.
  fileprivate let numbers: UInt16
  /// What is dialled in front of a number within the country, such as 0, or 0 and the digits of a carrier.
  fileprivate let trunkPrefixes: UInt16
  /// What is dialled in front of the country code of a number abroad, such as 00 or 011.
  fileprivate let internationalPrefixes: UInt16

  init(code: UInt16, numbers: UInt16, trunkPrefixes: UInt16, internationalPrefixes: UInt16) {
    self.code = code
    self.numbers = numbers
    self.trunkPrefixes = trunkPrefixes
    self.internationalPrefixes = internationalPrefixes
  }

  /// Nil for a code that is not assigned.
  init?(code: UInt16) {
    var range = 0..<Self.all.count
    while !range.isEmpty {
      let middle = range.lowerBound + range.count / 2
      let plan = Self.all[middle]
      if plan.code == code {
        self = plan
        return
      }
      range = plan.code < code ? middle + 1..<range.upperBound : range.lowerBound..<middle
    }
    return nil
  }

  /// The plan of the country code that the digits begin with. No code is the beginning of another.
  init?(ofNumber digits: ArraySlice<UInt8>) {
    var code: UInt16 = 0
    for digit in digits.prefix(3) {
      code = code * 10 + UInt16(digit - UInt8(ascii: "0"))
      if code == 0 { return nil }
      if let plan = Self(code: code) {
        self = plan
        return
      }
    }
    return nil
  }

  /// How many digits the code has.
  var codeLength: Int { code < 10 ? 1 : code < 100 ? 2 : 3 }

  func has(_ national: ArraySlice<UInt8>) -> Bool { DigitAutomaton.accepts(national, from: numbers) }

  /// Calls `body` with the length of each prefix that the digits begin with and that is dialled for a number abroad.
  func forEachInternationalPrefix(of digits: ArraySlice<UInt8>, _ body: (Int) -> Void) {
    DigitAutomaton.forEachPrefix(of: digits, from: internationalPrefixes, body)
  }

  /// Calls `body` with what the digits are from abroad, where they are dialled within the country: once for each way in
  /// which they can be rewritten, whether or not that makes a number.
  func forEachRewriting(of digits: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) -> Void) {
    let rewriting = Self.rewritings[code]
    rewriting?.apply(to: digits, body)
    DigitAutomaton.forEachPrefix(of: digits, from: trunkPrefixes) { length in
      let rest = digits.dropFirst(length)
      body(rest)
      // A number that is dialled without its area code gets no trunk prefix either.
      if let rewriting, !rewriting.removed.isEmpty { rewriting.apply(to: rest, body) }
    }
  }

  /// How a number within the country becomes one from abroad where that is more than a prefix dropped: digits are taken out
  /// behind the area code (Argentina's 15) and others put in front (its 9, or the area code of the country's one area).
  struct Rewriting {
    let front: String
    /// Empty where nothing is taken out.
    let removed: String
    /// How many digits stand in front of those that are taken out.
    let after: ClosedRange<Int>

    fileprivate func apply(to digits: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) -> Void) {
      for count in after {
        let rest = digits.dropFirst(count)
        guard rest.starts(with: removed.utf8) else { continue }
        body(Array(front.utf8) + digits.prefix(count) + rest.dropFirst(removed.utf8.count))
      }
    }
  }
}

/// What the hot path asks about a country code, by the three digits that a number in E.164 form begins with.
///
/// Of the 16 bits the lowest nine say which lengths its phones' numbers have, from 7 to 15 digits with the code. The next two
/// are the number of digits in the code, or 0 where these numbers may begin with 0. All are 0 for a code that is not assigned.
struct CallingCode {
  private let bits: UInt16

  /// - Parameter prefix: 0...999.
  init(prefix: Int) { bits = NumberingPlan.callingCodes[prefix] }

  /// - Parameter digits: three or more, in ASCII.
  init(of digits: [UInt8]) { self.init(prefix: Int(digits[0]) * 100 + Int(digits[1]) * 10 + Int(digits[2]) - 111 * 48) }

  /// Whether phones of this country have numbers of so many digits, those of the code among them.
  ///
  /// - Parameter digits: 7...15.
  func has(length digits: Int) -> Bool { bits &>> UInt16(truncatingIfNeeded: digits &- 7) & 1 != 0 }

  /// Where, counted from the number's first digit, no 0 may stand: behind the code, unless the country keeps the 0.
  var noZeroAt: Int { Int(bits >> 9) }
}
