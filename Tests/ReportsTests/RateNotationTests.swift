import MessageQueue
import Testing

@testable import Reports

@Suite("The notation of rates")
struct RateNotationTests {
  @Test(
    "Rates are read, and written in their shortest form",
    arguments: [
      ("100/s", Rate(100, per: .seconds(1)), "100/s"), ("10/m", Rate(10, per: .seconds(60)), "10/m"),
      ("500/h", Rate(500, per: .seconds(3600)), "500/h"), ("9/d", Rate(9, per: .seconds(86_400)), "9/d"),
      ("5/10m", Rate(5, per: .seconds(600)), "5/10m"), ("1/1s", Rate(1, per: .seconds(1)), "1/s"),
      ("1000000/s", Rate(1_000_000, per: .seconds(1)), "1000000/s"),
      ("3/1.5s", Rate(3, per: .milliseconds(1500)), "3/1.5s"),
      ("7/60s", Rate(7, per: .seconds(60)), "7/m"),
    ]
  )
  func valid(text: String, expected: Rate, notation: String) throws {
    #expect(try Rate(notation: text) == expected)
    #expect(expected.notation == notation)
  }

  @Test(
    "Anything else is refused with the reason",
    arguments: [
      ("100", "in which time"), ("", "in which time"), ("/s", "whole number"), ("1.5/s", "whole number"),
      ("-1/s", "whole number"), ("+1/s", "whole number"), ("٣/s", "whole number"), ("0/s", "from 1"),
      ("1000001/s", "from 1"), ("99999999999999999999/s", "whole number"), ("1/", "no time"), ("1/x", "no time"),
      ("1/10", "no time"), ("1/s/s", "no time"), ("1/ s", "no time"), ("1/500ms", "1s to 24h"), ("1/0s", "1s to 24h"),
      ("1/25h", "1s to 24h"), ("1/1.0005s", "1s to 24h"),
    ]
  )
  func invalid(text: String, reason: String) {
    let error = #expect(throws: RateError.self) { try Rate(notation: text) }
    #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
  }
}
