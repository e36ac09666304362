/// Metrics as Prometheus reads them: `text/plain; version=0.0.4` (prometheus.io/docs/instrumenting/exposition_formats).
package struct MetricsText: Sendable {
  package static let type = "text/plain; version=0.0.4; charset=utf-8"

  package enum Kind: String, Sendable {
    case counter, gauge, histogram
  }

  package typealias Labels = KeyValuePairs<String, String>

  package private(set) var text = ""

  package init() {}

  /// A family of one sample or more. Of an empty one nothing is said.
  ///
  /// - Parameters:
  ///   - name: in base units, and with `_total` for a counter.
  ///   - help: one line.
  package mutating func family(_ name: String, _ kind: Kind, _ help: String, _ samples: [(Labels, Double)]) {
    if samples.isEmpty { return }
    head(name, kind, help)
    for (labels, value) in samples { sample(name, labels, value) }
  }

  package mutating func family(_ name: String, _ help: String, _ histograms: [(Labels, Histogram)]) {
    if histograms.isEmpty { return }
    head(name, .histogram, help)
    for (labels, histogram) in histograms {
      var sum = 0
      for (bound, count) in zip(Histogram.bounds.map { Self.number($0) } + ["+Inf"], histogram.counts) {
        sum += count
        sample(name + "_bucket", labels, extra: ("le", bound), Double(sum))
      }
      sample(name + "_sum", labels, histogram.sum)
      sample(name + "_count", labels, Double(sum))
    }
  }

  private mutating func head(_ name: String, _ kind: Kind, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
  }

  private mutating func sample(_ name: String, _ labels: Labels, extra: (String, String)? = nil, _ value: Double) {
    let all = labels.map { ($0.key, $0.value) } + (extra.map { [$0] } ?? [])
    let list = all.map { #"\#($0)="\#(Self.escaped($1))""# }.joined(separator: ",")
    text += name + (list.isEmpty ? "" : "{\(list)}") + " \(Self.number(value))\n"
  }

  static func escaped(_ value: String) -> String {
    var escaped = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": escaped += #"\\"#
      case "\"": escaped += #"\""#
      case "\n": escaped += #"\n"#
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  static func number(_ value: Double) -> String {
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    return value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
  }
}

/// How long something took, counted by how long.
package struct Histogram: Sendable, Equatable {
  /// Seconds: what takes longer than one and no longer than the next is counted there. Ours: a simulator answers in the first, a
  /// provider between 20 ms and 2 s, and the last is a time-out of ours.
  package static let bounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

  /// One for each bound, and one for what is over the last.
  package private(set) var counts = Array(repeating: 0, count: bounds.count + 1)
  /// Seconds.
  package private(set) var sum = 0.0

  package init() {}

  package mutating func add(_ seconds: Double) {
    counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
    sum += seconds
  }
}
