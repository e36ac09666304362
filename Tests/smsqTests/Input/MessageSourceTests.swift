import Glibc
import Testing

@testable import smsq

@Suite("MessageSource")
struct MessageSourceTests {
  private func source(_ text: String, name: String = "-", format: InputFormat = .auto) throws -> MessageSource {
    try MessageSource(descriptor: temporaryDescriptor(text), name: name, format: format)
  }

  private func refusal(_ bytes: [UInt8], name: String = "messages.jsonl") throws -> InputError {
    let error = #expect(throws: InputError.self) {
      try MessageSource(descriptor: temporaryDescriptor(bytes), name: name)
    }
    return try #require(error)
  }

  @Test("JSON lines are passed on as they stand, blank lines skipped")
  func jsonLines() throws {
    let text = "{\"to\":\"+1\"}\n\n  \t\r\nnot json \r\n"
    let source = try source(text, name: "x.jsonl")
    #expect(source.totalBytes == text.utf8.count)
    let lines = Array(source)
    #expect(lines.map(\.number) == [1, 4])
    #expect(try lines[0].result.get() == .json(Array("{\"to\":\"+1\"}".utf8)))
    #expect(try lines[1].result.get() == .json(Array("not json ".utf8)))
    #expect(source.bytesConsumed == text.utf8.count)
  }

  @Test("CSV records become columns, extra ones kept, empty ones left out except to and text")
  func csv() throws {
    let lines = Array(try source("Text,TO,from,Campaign\nhi,+1,,\n,+2,ACME,x\n", name: "x.csv"))
    #expect(lines.map(\.number) == [2, 3])
    #expect(try lines[0].result.get() == .columns(["to": "+1", "text": "hi"]))
    #expect(
      try lines[1].result.get() == .columns(["to": "+2", "text": "", "from": "ACME", "campaign": "x"])
    )
  }

  @Test(
    "The format goes by the option, then the extension, then the first line",
    arguments: [
      ("to,text\n", "-", .auto, .csv), ("id,\"Text\", to\n", "-", .auto, .csv), ("{\"to\":1}\n", "-", .auto, .jsonl),
      ("", "-", .auto, .jsonl), ("{\"text\":\"a,to,b\"}\n", "list", .auto, .jsonl),
      ("to,text\n", "x.JSONL", .auto, .jsonl), ("to,text\n", "x.txt", .auto, .csv), ("x\n", "x.ndjson", .auto, .jsonl),
      ("to,text\n", "x.jsonl", .csv, .csv), ("to,text\n", "x.csv", .jsonl, .jsonl),
    ] as [(String, String, InputFormat, InputFormat)]
  )
  func formats(text: String, name: String, format: InputFormat, expected: InputFormat) throws {
    #expect(try source(text, name: name, format: format).format == expected)
  }

  @Test("A header without to or text says what it found")
  func missingColumns() throws {
    let noText = try refusal(Array("to,body\n".utf8), name: "x.csv")
    #expect(noText.code == .header)
    #expect(noText.message.contains("'text'") && noText.message.contains("to, body"))
    #expect(try refusal(Array("to;text\n".utf8), name: "x.csv").message.contains("by commas"))
  }

  @Test("What is not text is refused with a remedy")
  func notText() throws {
    #expect(try refusal([0x1F, 0x8B, 0x08, 0x00]).message.contains("gzip -dc"))
    #expect(try refusal([0x50, 0x4B, 0x03, 0x04], name: "x.csv").message.contains("as CSV"))
    #expect(try refusal([0xFF, 0xFE, 0x74, 0x00]).message.contains("UTF-16"))
    #expect(try refusal([0x7B, 0x00, 0x7D]).code == .notText)
    #expect(try refusal(Array("\n [\n{}]".utf8)).message.contains("jq -c"))
  }

  @Test("A missing file, a directory and a forbidden file are refused with a remedy")
  func unreadable() throws {
    let missing = try #require(throws: InputError.self) { try MessageSource(path: "/nonexistent/x.csv") }
    #expect(missing.code == .notFound && missing.exitCode.rawValue == 65)
    let directory = try #require(throws: InputError.self) { try MessageSource(path: "/tmp") }
    #expect(directory.message.contains("directory"))
    let forbidden = InputError(errorNumber: EACCES, name: "x")
    #expect(forbidden.code == .notPermitted && forbidden.exitCode.rawValue == 77)
  }

  @Test("The size of a pipe is not known")
  func pipeSize() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    _ = write(ends[1], "{}\n", 3)
    close(ends[1])
    let source = try MessageSource(descriptor: ends[0], name: "standard input")
    #expect(source.totalBytes == nil)
    #expect(Array(source).count == 1)
  }
}
