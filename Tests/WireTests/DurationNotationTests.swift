import Testing

@testable import Wire

@Suite("The notation of durations")
struct DurationNotationTests {
  @Test(
    "Durations are read",
    arguments: [
      ("250ms", .milliseconds(250)), ("10s", .seconds(10)), ("5m", .seconds(300)), ("24h", .seconds(86_400)),
      ("7d", .seconds(604_800)), ("1.5s", .milliseconds(1500)), ("0.1s", .milliseconds(100)), ("0s", .zero),
      ("1h30m", .seconds(5400)), ("1d2h3m4s5ms", .milliseconds(93_784_005)), ("0.25ms", .microseconds(250)),
      ("007s", .seconds(7)), ("0.0000000001s", .zero),
    ] as [(String, Duration)]
  )
  func valid(text: String, expected: Duration) throws {
    #expect(try Duration(notation: text) == expected)
  }

  @Test(
    "Anything else is refused with the reason",
    arguments: [
      ("10", "no unit"), ("1h30", "no unit"), ("", "missing"), ("-5s", "negative"), ("5x", "unknown unit 'x'"),
      ("5S", "unknown unit"), ("5 s", "unknown unit"), ("s", "no duration"), ("1.s", "no duration"),
      (".5s", "no duration"), ("1.2.3s", "no duration"), ("30m1h", "longest first"), ("1m1m", "longest first"),
      ("٣s", "no duration"), ("1.5\u{301}s", "unknown unit"), ("5\u{301}s", "no duration"), ("106752d", "too long"),
      ("99999999999999999999s", "too long"), ("106751d24h", "too long"),
    ]
  )
  func invalid(text: String, reason: String) {
    let error = #expect(throws: DurationError.self) { try Duration(notation: text) }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
  }

  @Test(
    "Durations are written in the notation that is read",
    arguments: [
      (.milliseconds(250), "250ms"), (.seconds(10), "10s"), (.seconds(300), "5m"), (.seconds(86_400), "24h"),
      (.seconds(604_800), "7d"), (.milliseconds(1500), "1.5s"), (.seconds(5400), "1h30m"), (.zero, "0s"),
      (.microseconds(250), "0.25ms"), (.milliseconds(61_050), "1m1.05s"), (.seconds(90 * 3600), "3d18h"),
      (.seconds(-90), "-1m30s"), (.nanoseconds(1), "0.000001ms"),
    ] as [(Duration, String)]
  )
  func written(duration: Duration, expected: String) throws {
    #expect(duration.notation == expected)
    if duration >= .zero { #expect(try Duration(notation: expected) == duration) }
  }

  @Test("Any duration survives writing and reading")
  func roundTrip() throws {
    for exponent in 0..<62 {
      let duration = Duration.nanoseconds((1 << exponent) + 12_345)
      #expect(try Duration(notation: duration.notation) == duration)
    }
  }
}
