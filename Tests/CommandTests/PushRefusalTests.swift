import TestSupport
import Testing

@Suite("smsq push, what it refuses", .serialized)
struct PushRefusalTests {
  /// What is wrong with a message, and a word that the answer must hold.
  @Test(
    "A bad message ends with 65 and one line that helps",
    arguments: [
      (["--to", "+12", "--text", "hi"], "7 to 15 digits"),
      (["--to", "", "--text", "hi"], "telephone number"),
      (["--to", "call me", "--text", "hi"], "+8613800138000"),
      (["--to", "+44 20 (0) 7946 0000", "--text", "hi"], "(0)"),
      (["--to", Bench.to, "--text", ""], "empty"),
      (["--to", Bench.to, "--text", String(repeating: "很长", count: 20_000)], "255"),
      (["--to", Bench.to, "--text", "hi", "--from", "a name that is too long"], "11"),
      (["--to", Bench.to, "--text", "hi", "--id", String(repeating: "i", count: 200)], "128"),
      (["--file", "/nonexistent/messages.jsonl"], "no such file"),
      (["--file", "/tmp"], "directory"),
    ]
  )
  func badInput(arguments: [String], word: String) async throws {
    let bench = try await Bench()
    let result = try await bench.smsq(["push"] + arguments)
    #expect(result.code == 65)
    #expect(result.stdout == "")
    #expect(result.note.hasPrefix("smsq: "))
    #expect(result.note.contains(word))
    #expect(result.note.split(separator: "\n").count == 1)
    #expect(try await bench.queue.dump().values.isEmpty)
  }

  @Test(
    "A text of too many segments is refused with their number, by whatever takes one, and queued where it is allowed"
  )
  func maxSegments() async throws {
    let bench = try await Bench()
    let message = ["--to", Bench.to, "--text", String(repeating: "中", count: 135)]
    let bound = ["--max-segments", "2"]
    let reason = "the text takes 3 segments and --max-segments is 2: shorten it, send several messages, or allow more"

    for arguments in [["push"] + message + bound, ["send"] + message + bound] {
      let result =
        arguments[0] == "push" ? try await bench.smsq(arguments) : try await Smsq.run(arguments)
      #expect(result.code == 65)
      #expect(result.stdout == "")
      #expect(result.note == "smsq: " + reason)
    }
    let lines = #"{"to":"+8613800138000","text":"\#(message[3])"}"# + "\n" + #"{"to":"+8613800138000","text":"hi"}"#
    let file = try await bench.smsq(["push", "--file", "-"] + bound, input: lines)
    #expect(file.code == 65)
    #expect(file.note.contains("line 1: " + reason))
    #expect(file.output == "1 message queued, 1 line refused")
    let strict = try await bench.smsq(
      ["push", "--file", "-", "--strict"],
      input: lines,
      environment: ["SMSQ_MAX_SEGMENTS": "2"]
    )
    #expect(strict.code == 65)
    #expect(strict.stdout == "")
    #expect(try await bench.waiting().count == 1)

    #expect(try await bench.smsq(["push"] + message + ["--max-segments", "3"]).code == 0)
    let eleven = try await bench.smsq(["push", "--to", Bench.to, "--text", String(repeating: "a", count: 1531)])
    #expect(eleven.note.contains("11 segments and --max-segments is 10"))
    #expect(try await bench.waiting().count == 2)
  }

  @Test(
    "A bad option ends with 64, the option's name, and no message queued",
    arguments: [
      (["--at", "tomorrow"], "RFC 3339"),
      (["--in", "5"], "no unit"),
      (["--in=-5s"], "negative"),
      (["--in", "5m", "--at", "2100-01-01T00:00:00Z"], "not both"),
      (["--queue", "two words"], "no queue name"),
      (["--queue", "{tag}"], "no queue name"),
      (["--max-queue", "0"], "1 or more"),
      (["--max-segments", "0"], "1 to 255"),
      (["--max-segments", "256"], "1 to 255"),
      (["--default-country-code", "chinese"], "country code"),
      (["--default-country-code", "999"], "assigned"),
      (["--strict"], "--file"),
      (["--file", "messages.jsonl"], "--file"),
      (["--redis", "http://localhost"], "redis://"),
      (["--max-payload", "2MB"], "1KB to 1MB"),
      (["--max-payload", "lots"], "no size"),
      (["--nonsense"], "--nonsense"),
      (["words"], "words"),
    ]
  )
  func badUsage(arguments: [String], word: String) async throws {
    let bench = try await Bench()
    let result = try await bench.smsq(["push"] + Bench.message + arguments)
    #expect(result.code == 64)
    #expect(result.stdout == "")
    #expect(result.note.hasPrefix("Error: "))
    #expect(result.note.contains(word))
    #expect(result.note.contains("smsq push --help"))
    #expect(!result.note.contains("Fatal error"))
    #expect(try await bench.queue.dump().values.isEmpty)
  }

  @Test("A Redis URL that cannot be used is not repeated, for it may hold a password")
  func passwordIsNotRepeated() async throws {
    let arguments = ["push"] + Bench.message
    let byOption = try await Smsq.run(arguments + ["--redis", "redis://user:s3cret@"])
    let byVariable = try await Smsq.run(arguments, environment: ["SMSQ_REDIS": "redis://user:s3cret@host/zero"])
    for result in [byOption, byVariable] {
      #expect(result.code == 64)
      #expect(result.note.contains("Redis URL"))
      #expect(!result.note.contains("s3cret"))
    }
    #expect(byVariable.note.contains("SMSQ_REDIS"))
  }

  @Test("A mistake on the command line is not blamed on the environment")
  func noteOnEnvironment() async throws {
    let variables = ["SMSQ_REDIS": "redis://127.0.0.1:1"]
    let own = try await Smsq.run(["push", "--in", "5"] + Bench.message, environment: variables)
    #expect(own.code == 64)
    #expect(!own.note.contains("SMSQ_"))
    let theirs = try await Smsq.run(["push"] + Bench.message, environment: ["SMSQ_IN": "5"])
    #expect(theirs.code == 64)
    #expect(theirs.note.contains("--in from SMSQ_IN"))
  }

  @Test("A payload that workers would not take is refused, with its size, the limit, and what to do")
  func tooLarge() async throws {
    let bench = try await Bench()
    func line(_ id: String, _ size: Int) -> String {
      #"{"to":"\#(Bench.to)","text":"hi","id":"\#(id)","note":"\#(String(repeating: "x", count: size))"}"#
    }
    let input = [line("a", 10), line("b", 300_000), line("c", 200_000)].joined(separator: "\n")
    let file = ["push", "--file", "-", "--format", "jsonl"]
    let result = try await bench.smsq(file, input: input)
    #expect(result.code == 65 && result.output == "2 messages queued, 1 line refused")
    #expect(result.note.hasPrefix("smsq: line 2: the payload has 3000"))
    #expect(result.note.contains("the most is 262144") && result.note.contains("--max-payload"))
    let raised = try await bench.smsq(file, input: input, environment: ["SMSQ_MAX_PAYLOAD": "1MB"])
    #expect(raised.code == 0 && raised.output.hasPrefix("1 message queued, 2 left out, with ids that were used before"))
    let lowered = try await bench.smsq(file + ["--max-payload", "1KB"], input: line("d", 1_000))
    #expect(lowered.code == 65 && lowered.note.contains("the most is 1024"))
  }

  @Test("A file of large messages is queued in batches that are bounded in bytes, in its order")
  func largeLines() async throws {
    let bench = try await Bench(on: RedisServer())
    let lines = (0..<60).map { number in
      #"{"to":"\#(Bench.to)","text":"hi","id":"m\#(number)","note":"\#(String(repeating: "x", count: 200_000))"}"#
    }
    let result = try await bench.smsq("push", "--file", "-", "--format", "jsonl", input: lines.joined(separator: "\n"))
    #expect(result.output == "60 messages queued", "\(result.stderr)")
    let waiting = try await bench.waiting()
    #expect(waiting.count == 60)
    for (number, payload) in waiting.enumerated() { #expect(payload.contains(#""id":"m\#(number)""#)) }
    // Six messages have more than a megabyte: ten batches, one LPUSH each, and one for the bell at first.
    let stats = try await bench.queue.run("INFO commandstats").string ?? ""
    let pushes = try #require(stats.firstMatch(of: /cmdstat_lpush:calls=(\d+)/).flatMap { Int($0.1) })
    #expect(pushes >= 10)
  }
}
