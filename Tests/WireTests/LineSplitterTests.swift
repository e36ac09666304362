import TestSupport
import Testing

@testable import Wire

@Suite struct LineSplitterTests {
  @Test("The same lines come out however the stream is cut into chunks, and no more than the limit is kept")
  func chunks() {
    var random = SeededGenerator(seed: 1)
    let stream = Array("one\n\ntwo\r\n12345678\n123456789\n1234567890123456789\nx\nlast".utf8)
    let expected = ["one", "two\r", "12345678", "12345678+", "12345678+", "x", "last"]
    for _ in 0..<200 {
      var splitter = LineSplitter(limit: 8)
      var lines: [LineSplitter.Line] = []
      var rest = stream[...]
      while !rest.isEmpty {
        let count = Int.random(in: 1...rest.count, using: &random)
        lines += splitter.feed(rest.prefix(count))
        rest = rest.dropFirst(count)
      }
      lines += splitter.finish()
      #expect(lines.map { String(decoding: $0.bytes, as: UTF8.self) + ($0.isCut ? "+" : "") } == expected)
    }
  }
}
