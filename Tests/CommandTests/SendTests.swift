import TestSupport
import Testing

@Suite("smsq send", .serialized)
struct SendTests {
  @Test("It prints the provider's id")
  func accepted() async throws {
    let result = try await Smsq.run(["send"] + Bench.message)
    #expect(result.code == 0)
    #expect(result.stderr == "")
    #expect(result.output.wholeMatch(of: /SM[0-9a-f]{32}/) != nil)
  }

  @Test("--json has the result in fields, also when the message was not sent")
  func json() async throws {
    let accepted = try await Smsq.run(["send", "--json", "--id", "x1"] + Bench.message)
    let fields = try accepted.output.json
    #expect(
      Set(fields.keys) == ["id", "gateway", "status", "to", "segments", "encoding", "provider_id"]
    )
    #expect(fields["id"] as? String == "x1")
    #expect(fields["status"] as? String == "accepted")

    let refused = try await Smsq.run(["send", "--json", "--to", "+15005550009", "--text", "hi"])
    #expect(refused.code == 65)
    #expect(try refused.output.json["status"] as? String == "permanent-failure")
    #expect(try refused.output.json["code"] as? String == "21614")
  }

  @Test("A template goes in the text's place, with its parameters and its signature")
  func template() async throws {
    let arguments = ["--to", Bench.to, "--template", "SMS_1", "--template-param", "code=1=2", "--sign", "阿里云"]
    let accepted = try await Smsq.run(["send", "--json"] + arguments)
    #expect(accepted.code == 0, "\(accepted)")
    #expect(try accepted.output.json["status"] as? String == "accepted")

    let script = try TemporaryFile(Self.echo, extension: "py")
    let program = "command:/usr/bin/env python3 -u \(script.path)"
    let said = try await Smsq.run(["send", "--gateway", program] + arguments)
    #expect(said.output == #"SMS_1 {"code": "1=2"} 阿里云 None"#, "\(said)")
    let list = ["--to", Bench.to, "--template", "1110", "--template-param", "6", "--template-param", "5"]
    #expect(try await Smsq.run(["send", "--gateway", program] + list).output == #"1110 ["6", "5"] None None"#)
  }

  private static let echo = """
    import json, sys
    for line in sys.stdin:
        m = json.loads(line)
        words = [m["template"], json.dumps(m["template_params"]), m.get("sign"), m.get("text")]
        print(json.dumps(dict(ref=m["ref"], outcome="accepted", provider_id=" ".join(map(str, words)))))
    """

  @Test(
    "A text and a template are one too many, and none is one too few",
    arguments: [
      ["--text", "hi", "--template", "SMS_1"], [], ["--template-param", "a=1", "--text", "hi"],
      ["--template", "SMS_1", "--template-param", "a=1", "--template-param", "5"],
    ]
  )
  func contents(arguments: [String]) async throws {
    for command in ["send", "push"] {
      let result = try await Smsq.run([command, "--to", Bench.to] + arguments)
      #expect(result.code == 64)
      #expect(result.note.contains("template"), "\(result)")
    }
  }

  @Test(
    "Magic numbers have their answers: 65 for never, 75 for later",
    arguments: [
      ("+15005550001", nil, 65, "21211"), ("+15005550002", nil, 65, "21612"), ("+15005550003", nil, 65, "21408"),
      ("+15005550004", nil, 65, "21610"), ("+15005550009", nil, 65, "21614"), (Bench.to, "+15005550001", 65, "21212"),
      (Bench.to, "+15005550007", 65, "21606"), (Bench.to, "+15005550008", 75, "21611"),
      (Bench.to, "+15005550006", 0, ""),
    ] as [(String, String?, Int32, String)]
  )
  func magicNumbers(to: String, from: String?, code: Int32, providerCode: String) async throws {
    let result = try await Smsq.run(["send", "--to", to, "--text", "hi"] + (from.map { ["--from", $0] } ?? []))
    #expect(result.code == code)
    #expect(code == 0 || result.note.contains(providerCode))
    #expect(result.note.split(separator: "\n").count == (code == 0 ? 0 : 1))
  }

  @Test("A lost answer is neither yes nor no: 75, and it says so")
  func lostAnswer() async throws {
    let result = try await Smsq.run(["send", "--sim-drop", "1"] + Bench.message)
    #expect(result.code == 75)
    #expect(result.note.contains("may have been sent or not"))
  }

  @Test(
    "A bad message is 65, a bad simulator 64",
    arguments: [(["--to", "x"], 65), (["--sim-fail", "2"], 64)] as [([String], Int32)]
  )
  func refused(arguments: [String], code: Int32) async throws {
    let result = try await Smsq.run(["send"] + (code == 65 ? ["--text", "hi"] : Bench.message) + arguments)
    #expect(result.code == code)
    #expect(result.stdout == "")
  }
}
