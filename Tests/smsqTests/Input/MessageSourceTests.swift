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
    #expect(try refusal(Array("to|text\n".utf8), name: "x.csv").message.contains("by commas, semicolons or tabs"))
    #expect(try refusal(Array("sep=;\nto;text\n".utf8), name: "x.csv").message.contains("Excel"))
    let many = try refusal(Array((1...100).map { "c\($0)" }.joined(separator: ",").utf8), name: "x.csv").message
    #expect(many.contains("c12, and 88 more"))
  }

  @Test(
    "Semicolons and tabs are known by the header, whatever else stands in it",
    arguments: [
      "to;text\n+1;a,b\n", "to\ttext\r\n+1\ta,b\r\n", "\u{FEFF}\"To\"; TEXT \n+1;\"a,b\"\n",
      "text,x;to;Text\ny;+1;a,b\n",
      "to,text\n+1,\"a,b\"\n", "\n\nto;text\n\n+1;a,b",
    ]
  )
  func separators(text: String) throws {
    for name in ["x.csv", "-"] {
      let lines = Array(try source(text, name: name))
      #expect(lines.count == 1)
      guard case .columns(let columns) = try lines.first?.result.get() else {
        Issue.record("no columns")
        return
      }
      #expect(columns["to"] == "+1")
      #expect(columns["text"] == "a,b")
    }
    let table = try MessageSource(
      descriptor: temporaryDescriptor("first name,x;to\nAnna;+1\n"),
      name: "x.csv",
      columns: ["to", "first name,x"]
    )
    #expect(try Array(table).first?.result.get() == .columns(["to": "+1", "first name,x": "Anna"]))
  }

  @Test("A record that has not as many fields as the header says what separates them")
  func fieldCount() throws {
    for (separator, name) in [(",", "comma"), (";", "semicolon"), ("\t", "tab")] {
      let lines = Array(try source("to\(separator)text\n+1\(separator)a\(separator)b\n", name: "x.csv"))
      let error = try #require(throws: InputError.self) { try lines[0].result.get() }
      #expect(error.message.contains("a \(name) in double quotes"))
    }
  }

  @Test(
    "Where a header was forgotten, nobody's number or text is shown",
    arguments: [
      ("+8613800138000,Dear Anna your code is 123456\n", "x.csv", "looks like data"),
      ("+8613800138000;Dear Anna\n", "-", "looks like data"),
      ("\"138 0013 8000\",\"Dear Anna\"\n", "list", "looks like data"),
      ("13800138000\tDear Anna\n", "x.tsv", "looks like data"),
      ("Dear Anna,13800138000,Dear Anna\n", "x.csv", "looks like data"),
      ("１３８００１３８０００,Dear Anna\n", "x.csv", "looks like data"),
      ("Dear Anna your parcel is here,nobody\n", "x.csv", "looks like data"),
      ("【ACME】您好Anna，您的包裹到了,x\n", "x.csv", "looks like data"),
      (String(repeating: "Anna", count: 9) + "\n", "x.csv", "looks like data"),
      ("{\"to\":\"+8613800138000\",\"text\":\"Dear Anna\"}\n", "x.csv", "--format jsonl"),
      ("to,text\r+8613800138000,Dear Anna\r+8613800138001,Dear Bob\r", "x.csv", "CR alone"),
      ("+8613800138000,Dear Anna\r+8613800138001,Dear Bob", "x.csv", "CR alone"),
      ("{\"to\":\"+8613800138000\"}\r{\"to\":\"+8613800138001\"}\r", "x.jsonl", "CR alone"),
    ]
  )
  func forgottenHeader(text: String, name: String, word: String) throws {
    let message = try refusal(Array(text.utf8), name: name).message
    #expect(message.contains(word), "\(message)")
    #expect(
      !message.lowercased().contains("anna") && !message.contains("138001") && !message.contains("１３８"),
      "\(message)"
    )
    #expect(message.utf8.count < 300)
  }

  @Test("A forgotten header is missed where no column is needed, too")
  func forgottenHeaderOfAnything() throws {
    #expect(throws: InputError.self) {
      let text = "+8613800138000,Hello Anna\n+8613800138001,Hello Bob\n"
      _ = try MessageSource(descriptor: temporaryDescriptor(text), name: "x.csv", columns: [])
    }
  }

  @Test("A CR that ends no line is left alone")
  func carriageReturns() throws {
    #expect(Array(try source("{\"to\":\"+1\",\r\"text\":\"x\"}", name: "x.jsonl")).count == 1)
    #expect(Array(try source("to,text\r\n+1,\"a\rb\"\r\n", name: "x.csv")).count == 1)
  }

  @Test("GBK and Latin-1 are told with the way to convert them")
  func encodings() throws {
    for bytes: [UInt8] in [[0xC4, 0xE3, 0xBA, 0xC3], [0x63, 0x61, 0x66, 0xE9]] {
      let lines = Array(
        try MessageSource(descriptor: temporaryDescriptor(Array("to,text\n+1,".utf8) + bytes + [0x0A]), name: "x.csv")
      )
      let error = try #require(throws: InputError.self) { try lines[0].result.get() }
      #expect(error.code == .notText && error.message.contains("iconv -f GBK"))
      #expect(try refusal(Array("to,".utf8) + bytes + [0x0A], name: "x.csv").message.contains("iconv -f GBK"))
    }
  }

  @Test("What is not text is refused with a remedy")
  func notText() throws {
    #expect(try refusal([0x1F, 0x8B, 0x08, 0x00]).message.contains("gzip -dc"))
    #expect(try refusal([0x50, 0x4B, 0x03, 0x04], name: "x.csv").message.contains("as CSV"))
    for utf16: [UInt8] in [
      [0xFF, 0xFE, 0x74, 0], [0xFE, 0xFF, 0, 0x74], [0x74, 0, 0x6F, 0, 0x2C, 0], [0, 0x74, 0, 0x6F],
    ] {
      #expect(try refusal(utf16, name: "x.csv").message.contains("UTF-16"))
    }
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
