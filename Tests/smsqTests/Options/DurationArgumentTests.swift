import ArgumentParser
import Testing

@testable import smsq

@Suite("Duration arguments")
struct DurationArgumentTests {
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
