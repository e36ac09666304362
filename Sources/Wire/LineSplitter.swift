/// Cuts a stream into lines, and keeps no more than one line of bounded length.
package struct LineSplitter {
  package struct Line: Equatable {
    /// Without the line feed; never empty.
    package var bytes: [UInt8]
    /// Whether this is only the beginning of a line that was too long.
    package var isCut = false
  }

  package let limit: Int
  private var rest: [UInt8] = []
  /// The line's beginning was given away as cut; its end is of no interest.
  private var isSkipping = false

  private static let newline = UInt8(ascii: "\n")

  /// - Parameter limit: the longest line, in bytes.
  package init(limit: Int) { self.limit = limit }

  /// The lines that end in this chunk, and the first `limit` bytes of one that has become too long.
  package mutating func feed(_ chunk: ArraySlice<UInt8>) -> [Line] {
    var lines: [Line] = []
    var chunk = chunk
    while let end = chunk.firstIndex(of: Self.newline) {
      add(chunk[..<end], to: &lines)
      lines += finish()
      chunk = chunk[(end + 1)...]
    }
    add(chunk, to: &lines)
    return lines
  }

  /// The last line, which has no line feed.
  package mutating func finish() -> [Line] {
    defer {
      rest.removeAll()
      isSkipping = false
    }
    return rest.isEmpty ? [] : [Line(bytes: rest)]
  }

  private mutating func add(_ part: ArraySlice<UInt8>, to lines: inout [Line]) {
    if isSkipping { return }
    rest += part.prefix(limit - rest.count + 1)
    if rest.count > limit {
      lines.append(Line(bytes: rest.dropLast(), isCut: true))
      rest.removeAll()
      isSkipping = true
    }
  }
}
