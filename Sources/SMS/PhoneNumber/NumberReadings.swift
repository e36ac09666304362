/// The numbers that digits can be read as. Only those are found that the numbering plans know, so that digits that can be read
/// in several ways mostly are one number.
struct NumberReadings {
  private let digits: [UInt8]
  private let zeroInBrackets: Int?
  /// In E.164 form, each once.
  private(set) var found: [String] = []

  /// Digits behind a `+`: a country code, then a number as it is dialled from abroad, or else, by mistake, within the country.
  init(international written: WrittenNumber) {
    digits = written.digits
    zeroInBrackets = written.zeroInBrackets
    readInternational(digits[...])
    // The plans may be older than the number. It cannot be one as it stands, or it would not be looked at here.
    if found.isEmpty { readInternational(digits[...], byLength: true) }
  }

  /// Digits without a `+`: as they are dialled in a country, or as an international number whose `+` is missing.
  ///
  /// - Parameter plan: of the default country code; nil where there is none.
  init(_ written: WrittenNumber, in plan: NumberingPlan?) {
    digits = written.digits
    zeroInBrackets = written.zeroInBrackets
    // 00 is what ITU-T E.164 recommends for a number abroad; it is understood also where another is dialled.
    if digits.starts(with: "00".utf8) { readInternational(digits.dropFirst(2)) }
    guard let plan else { return }
    readNational(digits[...], plan)
    if NumberingPlan(ofNumber: digits[...])?.code == plan.code { readInternational(digits[...]) }
    plan.forEachInternationalPrefix(of: digits[...]) { readInternational(digits.dropFirst($0)) }
  }

  /// - Parameter byLength: whether a number need not be known, if the country has numbers of its length.
  private mutating func readInternational(_ digits: ArraySlice<UInt8>, byLength: Bool = false) {
    guard let plan = NumberingPlan(ofNumber: digits) else { return }
    let national = digits.dropFirst(plan.codeLength)
    guard mayStart(at: national.startIndex) else { return }
    // It is taken as it is, if it is a number so: a trunk prefix does not belong here.
    if !byLength, add(national, plan), zeroInBrackets == nil { return }
    // In brackets a 0 is as good as crossed out, also where the country has no trunk prefix.
    if zeroInBrackets != nil { add(national.dropFirst(), plan, byLength: byLength) }
    plan.forEachRewriting(of: national) { rewritten in
      // An area code is put in front of none but known numbers.
      if !byLength || rewritten.count < national.count { add(rewritten, plan, byLength: byLength) }
    }
  }

  private mutating func readNational(_ national: ArraySlice<UInt8>, _ plan: NumberingPlan) {
    guard mayStart(at: national.startIndex) else { return }
    add(national, plan)
    plan.forEachRewriting(of: national) { add($0, plan) }
  }

  /// `(0)` is a trunk prefix, which is where the national number starts, or is no number's.
  private func mayStart(at index: Int) -> Bool { zeroInBrackets == nil || zeroInBrackets == index }

  @discardableResult
  private mutating func add(_ national: ArraySlice<UInt8>, _ plan: NumberingPlan, byLength: Bool = false) -> Bool {
    guard PhoneNumber.lengths.contains(plan.codeLength + national.count) else { return false }
    guard byLength || plan.has(national) else { return false }
    let number = "+\(plan.code)" + String(decoding: national, as: UTF8.self)
    guard !byLength || PhoneNumber.isE164(number.utf8.span) else { return false }
    if !found.contains(number) { found.append(number) }
    return true
  }
}
