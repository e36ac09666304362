import Testing

@testable import SMS

@Suite struct PhoneNumberTests {
  @Test(
    "A number is read however people group it",
    arguments: [
      ("+8613800138000", nil, "+8613800138000"),
      ("+86 138-0013-8000", nil, "+8613800138000"),
      (" +1 (500) 555.0006 ", nil, "+15005550006"),
      ("(+49) 30 123456", nil, "+4930123456"),
      ("008613800138000", nil, "+8613800138000"),
      ("00 86 138 0013 8000", "1", "+8613800138000"),
      ("13800138000", "86", "+8613800138000"),
      ("13800138000", "+86", "+8613800138000"),
      ("030 123456", "49", "+4930123456"),
      ("06 1234 5678", "39", "+390612345678"),
      ("+1234567", nil, "+1234567"),
      ("+123456789012345", nil, "+123456789012345"),
    ] as [(String, String?, String)]
  )
  func reads(text: String, countryCode: String?, expected: String) throws {
    #expect(try PhoneNumber(text, defaultCountryCode: countryCode).e164 == expected)
  }

  @Test(
    "What is no number is refused with a code for why",
    arguments: [
      ("", nil, "invalid_number"),
      ("   ", "86", "invalid_number"),
      ("+", nil, "invalid_number"),
      ("++8613800138000", nil, "invalid_number"),
      ("86+13800138000", nil, "invalid_number"),
      ("+123456", nil, "invalid_number"),
      ("+1234567890123456", nil, "invalid_number"),
      ("+0613800138000", nil, "invalid_number"),
      ("0000123456789", nil, "invalid_number"),
      ("+44 (0)20 7946 0018", nil, "invalid_number"),
      ("0044(0)2079460018", nil, "invalid_number"),
      ("+861380013800O", nil, "invalid_number"),
      ("+86138\u{0}00138000", nil, "invalid_number"),
      ("+86\t13800138000", nil, "invalid_number"),
      ("+８６１３８００１３８０００", nil, "invalid_number"),
      ("＋8613800138000", nil, "invalid_number"),
      ("+٨٦١٣٨٠٠١٣٨٠٠٠", nil, "invalid_number"),
      ("+86138\u{301}00138000", nil, "invalid_number"),
      (String(repeating: "1", count: 1_000_000), "86", "invalid_number"),
      (String(repeating: "(", count: 65), nil, "invalid_number"),
      ("0", "86", "invalid_number"),
      ("13538489861", nil, "no_country_code"),
      ("0301234567", nil, "no_country_code"),
      ("13800138000", "", "invalid_country_code"),
      ("13800138000", "086", "invalid_country_code"),
      ("13800138000", "8613", "invalid_country_code"),
      ("13800138000", "cn", "invalid_country_code"),
    ] as [(String, String?, String)]
  )
  func refuses(text: String, countryCode: String?, expected: String) {
    #expect(code { () throws(MessageError) in try PhoneNumber(text, defaultCountryCode: countryCode) } == expected)
  }

  @Test("The error for a national number says what to do and hides the middle of the number")
  func nationalNumber() throws {
    let error = #expect(throws: MessageError.self) { try PhoneNumber("13538489861", defaultCountryCode: nil) }
    let text = try #require(error).description
    #expect(text.hasPrefix("'135****9861' has no country code"))
    #expect(text.contains("--default-country-code"))
  }

  @Test(
    "A masked number shows at most its first six and last four characters and hides at least four digits",
    arguments: [
      ("+8613800138000", "+86138****8000"),
      ("+123456789012345", "+12345****2345"),
      ("+15005550006", "+150****0006"),
      ("+1234567", "+1****67"),
    ]
  )
  func masks(number: String, expected: String) throws {
    #expect(try PhoneNumber(number, defaultCountryCode: nil).masked == expected)
  }

  @Test("No error shows a whole number, however wrong it is")
  func neverWhole() {
    var random = SeededGenerator(seed: 7)
    let alphabet = Array("0123456789+ -.()abc٣７\u{0}".unicodeScalars)
    for _ in 0..<20_000 {
      var text = ""
      for _ in 0..<Int.random(in: 0...20, using: &random) {
        text.unicodeScalars.append(alphabet.randomElement(using: &random)!)
      }
      do throws(MessageError) {
        _ = try PhoneNumber(text, defaultCountryCode: "86")
      } catch  where text.unicodeScalars.count > 6 && error.description.contains(text) {
        Issue.record("\(error)")
        return
      } catch {}
    }
  }
}
