/// How the simulated gateway behaves. The defaults: it takes every message at once.
package struct SimulatorOptions: Sendable, Equatable {
  /// How long an answer takes, drawn evenly from this range for each try.
  package var latency: ClosedRange<Duration> = .zero ... .zero
  /// The share of tries answered with the temporary failure `system_error`, 0 to 1.
  package var failureRatio = 0.0
  /// The share of tries answered with the temporary failure `throttled`, 0 to 1.
  package var throttleRatio = 0.0
  /// The share of tries answered with the permanent failure `undeliverable`, 0 to 1.
  package var permanentRatio = 0.0
  /// The share of tries that are accepted without an answer, as the connection drops, 0 to 1.
  package var dropRatio = 0.0
  /// The most messages a second; more are throttled until the next is due. Nil for no cap.
  package var maxPerSecond: Int?
  /// Which outcomes are drawn: the same seed gives the same outcomes.
  package var seed: UInt64 = 0
  /// A file that gets one line `id attempt time` for each message taken, before the answer. Nil for none.
  package var ledgerPath: String?
  /// A text that kills the process as with `kill -9` when a message holds it, before the message is taken: the poison
  /// that a real gateway's client library, or its memory, may turn out to be. Nil for none.
  package var crashText: String?

  package init() {}

  /// What is wrong with the options, for the person who set them; nil when nothing is.
  package var problem: String? {
    let ratios = [
      ("failure", failureRatio), ("throttle", throttleRatio), ("permanent", permanentRatio), ("drop", dropRatio),
    ]
    for (name, ratio) in ratios where !(0...1).contains(ratio) {
      return "the \(name) ratio is \(ratio): write a number from 0 to 1"
    }
    let sum = ratios.reduce(0) { $0 + $1.1 }
    // A hair above 1 is how 0.1 and its like add up.
    if sum > 1.000_001 { return "the ratios add up to \(sum): a message has one outcome, so write at most 1 in all" }
    if latency.lowerBound < .zero { return "the latency is below zero: write 0ms or more" }
    if let maxPerSecond, !(1...1_000_000_000).contains(maxPerSecond) {
      return "the cap is \(maxPerSecond) messages a second: write 1 to 1000000000, or leave it out"
    }
    return nil
  }
}
