import TestSupport
import Testing

@testable import Wire

@Suite struct PlainTextTests {
  /// As the specification says it, one byte after the other.
  private func end(_ bytes: [UInt8], from start: Int) -> Int {
    bytes[start...].firstIndex { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C } ?? bytes.count
  }

  @Test("Every byte, alone and among others, at every place of a word")
  func everyByte() {
    for filling: UInt8 in [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F, 0x80, 0xA2, 0xDC, 0xFF] {
      for length in 1...17 {
        for place in 0..<length {
          for byte in UInt8.min...UInt8.max {
            var bytes = [UInt8](repeating: filling, count: length)
            bytes[place] = byte
            guard PlainText.end(in: bytes.span) == end(bytes, from: 0) else {
              Issue.record("\(bytes)")
              return
            }
          }
        }
      }
    }
  }

  @Test("Random bytes, from every start")
  func random() {
    var random = SeededGenerator(seed: 11)
    for _ in 0..<50_000 {
      let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ -> UInt8 in
        Int.random(in: 0..<20, using: &random) == 0
          ? [0x00, 0x1F, 0x22, 0x5C].randomElement(using: &random)! : UInt8.random(in: 0x20...0xFF, using: &random)
      }
      let start = Int.random(in: 0...bytes.count, using: &random)
      guard PlainText.end(in: bytes.span, from: start) == end(bytes, from: start) else {
        Issue.record("\(bytes) from \(start)")
        return
      }
    }
  }
}
