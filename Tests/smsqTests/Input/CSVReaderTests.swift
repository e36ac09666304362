import Glibc
import Testing

@testable import smsq

@Suite("CSVReader")
struct CSVReaderTests {
  /// The records of `text`, header excepted: the fields joined by `|`, or the error's code in angle brackets.
  private func records(
    of text: String,
    bufferSize: Int = LineReader.defaultBufferSize,
    recordLimit: Int = LineReader.defaultLineLimit
  ) throws -> [String] {
    let descriptor = temporaryDescriptor(text)
    defer { close(descriptor) }
    let lines = LineReader(descriptor: descriptor, bufferSize: bufferSize)
    return try CSVReader(lines: lines, recordLimit: recordLimit).map { record in
      switch record.values {
      case .success(let values): "\(record.number):\(values.joined(separator: "|"))"
      case .failure(let error): "\(record.number):<\(error.code.rawValue)>"
      }
    }
  }

  @Test(
    "Records are read as RFC 4180 has them",
    arguments: [
      ("a,b", []), ("a,b\n", []), ("a,b\n1,2\n", ["2:1|2"]), ("a,b\r\n1,2", ["2:1|2"]),
      ("a,b\n\n1,2\n \t\n\n3,4\n", ["3:1|2", "6:3|4"]),
      ("a,b\n\"1,5\",2\n", ["2:1,5|2"]), ("a,b\n\"say \"\"hi\"\"\",2\n", ["2:say \"hi\"|2"]),
      ("a,b\n\"one\ntwo\",2\n3,4\n", ["2:one\ntwo|2", "4:3|4"]),
      ("a,b\r\n\"one\r\n\r\ntwo\",2\r\n3,4", ["2:one\r\n\r\ntwo|2", "5:3|4"]),
      ("a,b\n,\n\"\",\"\"\n", ["2:|", "3:|"]), ("a,b\n1,5\" pipe\n", ["2:1|5\" pipe"]),
      ("\u{FEFF}a,b\n1,2\n", ["2:1|2"]), ("\u{FEFF}\"a\",b\n1,2\n", ["2:1|2"]),
      ("a,b\n 1 , 2 \n", ["2: 1 | 2 "]),
      ("a,b\n1\n1,2,3\n4,5\n", ["2:<malformed>", "3:<malformed>", "4:4|5"]),
    ] as [(String, [String])]
  )
  func wellFormed(text: String, expected: [String]) throws {
    for bufferSize in Array(1...16) + [LineReader.defaultBufferSize] {
      #expect(try records(of: text, bufferSize: bufferSize) == expected, "buffer of \(bufferSize)")
    }
  }

  @Test("Column names are trimmed and in lower case")
  func header() throws {
    let descriptor = temporaryDescriptor("\u{FEFF}  To ,\" TEXT\",Expires_At\t\n")
    defer { close(descriptor) }
    #expect(try CSVReader(lines: LineReader(descriptor: descriptor)).columns == ["to", "text", "expires_at"])
  }

  @Test(
    "A missing, doubled or malformed header is an error",
    arguments: ["", "\n\n", "to,text,TO\n", "\"to,text\n1,2\n"]
  )
  func badHeader(text: String) {
    #expect(throws: InputError.self) { try records(of: text) }
  }

  @Test(
    "A quote that is never closed costs its own record only",
    arguments: [
      ("a,b\n1,\"open\n2,x\n3,y\n", ["2:<malformed>", "3:2|x", "4:3|y"]),
      ("a,b\n1,\"open\n2,\"x\"\n3,y\n", ["2:<malformed>", "3:2|x", "4:3|y"]),
      ("a,b\n1,\"open\n2,\"x\ny\"\n3,z\n", ["2:<malformed>", "3:2|x\ny", "5:3|z"]),
      ("a,b\n1,\"x\"y\n2,z\n", ["2:<malformed>", "3:2|z"]),
      ("a,b\n1,\"\n", ["2:<malformed>"]),
    ] as [(String, [String])]
  )
  func unterminated(text: String, expected: [String]) throws {
    for bufferSize in 1...16 { #expect(try records(of: text, bufferSize: bufferSize) == expected) }
  }

  @Test("A quote that is never closed is given up at the record limit")
  func recordLimit() throws {
    let rows = (1...200).map { "\($0),row\n" }.joined()
    let read = try records(of: "a,b\n0,\"open\n\(rows)", recordLimit: 100)
    #expect(read.count == 201)
    #expect(read.first == "2:<malformed>")
    #expect(read.dropFirst() == (1...200).map { "\($0 + 2):\($0)|row" }[...])
  }

  @Test("A file full of open quotes takes linear time", .timeLimit(.minutes(1)))
  func manyOpenQuotes() throws {
    let count = 20_000
    let text = "a,b\n\"x\n" + String(repeating: "a\",\"b\n", count: count)
    #expect(try records(of: text).count <= count + 1)
  }

  @Test("A field that is not UTF-8 is an error of its record")
  func notUTF8() {
    let descriptor = temporaryDescriptor(Array("a,b\n1,caf".utf8) + [0xE9] + Array("\n2,x\n".utf8))
    defer { close(descriptor) }
    let results = try? CSVReader(lines: LineReader(descriptor: descriptor)).map(\.values)
    #expect(results?.count == 2)
    #expect(throws: InputError.self) { try results?.first?.get() }
    #expect((try? results?.last?.get()) == ["2", "x"])
  }

  @Test("What a writer wrote is what is read", arguments: 0..<200)
  func roundTrip(seed: UInt64) throws {
    var random = SplitMix64(state: seed)
    let ending = Bool.random(using: &random) ? "\r\n" : "\n"
    let width = Int.random(in: 2...5, using: &random)
    let table = (0..<Int.random(in: 0...12, using: &random)).map { _ in
      (0..<width).map { _ in randomField(using: &random) }
    }
    let header = (0..<width).map { "c\($0)" }
    var text = ([header] + table).map { $0.map(quoted).joined(separator: ",") }.joined(separator: ending)
    if Bool.random(using: &random) { text += ending }

    let descriptor = temporaryDescriptor(text)
    defer { close(descriptor) }
    let lines = LineReader(descriptor: descriptor, bufferSize: Int.random(in: 1...16, using: &random))
    let reader = try CSVReader(lines: lines)
    #expect(reader.columns == header)
    #expect(try reader.map { try $0.values.get() } == table)
  }

  private func randomField(using random: inout SplitMix64) -> String {
    let pieces = ["a", "Z", " ", ",", "\"", "\"\"", "\n", "\r\n", "\r", "ä", "😀", ";", "+49", ""]
    return (0..<Int.random(in: 0...8, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
  }

  /// The reference writer: every field in quotes, every quote doubled.
  private func quoted(_ field: String) -> String {
    "\"" + field.unicodeScalars.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
  }
}

/// A small generator with a seed, so that a failing table can be had again.
private struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
