import Testing

@testable import smsq

@Suite("LineNumbers and LineList")
struct LineNumbersTests {
  @Test("Each position has the line that it came from", arguments: 0..<50)
  func positions(seed: Int) {
    var lines = LineNumbers()
    var expected: [Int] = []
    var line = 0
    for step in 0..<200 {
      line += (step * 7 + seed * 13) % 5 == 0 ? 1 + (step + seed) % 9 : 1
      expected.append(line)
      lines.append(line)
    }
    #expect(expected.indices.map { lines[$0] } == expected)
    #expect(lines.first == expected.first && lines.last == expected.last && lines.count == expected.count)
  }

  @Test(
    "Lines are listed in ranges, and what is beyond the bounds is counted",
    arguments: [
      ([7], "line 7"), ([7, 8, 9], "lines 7 to 9"), ([1, 3, 4, 9], "lines 1, 3 to 4, 9"),
      (
        Array(stride(from: 2, through: 100, by: 2)),
        "lines 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, "
          + "38, 40 and 30 more"
      ),
      (Array(1...1_000_000), "lines 1 to 1000000"),
      (
        Array(stride(from: 2, through: 40, by: 2)) + [42, 43, 41 + 3],
        "lines 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, "
          + "30, 32, 34, 36, 38, 40 and 3 more"
      ),
    ] as [([Int], String)]
  )
  func listed(lines: [Int], expected: String) {
    var list = LineList()
    for line in lines { list.append(line) }
    #expect(list.description == expected)
    #expect(list.lines == Array(lines.prefix(100)))
  }
}
