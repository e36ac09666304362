import Foundation
import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("smsq push --file", .serialized)
struct BulkPushTests {
  private static func line(_ id: String, _ more: String = "") -> String {
    #"{"to":"+8613800138000","text":"hi","id":"\#(id)"\#(more)}"#
  }

  private func ids(_ bench: Bench) async throws -> [String] {
    try await bench.waiting().map { try $0.json["id"] as? String ?? "" }
  }

  @Test("A file is queued in its order, what it says of each message kept byte for byte")
  func jsonl() async throws {
    let bench = try await Bench()
    let more = #", "amount": 1.50,"nested":{"b": [1,2 ,3],"empty":{}},"escaped":"\u4f60\/","big":12345678901234567890"#
    let lines = [Self.line("b", more), "", Self.line("a"), "   ", Self.line("c")]
    let file = try TemporaryFile(lines.joined(separator: "\r\n"), extension: "jsonl")
    let result = try await bench.smsq("push", "--file", file.path)
    #expect(result.code == 0)
    #expect(result.output == "3 messages queued")
    #expect(result.stderr == "")
    #expect(try await ids(bench) == ["b", "a", "c"])
    // The one thing that is added stands in front.
    #expect(try await bench.waiting()[0].hasSuffix(lines[0].dropFirst()))
  }

  @Test("CSV: quotes, line feeds inside of them, and columns of one's own")
  func csv() async throws {
    let bench = try await Bench()
    let csv = "text,to,id,shop\n\"one, \"\"two\"\"\nthree\",+8613800138000,1,Köln\nplain,+447700900123,,\n"
    let file = try TemporaryFile(csv, extension: "csv")
    let result = try await bench.smsq("push", "--file", file.path, "--json")
    #expect(result.code == 0, "\(result)")
    let summary = try result.output.json
    #expect(summary["queued"] as? Int == 2 && summary["lines"] as? Int == 2 && summary["refused"] as? Int == 0)
    let messages = try await bench.waiting().map { try $0.json }
    #expect(messages.map { $0["text"] as? String } == ["one, \"two\"\nthree", "plain"])
    #expect(messages.map { $0["shop"] as? String } == ["Köln", nil])
    #expect(messages[0]["id"] as? String == "1")
    #expect((messages[1]["id"] as? String)?.isEmpty == false)
  }

  @Test("A file's columns may name a template, whose parameters are JSON, in the text's place")
  func templates() async throws {
    let bench = try await Bench()
    let csv = [
      "to,template,template_params,text", #"+8613800138000,SMS_1,"{""code"":""1""}","#, "+8613800138000,1110,[1],",
      "+8613800138000,,,hi", #"+8613800138000,SMS_1,"{},""to"":""+1""","#, "+8613800138000,SMS_1,,hi",
    ]
    let result = try await bench.smsq("push", "--file", "-", "--format", "csv", input: csv.joined(separator: "\n"))
    #expect(result.code == 65)
    #expect(result.note.contains("line 5: 'template_params' is neither an object nor a list"), "\(result)")
    #expect(result.note.contains("line 6: there are both 'text' and 'template'"), "\(result)")
    let messages = try await bench.waiting().map { try $0.json }
    #expect(messages.map { $0["template"] as? String } == ["SMS_1", "1110", nil])
    #expect(messages[0]["template_params"] as? [String: String] == ["code": "1"])
    #expect(messages[1]["template_params"] as? [Int] == [1])

    let alone = try await bench.smsq("push", "--file", "-", input: "to,template\n+8613800138000,SMS_1\n")
    #expect(alone.code == 0, "\(alone)")
    let neither = try await bench.smsq("push", "--file", "-", input: "to,sign\n+8613800138000,x\n")
    #expect(neither.code == 65 && neither.note.contains("no column 'text'"), "\(neither)")
  }

  @Test("Standard input can be either, and its first line tells which")
  func standardInput() async throws {
    let bench = try await Bench()
    for input in ["\(Self.line("1"))\n", "to,text,id\n+8613800138000,hi,2\n"] {
      let result = try await bench.smsq("push", "--file", "-", input: input)
      #expect(result.code == 0)
      #expect(result.output == "1 message queued")
    }
    #expect(try await ids(bench) == ["1", "2"])
  }

  @Test("Bad lines are named and the good ones go: exit code 65")
  func badLines() async throws {
    let bench = try await Bench()
    let input = [
      Self.line("1"), "hello", Self.line("2"), #"{"text":"to nobody"}"#, "", #"{"to":"12","text":"short"}"#,
      #"{"to":"+8613800138000","text":"cut"#, Self.line("3"),
    ]
    let result = try await bench.smsq("push", "--file", "-", "--format", "jsonl", input: input.joined(separator: "\n"))
    #expect(result.code == 65)
    #expect(result.output == "3 messages queued, 4 lines refused")
    let notes = result.note.split(separator: "\n")
    #expect(notes.map { $0.prefix { $0 != ":" } + $0.drop { $0 != ":" }.prefix(9) }.count == 4)
    for (note, number) in zip(notes, [2, 4, 6, 7]) { #expect(note.hasPrefix("smsq: line \(number): ")) }
    #expect(try await ids(bench) == ["1", "2", "3"])
  }

  @Test("A line of a CSV file counts from where its record begins")
  func badRecord() async throws {
    let bench = try await Bench()
    let csv = "to,text\n+8613800138000,\"two\nlines\"\nnobody,hi\n"
    let result = try await bench.smsq("push", "--file", "-", input: csv)
    #expect(result.code == 65)
    #expect(result.note.hasPrefix("smsq: line 4: "))
    #expect(try await bench.waiting().count == 1)
  }

  @Test(
    "--strict queues all or nothing, from a file and from what can be read only once",
    arguments: [nil, "-", "/dev/stdin"]
  )
  func strict(input: String?) async throws {
    let bench = try await Bench()
    for (lines, code, count) in [([Self.line("1"), "hello"], 65, 0), ([Self.line("1"), Self.line("2")], 0, 2)] {
      let text = lines.joined(separator: "\n")
      let file = try TemporaryFile(text, extension: "jsonl")
      let result = try await bench.smsq(
        "push",
        "--strict",
        "--file",
        input ?? file.path,
        input: input == nil ? nil : text
      )
      #expect(result.code == Int32(code), "\(result)")
      #expect(try await bench.waiting().count == count)
      if code != 0 { #expect(result.note.contains("line 2: ") && result.note.contains("nothing was queued")) }
    }
  }

  @Test("--strict reads a FIFO once, by the format that its name tells")
  func strictFIFO() async throws {
    let bench = try await Bench()
    let path = NSTemporaryDirectory() + "/smsq-\(UUID().uuidString).csv"
    #expect(mkfifo(path, 0o600) == 0)
    defer { unlink(path) }
    let writer = try ChildProcess("sh", ["-c", #"printf 'text,to\nhi,+8613800138000\n' > "$0""#, path])
    let result = try await bench.smsq("push", "--strict", "--file", path)
    #expect(result.code == 0 && result.output == "1 message queued", "\(result)")
    #expect(try await writer.end().code == 0)
    #expect(try await bench.waiting().count == 1)
  }

  @Test("An id is queued once, within a file and from one file to the next")
  func duplicates() async throws {
    let bench = try await Bench()
    let lines = (0..<1_200).map { Self.line("\($0 % 700)") }.joined(separator: "\n")
    let first = try await bench.smsq("push", "--file", "-", input: lines)
    #expect(first.code == 0)
    #expect(
      first.output == "700 messages queued, 500 left out, with ids that were used before (lines 701 to 1200)"
    )
    let second = try await bench.smsq("push", "--file", "-", "--json", input: lines)
    #expect(second.code == 0)
    #expect(try second.output.json["duplicates"] as? Int == 1_200)
    #expect(try second.output.json["duplicate_lines"] as? [Int] == Array(1...100))
    #expect(try await ids(bench) == (0..<700).map(String.init))
  }

  @Test("Duplicates are named by the lines of the file, whatever stands between them")
  func duplicateLines() async throws {
    let bench = try await Bench()
    let csv =
      "text;to;id\n\"two\nlines\";+8613800138000;a\nx;nobody;b\n\nx;+8613800138000;a\nx;+8613800138000;c\n"
      + "x;+8613800138000;c\nx;+8613800138000;a\n"
    let result = try await bench.smsq("push", "--file", "-", "--json", input: csv)
    #expect(result.code == 65)
    #expect(try result.output.json["duplicate_lines"] as? [Int] == [6, 8, 9])
    let again = try await bench.smsq("push", "--file", "-", input: csv)
    #expect(again.output.contains("5 left out, with ids that were used before (lines 2, 6 to 9)"))
    let without = try await bench.smsq("push", "--file", "-", "--json", input: "\(Self.line("d"))\n")
    #expect(try without.output.json["duplicate_lines"] == nil)
  }

  @Test("20,000 lines are counted, in order, and no progress bar gets into a pipe")
  func twentyThousand() async throws {
    let bench = try await Bench()
    let lines = (0..<20_000).map { Self.line("\($0)") }.joined(separator: "\n")
    let result = try await bench.smsq(
      ["push", "--file", "-", "--id-lifetime", "0s"],
      input: lines,
      environment: ["TERM": "xterm"]
    )
    #expect(result.code == 0)
    #expect(result.output == "20000 messages queued")
    #expect(result.stderr == "")
    #expect(try await ids(bench) == (0..<20_000).map(String.init))
    #expect(try await bench.counts().counters["pushed"] == 20_000)
    try await bench.queue.run("DEL sms")
  }

  @Test("A long file takes no more memory than a short one")
  func memory() async throws {
    let bench = try await Bench(on: RedisServer())
    var peaks: [Double] = []
    // The short one lasts long enough to be looked at when it holds most.
    for count in [60_000, 300_000] {
      let line = Array((#"{"to":"+8613800138000","text":"hello there"}"# + "\n").utf8)
      let push = try ChildProcess(
        Smsq.path,
        ["push", "--redis", bench.server.url, "--file", "-"],
        input: .bytes([UInt8](repeatElement(line, count: count).joined()))
      )
      var peak = 0
      // It only grows, so the last look before the end is the peak.
      while push.isRunning {
        peak = max(peak, (try? push.peakMemory) ?? 0)
        try await Task.sleep(for: .milliseconds(1))
      }
      let result = try await push.end()
      #expect(result.output == "\(count) messages queued")
      peaks.append(Double(peak))
    }
    #expect(peaks[0] > 0)
    #expect(peaks[1] < 1.5 * peaks[0], "KiB: \(peaks)")
  }

  @Test("When the queue becomes too long on the way, the lines that are in are told from those that are not")
  func maxQueue() async throws {
    let bench = try await Bench()
    let lines = (1...1_700).map { Self.line("\($0)") }.joined(separator: "\n")
    // Behind the lines that do not fit are 200 that would.
    let result = try await bench.smsq("push", "--file", "-", "--max-queue", "1200", input: lines)
    #expect(result.code == 75)
    #expect(result.note.hasSuffix("\n1000 messages queued; all from line 1001 on were not"), "\(result)")
    #expect(try await ids(bench) == (1...1_000).map(String.init))
  }

  @Test("Redis refuses lines in the middle and takes some behind them: just those that are not in are named")
  func refusedInTheMiddle() async throws {
    let server = try await RedisServer(tcp: true)
    let bench = try await Bench(on: server)
    let prefix = "{\(bench.queue.name)}"
    // May not remember ids that begin with x.
    var command = RedisCommand("ACL", "SETUSER", "producer", "on", ">word", "+@all", "~\(bench.queue.name)")
    for key in ["wake", "later", "stats", "spread", "seen:y*", "absent"] { command.append("~\(prefix):\(key)") }
    _ = try await server.connection().run(command)
    let url = server.url.replacing("redis://", with: "redis://producer:word@")
    for (refused, said) in [
      ([600, 1_100], "lines 501 to 1500 and all that begin after line 1700 were not"),
      ([600, 1_600], "lines 501 to 1000 and all from line 1501 on were not"),
    ] {
      try await bench.queue.run("DEL sms")
      let lines = (1...1_700).map { Self.line((refused.contains($0) ? "x" : "y\(refused[1])-") + "\($0)") }
      let result = try await Smsq.run(
        ["push", "--redis", url, "--queue", bench.queue.name.description, "--file", "-"],
        input: .bytes([UInt8](lines.joined(separator: "\n").utf8))
      )
      #expect(result.code == 77)
      #expect(result.note.hasSuffix("messages queued; \(said)"), "\(result)")
    }
  }

  @Test("A sender that cannot be is said once, and not for each line")
  func badSender() async throws {
    let bench = try await Bench()
    let result = try await bench.smsq(
      "push",
      "--file",
      "-",
      "--from",
      "far too long a name",
      input: "\(Self.line("1"))\n"
    )
    #expect(result.code == 64)
    #expect(result.note.contains("--from: "))
    #expect(try await bench.queue.dump().values.isEmpty)
  }

  @Test("Redis goes away in the middle: 69, with what is in, what may be, and what is not")
  func redisGoes() async throws {
    let server = try await RedisServer()
    let push = try ChildProcess(Smsq.path, ["push", "--redis", server.url, "--file", "-"], input: .open)
    let lines = String(repeating: #"{"to":"+8613800138000","text":"hi"}"# + "\n", count: 8_000)
    // Half of them are sent at once, the other half when the first is answered.
    try push.write(lines)
    let queue = MessageQueue(QueueName("sms")!, on: server.connection())
    try await eventually("all of these are in") { try await queue.inspect().waiting == 8_000 }
    try await server.stop()
    try? push.write(lines)
    try? push.closeInput()
    let result = try await push.end()
    #expect(result.code == 69)
    #expect(result.stdout == "")
    #expect(
      result.note.contains("8000 messages queued; whether lines 8001 to 12000 were queued is not known"),
      "\(result)"
    )
  }

  @Test(
    "What is no file of messages is told apart, with the way to make one of it",
    arguments: [
      (#"[{"to":"+8613800138000","text":"hi"}]"#, "jq -c '.[]'"), ("\u{1F}\u{8B}", "gzip"), ("a\0b", "binary"),
      ("+8613800138000;hi\n", "looks like data"), ("to,text\r+8613800138000,hi\r", "CR alone"),
      ("to,message\n1,2\n", "no column 'text'"),
    ]
  )
  func notMessages(input: String, word: String) async throws {
    let bench = try await Bench()
    // 0x8B is no character of its own in UTF-8.
    let bytes = input.hasPrefix("\u{1F}") ? [0x1F, 0x8B, 8, 0] : [UInt8](input.utf8)
    let format = (input.contains("to") || input.hasPrefix("+")) && !input.hasPrefix("[") ? "csv" : "auto"
    let result = try await Smsq.run(
      ["push", "--redis", bench.server.url, "--queue", "\(bench.queue.name)", "--file", "-", "--format", format],
      input: .bytes(bytes)
    )
    #expect(result.code == 65)
    #expect(result.note.contains(word), "\(result)")
    #expect(!result.note.contains("3800138000"))
    #expect(!result.note.contains("smsq push -\n") && !result.note.hasSuffix("smsq push -"))
    #expect(try await bench.queue.dump().values.isEmpty)
  }
}
