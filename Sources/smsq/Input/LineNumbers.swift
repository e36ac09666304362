/// The lines that messages came from, in their order. It takes hardly more than where they begin: most lines follow each other.
struct LineNumbers {
  private(set) var count = 0
  private(set) var last = 0
  /// Positions whose line is not the one behind that of the position before.
  private var jumps: [(position: Int, line: Int)] = []

  var first: Int { jumps.first?.line ?? 0 }

  mutating func append(_ line: Int) {
    if count == 0 || line != last + 1 { jumps.append((count, line)) }
    count += 1
    last = line
  }

  /// - Parameter position: from 0, and less than ``count``.
  subscript(position: Int) -> Int {
    let jump = jumps.last { $0.position <= position } ?? (0, 0)
    return jump.line + position - jump.position
  }
}

/// Numbers of lines for a person: `lines 3, 7 to 9`. Bounded, as a file may have a million of them.
struct LineList: CustomStringConvertible {
  /// The most that are kept, of ranges and of lines.
  static let mostRanges = 20
  static let mostLines = 100

  private let mostRanges: Int
  var isEmpty: Bool { count == 0 }

  init(mostRanges: Int = LineList.mostRanges) { self.mostRanges = mostRanges }

  /// The first ones.
  private(set) var lines: [Int] = []
  private var ranges: [ClosedRange<Int>] = []
  private var count = 0
  private var countInRanges = 0

  /// - Parameter line: greater than all before it.
  mutating func append(_ line: Int) {
    count += 1
    if lines.count < Self.mostLines { lines.append(line) }
    if let last = ranges.last, last.upperBound + 1 == line, countInRanges == count - 1 {
      ranges[ranges.count - 1] = last.lowerBound...line
    } else if ranges.count < mostRanges {
      ranges.append(line...line)
    } else {
      return
    }
    countInRanges += 1
  }

  var description: String {
    let shown = ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)" }
    let others = count > countInRanges ? " and \(count - countInRanges) more" : ""
    return "line\(count == 1 ? "" : "s") \(shown.joined(separator: ", "))\(others)"
  }
}
