import MessageQueue
import Wire

// Rates as people write them: 100/s, 10/m, 500/h, 5/10m.

/// Why a text is no rate: a sentence for the person who wrote it.
package struct RateError: Error, CustomStringConvertible {
  package let description: String

  fileprivate init(_ description: String) { self.description = description }
}

extension Rate {
  /// More than Redis hands out in a second, and a million are no limit in a longer time than that either.
  private static let counts = 1...1_000_000
  private static let times = Duration.seconds(1) ... .seconds(86_400)
  private static let units: [(name: String, time: Duration)] = [
    ("s", .seconds(1)), ("m", .seconds(60)), ("h", .seconds(3600)), ("d", .seconds(86_400)),
  ]

  /// Reads a number, `/`, and a unit or a duration: `100/s`, `5/10m`.
  ///
  /// - Throws: ``RateError`` for anything else.
  package init(notation text: String) throws(RateError) {
    let example = "write a rate as 100/s, 10/m, 500/h or 5/10m"
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else { throw RateError("'\(text)' says not in which time; \(example)") }
    guard parts[0].utf8.allSatisfy({ (48...57).contains($0) }), let count = Int(parts[0]) else {
      throw RateError("'\(text)' does not begin with a whole number; \(example)")
    }
    guard Self.counts.contains(count) else {
      throw RateError("\(count) is not from 1 to 1000000: \(example)")
    }
    if let unit = Self.units.first(where: { $0.name == parts[1] }) {
      self.init(count, per: unit.time)
      return
    }
    guard let time = try? Duration(notation: parts[1]) else {
      throw RateError("'\(parts[1])' of '\(text)' is no time; \(example)")
    }
    guard Self.times.contains(time), time.components.attoseconds % 1_000_000_000_000_000 == 0 else {
      throw RateError("the time of '\(text)' is not from 1s to 24h; \(example)")
    }
    self.init(count, per: time)
  }

  /// As ``init(notation:)`` reads it.
  package var notation: String {
    "\(count)/\(Self.units.first { $0.time == per }?.name ?? per.notation)"
  }
}
