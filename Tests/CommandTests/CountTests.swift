import Foundation
import TestSupport
import Testing

@Suite("smsq count", .serialized)
struct CountTests {
  @Test("It says the encoding, the units, the segments, and what to write for what makes it UCS-2")
  func text() async throws {
    let result = try await Smsq.run(["count", "--text", "Don’t pay twice – call us\t!"])
    #expect(result.code == 0)
    #expect(result.stderr == "")
    #expect(
      result.stdout == """
        encoding  ucs2
        units     27
        segments  1
        left      43 of 70

        outside GSM 03.38:
          ’ U+2019 RIGHT SINGLE QUOTATION MARK, at 4: write '
          – U+2013 EN DASH, at 17: write -
          U+0009 TAB, at 26: write a space
        with these: gsm7, 27 units, 1 segment

        """
    )
  }

  @Test("A text on standard input is counted without its last line feed, a byte order mark, and nothing else")
  func standardInput() async throws {
    for (input, units) in [("hi\n", 2), ("hi\r\n", 2), ("hi", 2), ("hi\n\n", 3), ("\u{FEFF}hi\n", 2), (" hi ", 4)] {
      let result = try await Smsq.run(["count", "--json"], input: .bytes([UInt8](input.utf8)))
      #expect(result.code == 0)
      #expect(try result.output.json["units"] as? Int == units, "\(input.debugDescription)")
    }
  }

  @Test("--json has it all in fields; those of mainland China only for a number of theirs")
  func json() async throws {
    let text = String(repeating: "a", count: 160) + "’"
    let result = try await Smsq.run(
      ["count", "--json", "--text", text, "--to", "13800138000", "--default-country-code", "86"]
    )
    #expect(result.code == 0)
    let fields = try result.output.json
    #expect(
      Set(fields.keys) == [
        "encoding", "units", "segments", "segment_units", "units_left", "outside_gsm", "outside_gsm_characters",
        "substituted",
        "mainland_china",
      ]
    )
    #expect(fields["segment_units"] as? [Int] == [67, 67, 27])
    #expect(fields["units_left"] as? Int == 40)
    #expect((fields["substituted"] as? [String: Any])?["segments"] as? Int == 2)
    #expect((fields["mainland_china"] as? [String: Any])?["segments"] as? Int == 3)
    let character = (fields["outside_gsm_characters"] as? [[String: Any]])?.first
    #expect(character?["name"] as? String == "RIGHT SINGLE QUOTATION MARK" && character?["position"] as? Int == 161)

    for number in ["+85291234567", "+886912345678"] {
      let other = try await Smsq.run(["count", "--json", "--text", "hi", "--to", number])
      #expect(try other.output.json["mainland_china"] == nil)
    }
  }

  @Test("A text in another script lists some of its characters, and says how many more there are")
  func manyCharacters() async throws {
    let text = String(String.UnicodeScalarView((0x4E00..<0x4E40).compactMap(Unicode.Scalar.init)))
    let result = try await Smsq.run(["count", "--text", text])
    #expect(result.stdout.split(separator: "\n").filter { $0.hasPrefix("  ") }.count == 11)
    #expect(result.stdout.hasSuffix("\n  and 54 more\n"))
  }

  @Test("Of too many segments it still counts, and says what push would say: 65")
  func tooLong() async throws {
    let text = String(repeating: "中", count: 671)
    let result = try await Smsq.run(["count", "--text", text])
    #expect(result.code == 65)
    #expect(result.stdout.contains("segments  11\n"))
    #expect(
      result.note
        == "smsq: the text takes 11 segments and --max-segments is 10: shorten it, send several messages, or allow more"
    )
    #expect(try await Smsq.run(["count", "--text", text, "--max-segments", "11"]).code == 0)
    #expect(try await Smsq.run(["count", "--text", text], environment: ["SMSQ_MAX_SEGMENTS": "11"]).code == 0)
  }

  @Test(
    "What is no text is 65, and says why",
    arguments: [
      ([], "empty"), (Array("a\0b".utf8), "NUL"), ([0x66, 0xFC, 0x72], "UTF-8"), ([0xFF, 0xFE, 0x61, 0], "UTF-8"),
    ]
      as [([UInt8], String)]
  )
  func refused(input: [UInt8], word: String) async throws {
    let result = try await Smsq.run(["count"], input: .bytes(input))
    #expect(result.code == 65)
    #expect(result.stdout == "")
    #expect(result.note.contains(word) && result.note.split(separator: "\n").count == 1)
  }

  @Test("A standard input that cannot be read is 65, and a bound or a number that is none is refused")
  func misuse() async throws {
    let directory = try await ChildProcess("sh", ["-c", "exec \"$0\" count < /", Smsq.path]).end()
    #expect(directory.code == 65)
    #expect(directory.note == "smsq: standard input cannot be read: Is a directory")
    #expect(try await Smsq.run(["count", "--text", "hi", "--to", "call me"]).code == 65)
    for bound in ["0", "256", "-1", "many"] {
      let result = try await Smsq.run(["count", "--text", "hi", "--max-segments=\(bound)"])
      #expect(result.code == 64)
      #expect(result.note.contains("max-segments") && result.note.contains(bound))
    }
  }
}
