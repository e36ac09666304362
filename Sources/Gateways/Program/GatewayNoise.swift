import Logging

/// What a program writes that is no answer, told in few lines: each kind at once when it is first seen, then at most once
/// a minute, with a count. Never what was written: it may hold texts and numbers.
struct GatewayNoise {
  enum Kind: String, CaseIterable {
    case unreadable = "a line is no JSON object with a ref"
    case unknownRef = "an answer to a ref that is not open"
    case late = "an answer after the time-out"
    case tooLong = "a line is longer than 1 MiB"
    case unknownOutcome = "an answer without a known outcome"
  }

  private var counts: [Kind: Int] = [:]
  private var silentUntil: [Kind: ContinuousClock.Instant] = [:]

  /// - Returns: how many to log, those included that were kept back; nil to keep quiet.
  mutating func note(_ kind: Kind, now: ContinuousClock.Instant) -> Int? {
    counts[kind, default: 0] += 1
    if let end = silentUntil[kind], now < end { return nil }
    silentUntil[kind] = now + .seconds(60)
    return counts.removeValue(forKey: kind)
  }

  /// Takes what was kept back.
  mutating func takeRest() -> [(kind: Kind, count: Int)] {
    defer { counts = [:] }
    return Kind.allCases.compactMap { kind in counts[kind].map { (kind, $0) } }
  }
}
