/// How far a bulk command has come, and how that reads as one line. A pure value.
struct Progress: Equatable {
  /// Messages done.
  var count: Int
  /// Bytes of the input done.
  var bytes: Int
  /// Bytes of the whole input; nil if unknown.
  var totalBytes: Int?
  /// Time since the start.
  var elapsed: Duration

  /// The line in ASCII, at most `width - 1` characters: a terminal may wrap when its last column is written.
  ///
  ///     12,345 messages  34%  [######            ]  5,210/s  ETA 1m20s
  ///
  /// What does not fit is left out, from the right; the bar takes the room that is left.
  func line(width: Int) -> String {
    let room = max(0, width - 1)
    var parts = ["\(count.grouped) message\(count == 1 ? "" : "s")"]
    if let percent { parts.append("\(percent)%") }
    let barPosition = parts.count
    if let rate { parts.append("\(rate.grouped)/s") }
    if let remaining { parts.append("ETA \(remaining.argument)") }

    while parts.count > 1, parts.joined(separator: Self.gap).count > room { parts.removeLast() }
    let barRoom = room - parts.joined(separator: Self.gap).count - Self.gap.count - 2
    if let percent, parts.count >= barPosition, barRoom >= 10 {
      let size = min(barRoom, 40)
      let filled = size * percent / 100
      let bar = String(repeating: "#", count: filled) + String(repeating: " ", count: size - filled)
      parts.insert("[\(bar)]", at: barPosition)
    }
    return String(parts.joined(separator: Self.gap).prefix(room))
  }

  private static let gap = "  "

  /// 0...100; nil if the total is unknown or zero.
  private var percent: Int? {
    guard let totalBytes, totalBytes > 0 else { return nil }
    return min(100, Int(Double(bytes) / Double(totalBytes) * 100))
  }

  /// Messages a second since the start; nil at first, when it would only jump about.
  private var rate: Int? {
    elapsed >= .milliseconds(500) ? Int((Double(count) / elapsed.inSeconds).rounded()) : nil
  }

  /// Whole seconds, at least one; nil if unknown or done.
  private var remaining: Duration? {
    guard let totalBytes, bytes > 0, bytes < totalBytes, elapsed >= .milliseconds(500) else { return nil }
    let seconds = elapsed.inSeconds * Double(totalBytes - bytes) / Double(bytes)
    return .seconds(max(1, Int(seconds.rounded())))
  }
}

extension Duration {
  fileprivate var inSeconds: Double { self / .seconds(1) }
}

extension Int {
  /// With a comma between thousands.
  fileprivate var grouped: String {
    var text = ""
    for (index, digit) in String(magnitude).reversed().enumerated() {
      if index > 0, index.isMultiple(of: 3) { text.append(",") }
      text.append(digit)
    }
    return (self < 0 ? "-" : "") + String(text.reversed())
  }
}
