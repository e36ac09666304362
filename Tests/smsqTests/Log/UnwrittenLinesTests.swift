import Testing

@testable import smsq

@Suite("Lines into a file that is full at times")
struct UnwrittenLinesTests {
  /// A file with a limit, opened for appending.
  private struct File {
    var content: [UInt8] = []
    var capacity = 0

    mutating func write(_ bytes: ArraySlice<UInt8>) -> Int {
      let count = min(bytes.count, max(0, capacity - content.count))
      content += bytes.prefix(count)
      return count
    }
  }

  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test("The rest of a torn line goes on where the file is as it was left")
  func goesOn() {
    var lines = UnwrittenLines(bytes("one\ntwo\n"))
    lines.wrote(6)
    lines.failed(fileSize: 106)
    lines.resume(fileSize: 106)
    #expect(Array(lines.rest) == bytes("o\n"))
    lines.wrote(2)
    #expect(lines.rest.isEmpty)
  }

  @Test(
    "Elsewhere the torn line is ended and written again; in an empty file there is none to end",
    arguments: [(106, 109, "\ntwo\n"), (106, 50, "\ntwo\n"), (106, 0, "two\n"), (nil, nil, "\ntwo\n")]
      as [(Int?, Int?, String)]
  )
  func begins(before: Int?, after: Int?, rest: String) {
    var lines = UnwrittenLines(bytes("one\ntwo\n"))
    lines.wrote(6)
    lines.failed(fileSize: before)
    lines.resume(fileSize: after)
    #expect(Array(lines.rest) == bytes(rest))
  }

  @Test("Where no line is torn, nothing is added", arguments: [0, 4, 8])
  func whole(written: Int) {
    var lines = UnwrittenLines(bytes("one\ntwo\n"))
    lines.wrote(written)
    lines.failed(fileSize: 10)
    lines.resume(fileSize: 3)
    #expect(Array(lines.rest) == Array(bytes("one\ntwo\n").dropFirst(written)))
  }

  @Test("Whatever becomes of the file, each line gets into it whole and in order, and torn ones are ended")
  func histories() {
    var random = SplitMix64(seed: 20)
    for _ in 0..<20_000 {
      let count = Int.random(in: 1...6, using: &random)
      let texts = (0..<count).map { "<\($0)" + String(repeating: "x", count: .random(in: 0...5, using: &random)) + ">" }
      var lines = UnwrittenLines(bytes(texts.map { $0 + "\n" }.joined()))
      var file = File()
      // All that ever stood in the file.
      var history: [UInt8] = []
      while !lines.rest.isEmpty {
        let before = file.content.count
        let written = file.write(lines.rest)
        history += file.content[before...]
        lines.wrote(written)
        if lines.rest.isEmpty { break }
        lines.failed(fileSize: file.content.count)
        switch Int.random(in: 0..<4, using: &random) {
        case 0:
          file.content = []
          // A torn line is gone with the file.
          history = Array(history[..<(history.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0)])
        case 1:
          // Another program writes a line, as root may, who has a reserve.
          let other = bytes("?\n")
          file.content += other
          history += other
        default: break
        }
        file.capacity = file.content.count + .random(in: 0...9, using: &random)
        lines.resume(fileSize: file.content.count)
      }
      let found = String(decoding: history, as: UTF8.self)
        .split(separator: "\n")
        .filter { $0.hasPrefix("<") && $0.hasSuffix(">") }
      #expect(found.map(String.init) == texts, "\(String(decoding: history, as: UTF8.self))")
      // What follows a torn line begins on a line of its own.
      #expect(!found.contains { $0.dropFirst().contains("<") })
    }
  }
}

/// The same numbers each time.
private struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }
}
