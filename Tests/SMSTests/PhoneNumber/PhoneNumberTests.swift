import TestSupport
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
      ("030/123456", "49", "+4930123456"),
      ("02.12.34.56.00", "33", "+33212345600"),
      ("06 1234 5678", "39", "+390612345678"),
      ("tel:+86-138-0013-8000", nil, "+8613800138000"),
      ("TEL:13800138000", "86", "+8613800138000"),
      ("\t+8613800138000\r\n", nil, "+8613800138000"),
      // What is copied from an address book, a web page, a keyboard of another script.
      ("\u{202A}+86 138 0013 8000\u{202C}", nil, "+8613800138000"),
      ("\u{2068}+8613800138000\u{2069}", nil, "+8613800138000"),
      ("\u{FEFF}+8613800138000", nil, "+8613800138000"),
      ("+86\u{A0}138\u{2009}0013\u{202F}8000", nil, "+8613800138000"),
      ("+86 138\u{2011}0013\u{2013}8000", nil, "+8613800138000"),
      ("138\u{2212}0013\u{FF0D}8000", "86", "+8613800138000"),
      ("＋８６　１３８－００１３－８０００", nil, "+8613800138000"),
      ("（１３８）００１３８０００", "86", "+8613800138000"),
      ("+٨٦١٣٨٠٠١٣٨٠٠٠", nil, "+8613800138000"),
      ("۱۳۸۰۰۱۳۸۰۰۰", "86", "+8613800138000"),
    ] as [(String, String?, String)]
  )
  func reads(text: String, countryCode: String?, expected: String) throws {
    #expect(try PhoneNumber(text, defaultCountryCode: countryCode).e164 == expected)
  }

  @Test(
    "A number without + is the one that it can be, with its country code or as it is dialled in its country",
    arguments: [
      ("8613800138000", "86", "+8613800138000"),
      ("86 0138 0013 8000", "86", "+8613800138000"),
      ("1-415-555-2671", "1", "+14155552671"),
      ("415-555-2671", "1", "+14155552671"),
      ("14165550123", "1", "+14165550123"),
      ("(268) 460-1234", "1", "+12684601234"),
      ("8 (912) 345-67-89", "7", "+79123456789"),
      ("8~10 86 138 0013 8000", "7", "+8613800138000"),
      ("9123456789", "7", "+79123456789"),
      ("79123456789", "7", "+79123456789"),
      ("8 (771) 000 9998", "7", "+77710009998"),
      ("0708123456", "225", "+2250708123456"),
      ("2250708123456", "225", "+2250708123456"),
      ("0195123456", "229", "+2290195123456"),
      ("011 15-2345-6789", "54", "+5491123456789"),
      ("11 15 2345 6789", "54", "+5491123456789"),
      ("011 2345-6789", "54", "+541123456789"),
      ("0 15 11 96123-4567", "55", "+5511961234567"),
      ("06 30 123 4567", "36", "+36301234567"),
      ("8 029 491-19-11", "375", "+375294911911"),
      ("044 668 1800", "41", "+41446681800"),
      ("07700 900123", "44", "+447700900123"),
      ("07781 123456", "44", "+447781123456"),
      ("(0)20 7946 0018", "44", "+442079460018"),
      ("886377", "378", "+3780549886377"),
      ("0549 886377", "378", "+3780549886377"),
      ("06 6982 0698", "39", "+390669820698"),
      ("17911 138 0013 8000", "86", "+8613800138000"),
    ]
  )
  func readsInCountry(text: String, countryCode: String, expected: String) throws {
    #expect(try PhoneNumber(text, defaultCountryCode: countryCode).e164 == expected)
  }

  @Test(
    "A number abroad is read as it is dialled from the country",
    arguments: [
      ("001 86 138 0013 8000", "852", "+8613800138000"),
      ("011 86 138 0013 8000", "1", "+8613800138000"),
      ("810 86 138 0013 8000", "7", "+8613800138000"),
      ("0011 86 138 0013 8000", "61", "+8613800138000"),
      ("010 86 138 0013 8000", "81", "+8613800138000"),
      ("0014 86 138 0013 8000", "61", "+8613800138000"),
      ("00 1 415 555 2671", "49", "+14155552671"),
      ("0044 (0)7700 900123", "86", "+447700900123"),
      ("00 86 138 0013 8000", nil, "+8613800138000"),
    ] as [(String, String?, String)]
  )
  func readsAbroad(text: String, countryCode: String?, expected: String) throws {
    #expect(try PhoneNumber(text, defaultCountryCode: countryCode).e164 == expected)
  }

  @Test(
    "Behind + and a country code what is dialled only within the country is dropped, and a 0 of the number's own is kept",
    arguments: [
      ("+44 07700 900123", "+447700900123"),
      ("+4407700900123", "+447700900123"),
      ("+44 (0)20 7946 0018", "+442079460018"),
      ("0044(0)2079460018", "+442079460018"),
      ("+49 (0) 1999 1234567", "+4919991234567"),
      ("+7 8 912 345 67 89", "+79123456789"),
      ("+789123456789", "+79123456789"),
      ("+1 1 415 555 2671", "+14155552671"),
      ("+36 06 30 123 4567", "+36301234567"),
      ("+54 11 15 2345 6789", "+5491123456789"),
      ("+39 06 1234 5678", "+390612345678"),
      ("+39 (0)6 1234 5678", "+390612345678"),
      ("+34 (0) 612 345 678", "+34612345678"),
      ("+1 (0) 415 555 2671", "+14155552671"),
      ("+2250708123456", "+2250708123456"),
      ("+241 06 03 12 34", "+24106031234"),
    ]
  )
  func dropsTrunkPrefix(text: String, expected: String) throws {
    #expect(try PhoneNumber(text, defaultCountryCode: nil).e164 == expected)
    #expect(try PhoneNumber(text, defaultCountryCode: "1").e164 == expected)
  }

  @Test(
    "A number with + is taken at its word, though the numbering plans do not know it",
    arguments: [
      "+1234567", "+123456789012345", "+861380013", "+15005550001", "+15005550009", "+2290195", "+5215512345678",
    ]
  )
  func atItsWord(number: String) throws {
    #expect(try PhoneNumber(number, defaultCountryCode: nil).e164 == number)
    #expect(try PhoneNumber("\(number.prefix(2)) \(number.dropFirst(2))", defaultCountryCode: nil).e164 == number)
  }

  @Test(
    "What can be two numbers is refused, and the error shows both and how to write the one that is meant",
    arguments: [
      ("4915123456789", "49", "'49151****6789' can be read as +49491****6789 or as +49151****6789"),
      ("06 03 12 34", "241", "can be read as"),
      ("009 1 809-974-5536", "234", "can be read as"),
    ]
  )
  func ambiguous(text: String, countryCode: String, words: String) throws {
    let error = #expect(throws: MessageError.self) { try PhoneNumber(text, defaultCountryCode: countryCode) }
    let refused = try #require(error)
    #expect(refused.code == .invalidNumber)
    #expect(refused.description.contains(words))
    #expect(refused.description.contains("with +"))
  }

  @Test(
    "What is no number is refused with a code for why",
    arguments: [
      ("", nil, "invalid_number"),
      ("   ", "86", "invalid_number"),
      ("+", nil, "invalid_number"),
      ("+8", nil, "invalid_number"),
      ("+86", nil, "invalid_number"),
      ("tel:", nil, "invalid_number"),
      ("++8613800138000", nil, "invalid_number"),
      ("86+13800138000", nil, "invalid_number"),
      ("+123456", nil, "invalid_number"),
      ("+1234567890123456", nil, "invalid_number"),
      ("+0613800138000", nil, "invalid_number"),
      ("0000123456789", nil, "invalid_number"),
      ("+999123456789", nil, "invalid_number"),
      ("+999 123 456 789", nil, "invalid_number"),
      ("00999123456789", nil, "invalid_number"),
      ("+210123456789", nil, "invalid_number"),
      ("+44 0000 000000000", nil, "invalid_number"),
      ("+44 20 (0) 7946 0018", nil, "invalid_number"),
      ("+34 0612 345 678", nil, "invalid_number"),
      ("+44 (0)(0)20 7946 0018", nil, "invalid_number"),
      ("+861380013800O", nil, "invalid_number"),
      ("+86138\u{0}00138000", nil, "invalid_number"),
      ("+86\t13800138000", nil, "invalid_number"),
      ("+8613800138000\n+8613800138001", nil, "invalid_number"),
      ("\u{202E}+8613800138000", nil, "invalid_number"),
      ("+86138\u{301}00138000", nil, "invalid_number"),
      ("+86138０００1３8000Ⅷ", nil, "invalid_number"),
      (String(repeating: "1", count: 1_000_000), "86", "invalid_number"),
      (String(repeating: "(", count: 97), nil, "invalid_number"),
      (String(repeating: "1", count: 96), "86", "invalid_number"),
      ("0", "86", "invalid_number"),
      ("110", "86", "invalid_number"),
      ("1380013800", "86", "invalid_number"),
      ("138001380000", "86", "invalid_number"),
      ("555-2671", "1", "invalid_number"),
      ("13538489861", nil, "no_country_code"),
      ("8613800138000", nil, "no_country_code"),
      ("0301234567", nil, "no_country_code"),
      ("13800138000", "", "invalid_country_code"),
      ("13800138000", "086", "invalid_country_code"),
      ("13800138000", "8613", "invalid_country_code"),
      ("13800138000", "999", "invalid_country_code"),
      ("13800138000", "cn", "invalid_country_code"),
    ] as [(String, String?, String)]
  )
  func refuses(text: String, countryCode: String?, expected: String) {
    #expect(code { () throws(MessageError) in try PhoneNumber(text, defaultCountryCode: countryCode) } == expected)
  }

  @Test(
    "What became of a number elsewhere is named in the error",
    arguments: [
      ("13800138000.0", "spreadsheet"),
      ("8613800138000.00", "spreadsheet"),
      ("+8613800138000.0", "spreadsheet"),
      ("13800138000,0", "spreadsheet"),
      ("1.38001E+10", "spreadsheet"),
      ("1,38001E+10", "spreadsheet"),
      ("1.3800138e10", "spreadsheet"),
      ("13800138000 ext. 12", "extension"),
      ("13800138000x12", "extension"),
      ("13800138000#12", "extension"),
      ("tel:+8613800138000;ext=12", "extension"),
      ("13800138000,13800138001", "one number"),
      ("13800138000;13800138001", "one number"),
      ("138****8000", "U+2A"),
      ("unknown", "U+75"),
      ("+999123456789", "no country has"),
      ("+86 8613800138000", "twice"),
      ("+65 65 9123 4567", "twice"),
      ("+91-91-98123 45678", "twice"),
      ("+4420", "4 digits"),
      ("1380013800", "+8613800138000"),
      ("1380013800", "libphonenumber"),
      ("+44 20 (0) 7946 0018", "(0)"),
    ]
  )
  func namesTheCause(text: String, words: String) throws {
    let error = #expect(throws: MessageError.self) { try PhoneNumber(text, defaultCountryCode: "86") }
    let refused = try #require(error)
    #expect(refused.code == .invalidNumber)
    #expect(refused.description.contains(words))
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
