import TestSupport
import Testing

@testable import Wire

@Suite struct TimestampTests {
  @Test(
    "RFC 3339 times are read with fractions and offsets",
    arguments: [
      ("1970-01-01T00:00:00Z", 0),
      ("2026-11-22T12:00:00Z", 1_795_348_800_000),
      ("2026-11-22t12:00:00z", 1_795_348_800_000),
      ("2026-11-22T12:00:00.5Z", 1_795_348_800_500),
      ("2026-11-22T12:00:00.123999999999Z", 1_795_348_800_123),
      ("2026-11-22T20:00:00+08:00", 1_795_348_800_000),
      ("2026-11-22T08:30:00.250-03:30", 1_795_348_800_250),
      ("2026-11-22T12:00:00-00:00", 1_795_348_800_000),
      // PHP's DATE_ISO8601, Python's strftime("%z"), PostgreSQL, Python's isoformat(" "), Ruby.
      ("2026-11-22T12:00:00+0000", 1_795_348_800_000),
      ("2026-11-22T08:30:00-0330", 1_795_348_800_000),
      ("2026-11-22 12:00:00.5+00", 1_795_348_800_500),
      ("2026-11-22 20:00:00+08:00", 1_795_348_800_000),
      ("2026-11-22 12:00:00Z", 1_795_348_800_000),
      ("2026-11-22 12:00:00 +0000", 1_795_348_800_000),
      ("1795348800", 1_795_348_800_000),
      ("1795348800.25", 1_795_348_800_250),
      ("1795348800.123456", 1_795_348_800_123),
      ("1000000000", 1_000_000_000_000),
      ("9999999999", 9_999_999_999_000),
      ("2024-02-29T00:00:00Z", 1_709_164_800_000),
      ("2016-12-31T23:59:60Z", 1_483_228_800_000),
      ("0000-01-01T00:00:00Z", Timestamp.range.lowerBound),
      ("9999-12-31T23:59:59.999Z", Timestamp.range.upperBound),
    ] as [(String, Int64)]
  )
  func reads(text: String, expected: Int64) {
    #expect(Timestamp.milliseconds(text) == expected)
  }

  @Test(
    "Anything else is no time",
    arguments: [
      "", "2026-11-22", "2026-11-22T12:00:00", "2026-11-22  12:00:00Z", "2026-11-22T12:00Z", "2026-11-22T12:00:00Zjunk",
      " 2026-11-22T12:00:00Z", "2026-11-22T12:00:00.Z", "2026-11-22T12:00:00,5Z", "2026-02-30T12:00:00Z",
      "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z",
      "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
      "2026-01-01T00:00:61Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+080", "2026-01-01T00:00:00+08:",
      "2026-01-01T00:00:00+0860", "2026-01-01T00:00:00+2400", "2026-01-01T00:00:00 Z", "2026-01-01T00:00:00+",
      "0999999999",
      "179534880", "17953488000", "1795348800.", "1795348800Z", "+1795348800", "1795348800e0",
      "2026-1-1T00:00:00Z", "+2026-01-01T00:00:00Z", "２０26-11-22T12:00:00Z", "1795348800000",
      "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2026-11-22T12:00:00\u{0}Z",
    ]
  )
  func refuses(text: String) {
    #expect(Timestamp.milliseconds(text) == nil)
  }

  @Test("A time that is written reads back as it was, for any millisecond of ten thousand years")
  func roundTrip() {
    var random = SeededGenerator(seed: 1)
    for _ in 0..<50_000 {
      let time = Int64.random(in: Timestamp.range, using: &random)
      guard Timestamp.milliseconds(Timestamp.rfc3339(time)) == time else {
        Issue.record("\(time) reads back as \(String(describing: Timestamp.milliseconds(Timestamp.rfc3339(time))))")
        return
      }
    }
  }

  @Test("Each day of 400 years follows the one before")
  func everyDay() {
    var previous = ""
    for day in 0..<146_097 {
      let text = Timestamp.rfc3339(Int64(day) * 86_400_000)
      guard text > previous, text.hasSuffix("T00:00:00Z") else {
        Issue.record("\(text) follows \(previous)")
        return
      }
      previous = text
    }
    #expect(previous == "2369-12-31T00:00:00Z")
  }

  @Test("Times are written with a fraction only where there is one, and never out of range")
  func writes() {
    #expect(Timestamp.rfc3339(1_795_348_800_000) == "2026-11-22T12:00:00Z")
    #expect(Timestamp.rfc3339(1_795_348_800_007) == "2026-11-22T12:00:00.007Z")
    #expect(Timestamp.rfc3339(-1) == "1969-12-31T23:59:59.999Z")
    #expect(Timestamp.rfc3339(.max) == "9999-12-31T23:59:59.999Z")
    #expect(Timestamp.rfc3339(.min) == "0000-01-01T00:00:00Z")
  }
}
