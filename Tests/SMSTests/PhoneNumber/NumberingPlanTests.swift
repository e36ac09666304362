import Testing

@testable import SMS

@Suite struct NumberingPlanTests {
  @Test("What the hot path knows of a country code agrees with its numbering plan, for all beginnings of three digits")
  func callingCodes() {
    #expect(NumberingPlan.callingCodes.count == 1000)
    for prefix in 0..<1000 {
      let digits = Array(("000" + String(prefix)).suffix(3).utf8)
      let code = CallingCode(of: digits)
      let plan = NumberingPlan(ofNumber: digits[...])
      #expect((7...15).contains(where: code.has(length:)) == (plan != nil), "\(prefix)")
      #expect(code.noZeroAt == 0 || code.noZeroAt == plan?.codeLength, "\(prefix)")
    }
  }

  @Test("Plans are in the order of their codes, and no code is the beginning of another")
  func order() {
    let codes = NumberingPlan.all.map(\.code)
    #expect(codes == codes.sorted())
    #expect(Set(codes).count == codes.count)
    #expect(codes.count > 200)
    for code in codes {
      let digits = Array(String(code).utf8)
      #expect(NumberingPlan(ofNumber: digits[...])?.code == code)
      #expect(NumberingPlan(code: code)?.codeLength == digits.count)
    }
    #expect(NumberingPlan(code: 999) == nil)
    #expect(NumberingPlan(code: 0) == nil)
  }

  @Test(
    "A plan knows its numbers by their digits, whole",
    arguments: [
      (86, "13800138000", true), (86, "1380013800", false), (86, "138001380000", false), (86, "", false),
      (1, "4155552671", true), (1, "1155552671", false), (1, "415555267", false),
      (39, "0612345678", true), (49, "0612345678", false), (225, "0708123456", true), (225, "708123456", false),
      (44, "7700900123", true), (800, "12345678", true), (979, "212345678", false),
    ] as [(UInt16, String, Bool)]
  )
  func numbers(code: UInt16, digits: String, expected: Bool) throws {
    #expect(try #require(NumberingPlan(code: code)).has(Array(digits.utf8)[...]) == expected)
  }

  @Test("A number is rewritten once for each prefix that it begins with, and an infix goes with its area code")
  func rewriting() throws {
    func rewritings(_ digits: String, _ code: UInt16) throws -> [String] {
      var found: [String] = []
      try #require(NumberingPlan(code: code)).forEachRewriting(of: Array(digits.utf8)[...]) {
        found.append(String(decoding: $0, as: UTF8.self))
      }
      return found
    }
    #expect(try rewritings("13800138000", 86) == [])
    #expect(try rewritings("013800138000", 86) == ["13800138000"])
    #expect(try rewritings("0151187654321", 55) == ["151187654321", "1187654321"])
    #expect(try rewritings("8029", 375) == ["029", "29"])
    #expect(try rewritings("0111523456789", 54) == ["901123456789", "111523456789", "91123456789"])
    #expect(try rewritings("886377", 378) == ["0549886377"])
    #expect(try rewritings("0612345678", 39) == [])
  }

  @Test("Prefixes dialled for a number abroad are found, the shortest first")
  func internationalPrefixes() throws {
    func lengths(_ digits: String, _ code: UInt16) throws -> [Int] {
      var found: [Int] = []
      try #require(NumberingPlan(code: code)).forEachInternationalPrefix(of: Array(digits.utf8)[...]) {
        found.append($0)
      }
      return found
    }
    #expect(try lengths("01186", 1) == [3])
    #expect(try lengths("00186", 852) == [2, 3])
    #expect(try lengths("81086", 7) == [3])
    #expect(try lengths("1411001186", 61) == [8])
    #expect(try lengths("8613", 86) == [])
    #expect(try lengths("00", 1) == [])
  }
}
