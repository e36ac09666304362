import Wire

/// What a server said to a request.
struct HTTPAnswer: Sendable, Equatable {
  let status: Int
  /// The lines of its head, as they came.
  let head: String
  /// Its beginning, where ``isCut``.
  let body: [UInt8]
  var isCut = false

  /// The value of the first header of this name.
  func header(_ name: String) -> String? {
    for line in head.split(whereSeparator: \.isNewline) {
      guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name.lowercased() else { continue }
      return String(line[line.index(after: colon)...]).trimmed()
    }
    return nil
  }

  /// What the status is called: in the server's words, where it has some.
  var statusText: String {
    let line = head.prefix { !$0.isNewline }
    let words = line.split(separator: " ", maxSplits: 2).dropFirst(2).joined().trimmed()
    return words.isEmpty ? "HTTP status \(status)" : words
  }

  /// How long the server asks to wait: a number of seconds, or a date, which is read by the server's own clock where it tells
  /// that, too. A day at most, as the answer may be nonsense.
  ///
  /// - Parameter now: Unix milliseconds.
  func retryAfter(now: Int64) -> Duration? {
    guard let value = header("Retry-After") else { return nil }
    if let first = value.utf8.first, isDigit(first), let seconds = Double(value), seconds.isFinite {
      return .seconds(min(seconds, Self.longestWait))
    }
    guard let date = HTTPDate.milliseconds(value) else { return nil }
    let serversNow = header("Date").flatMap(HTTPDate.milliseconds) ?? now
    return .seconds(min(max(0, Double(date - serversNow) / 1000), Self.longestWait))
  }

  private static let longestWait = 86_400.0

  /// Where a redirect leads, without what a query may hold.
  var redirect: String? {
    guard (300..<400).contains(status), let location = header("Location") else { return nil }
    return String(location.prefix { $0 != "?" && $0 != "#" })
  }
}

/// A date as HTTP writes it (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`, and the two older forms that must be read.
enum HTTPDate {
  private static let months = [
    "Jan": "01", "Feb": "02", "Mar": "03", "Apr": "04", "May": "05", "Jun": "06",
    "Jul": "07", "Aug": "08", "Sep": "09", "Oct": "10", "Nov": "11", "Dec": "12",
  ]

  /// Unix milliseconds; nil for what is no such date.
  static func milliseconds(_ text: String) -> Int64? {
    var words = text.split { " ,-".contains($0) }.map(String.init)
    // Sun Nov  6 08:49:37 1994
    if words.count == 5, months[words[1]] != nil {
      words = [words[0], words[2], words[1], words[4], words[3], "GMT"]
    }
    guard words.count == 6, words[5] == "GMT" || words[5] == "UTC", let month = months[words[2]],
      let day = Int(words[1]), (1...31).contains(day), let year = Int(words[3]), (0...9999).contains(year)
    else { return nil }
    // Sunday, 06-Nov-94 08:49:37 GMT
    let fullYear = words[3].utf8.count != 2 ? year : year < 70 ? 2000 + year : 1900 + year
    let digits = String(10_000 + fullYear).dropFirst()
    return Timestamp.milliseconds("\(digits)-\(month)-\(day < 10 ? "0" : "")\(day)T\(words[4])Z")
  }
}
