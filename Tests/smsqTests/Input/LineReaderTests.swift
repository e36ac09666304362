import Glibc
import Testing

@testable import smsq

@Suite("LineReader")
struct LineReaderTests {
  /// The lines of `text` as strings, an error as its code in angle brackets.
  private func lines(
    of text: String,
    bufferSize: Int = LineReader.defaultBufferSize,
    lineLimit: Int = LineReader.defaultLineLimit
  ) -> [String] {
    let descriptor = temporaryDescriptor(text)
    defer { close(descriptor) }
    let reader = LineReader(descriptor: descriptor, bufferSize: bufferSize, lineLimit: lineLimit)
    let result = reader.map { line in
      switch line.content {
      case .success(let bytes): "\(line.number):\(String(decoding: bytes, as: UTF8.self))"
      case .failure(let error): "\(line.number):<\(error.code.rawValue)>"
      }
    }
    #expect(reader.bytesConsumed == text.utf8.count)
    return result
  }

  @Test(
    "Lines end with LF, CRLF or the end of the input",
    arguments: [
      ("", []), ("\n", ["1:"]), ("a", ["1:a"]), ("a\n", ["1:a"]), ("a\nb", ["1:a", "2:b"]),
      ("a\r\nb\r\n", ["1:a", "2:b"]), ("a\n\n\nb\n", ["1:a", "2:", "3:", "4:b"]),
      ("a\rb\n", ["1:a\rb"]), ("a\r", ["1:a\r"]), ("\u{FEFF}a\n\u{FEFF}b\n", ["1:a", "2:\u{FEFF}b"]),
      ("\u{FEFF}", ["1:"]), ("ä€😀\nö", ["1:ä€😀", "2:ö"]),
    ] as [(String, [String])]
  )
  func lineEndings(text: String, expected: [String]) {
    for bufferSize in Array(1...16) + [LineReader.defaultBufferSize] {
      #expect(lines(of: text, bufferSize: bufferSize) == expected, "buffer of \(bufferSize)")
    }
  }

  @Test("A line over the limit is reported in its place and the others are read")
  func longLines() {
    let text = "ok\n12345\n123456\r\nfine\r\n1234567890123\nend\n12345678"
    let expected = ["1:ok", "2:12345", "3:<too-long>", "4:fine", "5:<too-long>", "6:end", "7:<too-long>"]
    for bufferSize in 1...16 {
      #expect(lines(of: text, bufferSize: bufferSize, lineLimit: 5) == expected, "buffer of \(bufferSize)")
    }
    #expect(lines(of: "12345\r\n", bufferSize: 6, lineLimit: 5) == ["1:12345"])
  }

  @Test("A failed read is one last element")
  func readError() throws {
    let reader = LineReader(descriptor: -1, name: "gone")
    let line = try #require(reader.next())
    #expect(throws: InputError.self) { try line.content.get() }
    #expect(reader.next() == nil)
  }

  @Test("Peeking consumes nothing")
  func peek() {
    let descriptor = temporaryDescriptor("first\nsecond\n")
    defer { close(descriptor) }
    let reader = LineReader(descriptor: descriptor, bufferSize: 2)
    #expect(reader.peek().starts(with: Array("first\n".utf8)))
    #expect(reader.bytesConsumed == 0)
    #expect(reader.map(\.number) == [1, 2])
  }
}

extension LineReader.Line: Equatable {
  public static func == (left: Self, right: Self) -> Bool {
    left.number == right.number && left.content == right.content && left.ending == right.ending
  }
}
