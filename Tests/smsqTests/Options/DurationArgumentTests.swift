import ArgumentParser
import Testing

@testable import smsq

@Suite("Duration arguments")
struct DurationArgumentTests {
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
    #expect(try Duration(explaining: text) == expected)
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
    let error = #expect(throws: ValidationError.self) { try Duration(explaining: text) }
    #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
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
    #expect(duration.argument == expected)
    if duration >= .zero { #expect(try Duration(explaining: expected) == duration) }
  }

  @Test("Any duration survives writing and reading")
  func roundTrip() throws {
    for exponent in 0..<62 {
      let duration = Duration.nanoseconds((1 << exponent) + 12_345)
      #expect(try Duration(explaining: duration.argument) == duration)
    }
  }

  @Test("A range is one duration or two")
  func ranges() throws {
    #expect(try DurationRange(explaining: "50ms").bounds == .milliseconds(50) ... .milliseconds(50))
    let range = try DurationRange(explaining: "50ms..1.5s")
    #expect(range.bounds == .milliseconds(50) ... .milliseconds(1500))
    #expect(range.argument == "50ms..1.5s")
    #expect(try DurationRange(explaining: "0s").argument == "0s")
    for wrong in ["2s..1s", "..1s", "1s..", "1..2s", "1s...2s", "1s..2s..3s"] {
      #expect(throws: ValidationError.self, "\(wrong)") { try DurationRange(explaining: wrong) }
    }
  }

  private struct Tool: ParsableCommand {
    @Option var lease: Duration = .seconds(10)
    @Option(help: "How long to drain.") var drain: Duration?
    @Option(name: .shortAndLong, help: "The latency.") var latency = DurationRange(.milliseconds(50) ... .seconds(1))
  }

  @Test("An option has its default in the help and the reason in the error")
  func option() throws {
    #expect(try Tool.parse([]).lease == .seconds(10))
    let tool = try Tool.parse(["--lease", "1m", "--drain=2s", "-l", "1s"])
    #expect(tool.lease == .seconds(60) && tool.drain == .seconds(2) && tool.latency.argument == "1s")
    #expect(Tool.helpMessage().contains("(default: 10s)"))
    #expect(Tool.helpMessage().contains("The latency. (default: 50ms..1s)"))
    let error = #expect(throws: (any Error).self) { try Tool.parse(["--lease", "10"]) }
    #expect(
      Tool.message(for: try #require(error)).hasSuffix("'10' has no unit: write 10s, 500ms, 5m, 24h or 7d")
    )
  }
}
