import Testing

@testable import SMS

@Suite struct SegmentReportTests {
  /// Each foreign character as `U+2019@4x2>'`: where it stands first, how often, what to write for it.
  private func foreign(_ text: String) throws -> [String] {
    try SegmentReport(of: text).foreign.map { character in
      let times = character.count > 1 ? "x\(character.count)" : ""
      let substitute = character.substitute.map { ">\($0)" } ?? ""
      return "\(String(character.scalar.value, radix: 16))@\(character.position)\(times)\(substitute)"
    }
  }

  @Test(
    "What keeps a text out of GSM 03.38 is named with its place and what to write",
    arguments: [
      ("Don’t ‘pay’ twice", ["2019@4x2>'", "2018@7>'"]),
      ("“a” – b…", ["201c@1>\"", "201d@3>\"", "2013@5>-", "2026@8>..."]),
      ("a\u{A0}b\tc\u{200B}", ["a0@2> ", "9@4> ", "200b@6>"]),
      ("{€}^", []),
      ("çÇ", ["e7@1"]),
      ("Ａ｀", ["ff21@1>A", "ff40@2>'"]),
      ("\u{2126}\u{212B}", ["2126@1>Ω", "212b@2>Å"]),
      ("e\u{301}e\u{301}o\u{301}", ["301@2x2>é", "301@6"]),
      ("n\u{303}\u{301}", ["303@2>ñ", "301@3"]),
      ("您好，您", ["60a8@1x2", "597d@2", "ff0c@3>,"]),
    ] as [(String, [String])]
  )
  func places(text: String, expected: [String]) throws {
    #expect(try foreign(text) == expected)
  }

  @Test("A text with its substitutes is GSM, and there is none where one is missing")
  func substituted() throws {
    #expect(try SegmentReport(of: "l’été\u{A0}: «\u{2026}»").substituted == "l'été : \"...\"")
    #expect(try SegmentReport(of: "e\u{301}te\u{301}").substituted == "été")
    #expect(try SegmentReport(of: "‘ç’").substituted == nil)
    #expect(try SegmentReport(of: "plain").substituted == nil)
  }

  @Test("Whatever is written for a character is of GSM 03.38")
  func substitutes() {
    var count = 0
    for value in 0...UInt32(0x2FFFF) {
      guard let scalar = Unicode.Scalar(value), let substitute = GSM0338.substitute(for: scalar) else { continue }
      #expect(Segmentation(of: substitute).encoding == .gsm7, "U+\(String(value, radix: 16))")
      // Of GSM's own characters only those are looked up that are equal to themselves.
      if !GSM0338.contains(scalar) { count += 1 }
    }
    #expect(count > 120)
  }

  @Test(
    "The parts and what is left in the last add up",
    arguments: [
      ("hi", [2], 158), (String(repeating: "a", count: 161), [153, 8], 145),
      (String(repeating: "a", count: 152) + "{" + String(repeating: "a", count: 152), [152, 153, 1], 152),
      ("中", [1], 69), (String(repeating: "中", count: 66) + "😜中中中", [66, 5], 62),
      (String(repeating: "中", count: 65) + "👨‍👩‍👧" + String(repeating: "中", count: 59), [65, 67], 0),
    ] as [(String, [Int], Int)]
  )
  func parts(text: String, parts: [Int], left: Int) throws {
    let report = try SegmentReport(of: text)
    #expect(report.parts == parts)
    #expect(report.unitsLeft == left)
    #expect(report.segmentation.segments == parts.count)
  }

  @Test("In mainland China 70 characters are one, and each 67 of a longer text, in any script")
  func mainland() throws {
    for (text, segments) in [
      (String(repeating: "a", count: 70), 1), (String(repeating: "a", count: 71), 2),
      (String(repeating: "{", count: 70), 1),
      (String(repeating: "中", count: 160), 3), (String(repeating: "a", count: 134), 2),
      (String(repeating: "a", count: 135), 3),
      ("😜" + String(repeating: "中", count: 68), 1), ("😜" + String(repeating: "中", count: 69), 2),
    ] {
      #expect(try SegmentReport(of: text).mainlandSegments == segments, "\(text)")
    }
  }

  @Test("A text that no message may hold has no report, and one that is only too long has")
  func refused() throws {
    #expect(code { () throws(MessageError) in try SegmentReport(of: "") } == "empty_text")
    #expect(code { () throws(MessageError) in try SegmentReport(of: "a\0") } == "invalid_text")
    #expect(try SegmentReport(of: String(repeating: "a", count: 100_000)).parts.count == 654)
  }
}
