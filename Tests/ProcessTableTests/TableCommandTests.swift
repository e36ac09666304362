import Foundation
import GRDB
import MessageQueue
import TestSupport
import Testing

@Suite struct TableCommandTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  private func smsq(_ arguments: String..., input: String = "") async throws -> SmsqProcess.Result {
    try await SmsqProcess(arguments + ["--database", database.path], input: input).end()
  }

  private func parameters() async throws -> [[String: Any]] {
    try await database.values("SELECT parameters FROM process ORDER BY id", as: String.self).map {
      try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
    }
  }

  @Test func `A file of users and a template make a message for each, whatever is in their names`() async throws {
    let users = #"""
      to,Name,order
      +8613800138001,"O'Neil; rm -rf / ""x""",1
      +8613800138002,{order},
      12,Bob,3
      +8613800138004,"two
      lines",4

      """#
    let text = "{{Dear}} {name}: {Order}."
    let result = try await smsq("table", "add", "--file", "-", "--text", text, input: users)
    #expect(result.status == 65)
    #expect(result.output == "3 rows added, 1 lines refused\n")
    #expect(result.errors.hasPrefix("smsq: line 4: '12' has no country code"))
    #expect(
      try await parameters().map { $0["text"] as? String }
        == ["{Dear} O'Neil; rm -rf / \"x\": 1.", "{Dear} {order}: .", "{Dear} two\nlines: 4."]
    )
    #expect(try await parameters().allSatisfy { $0["order"] == nil })
  }

  @Test func `A column that is not there is an error before anything is added`() async throws {
    let result = try await smsq(
      "table",
      "add",
      "--file",
      "-",
      "--text",
      "{nix}",
      input: "to,name\n+8613800138001,Ann\n"
    )
    #expect(result.status == 65)
    #expect(result.errors.contains("the header has no column 'nix', only: to, name"))
  }

  @Test func `A JSON line that lacks a column is named`() async throws {
    let users =
      #"{"to":"+8613800138001","name":"Ann","Points":17}"# + "\n" + #"{"to":"+8613800138002","points":1}"# + "\n"
    let result = try await smsq("table", "add", "--file", "-", "--text", "{name} {points}", input: users)
    #expect(result.status == 65)
    #expect(result.errors == "smsq: line 2: there is no 'name' for {name}, only: points, to\n")
    #expect(try await parameters().map { $0["text"] as? String } == ["Ann 17"])
  }

  @Test func `Strict adds nothing of a file with a bad line, also from a pipe`() async throws {
    let users = "to,text\n+8613800138001,a\n12,b\n"
    let result = try await smsq("table", "add", "--strict", "--file", "-", input: users)
    #expect(result.status == 65 && result.errors.contains("line 3:") && result.errors.contains("nothing was added"))
    #expect(try await database.count("true") == 0)
    let piped = try await SmsqProcess.run(
      "table",
      "add",
      "--strict",
      "--file",
      "/dev/stdin",
      "--database",
      database.path,
      through: ["sh", "-c", #"printf 'to,text\n+8613800138001,a\n' | "$0" "$@""#]
    )
    #expect(piped == SmsqProcess.Result(status: 0, output: "1 rows added\n", errors: ""))
    #expect(try await database.count("true") == 1)
  }

  @Test func `A file of users and a program make a command for each, without a shell`() async throws {
    let users = #"{"to":"+86138","name":"$(id); \"'\n"}"# + "\n"
    let result = try await SmsqProcess.run(
      "table",
      "add",
      "--database",
      database.path,
      "--file",
      "-",
      "--",
      "printf",
      "<%s>",
      "{to}",
      "Dear {name}",
      input: users
    )
    #expect(result == SmsqProcess.Result(status: 0, output: "1 rows added\n", errors: ""))
    #expect(try await smsq("cron").status == 0)
    let row = try #require(try await database.table.row(1))
    #expect(row.output == "<+86138><Dear $(id); \"'\n>")
    #expect(try await parameters()[0]["stdin"] as? String == users)
  }

  @Test func `A program reads its JSON line as it is written, and a CSV record as an object`() async throws {
    let line = #"{"To":"+86138", "n":1.10,"big":12345678901234567890,"none":null,"deep":{"x":[1]},"ok":true}"#
    let add = ["table", "add", "--file", "-", "--database", database.path, "--", "cat"]
    #expect(try await SmsqProcess(add + ["{to} {n} {big}"], input: line + "\r\n").end().status == 0)
    #expect(try await SmsqProcess(add, input: "to,Name,none\n+86139,Ann,\n").end().status == 0)
    #expect(try await parameters()[0]["argv"] as? [String] == ["cat", "+86138 1.10 12345678901234567890"])
    try await database.execute("UPDATE process SET parameters = json_set(parameters, '$.argv', json_array('cat'))")
    #expect(try await smsq("cron").status == 0)
    #expect(
      try await database.values("SELECT output FROM process ORDER BY id", as: String.self) == [
        line + "\n", #"{"name":"Ann","to":"+86139"}"# + "\n",
      ]
    )
  }

  @Test(arguments: [
    (#"{"to":"+8613800138001","name":"a","to":"+8613800138002"}"#, "'to' is there twice"),
    (#"{"to":"+8613800138001","name":"a","To":"+8613800138002"}"#, "'to' and 'To' are one column"),
    (#"{"to":"+8613800138001","name":"a","NAME":null}"#, "'name' and 'NAME' are one column"),
    (#"{"to":"+8613800138001","name":"a",}"#, "not valid JSON"), (#""to""#, "does not start with {"),
  ])
  func `A JSON line of which two readings are possible makes no row`(line: String, reason: String) async throws {
    let add = ["table", "add", "--file", "-", "--format", "jsonl", "--database", database.path]
    for more in [["--text", "Dear {name}"], ["--", "send", "{to}"]] {
      let result = try await SmsqProcess(add + more, input: line).end()
      #expect(result.status == 65 && result.errors.hasPrefix("smsq: line 1: "), "\(result)")
      #expect(result.errors.contains(reason), "\(result)")
    }
    #expect(try await database.count("true") == 0)
  }

  @Test func `A JSON line for a queue keeps its bytes, and names its queue`() async throws {
    let lines =
      #"{"to":"+8613800138001","text":"a","id":"1","queued_at":"2026-01-01T00:00:00Z","deep":{"x":1.10}}"# + "\n"
      + #"{"to":"+8613800138001","text":"a","id":"2","queued_at":"2026-01-01T00:00:00Z","queue":"own"}"# + "\n"
    let result = try await smsq("table", "add", "--action", "queue", "--queue", "otp", "--file", "-", input: lines)
    #expect(result.status == 0)
    let written = try await database.values("SELECT parameters FROM process ORDER BY id", as: String.self)
    let expected = lines.split(separator: "\n").map(String.init)
    #expect(
      written == [expected[0].replacingOccurrences(of: "{\"to\"", with: "{\"queue\":\"otp\",\"to\""), expected[1]]
    )
  }

  @Test func `A sender that no message may have is told once, and nothing is added`() async throws {
    let add = ["table", "add", "--from", "much too long a name", "--database", database.path]
    let one = try await SmsqProcess(add + ["--to", "+8613800138000", "--text", "x"]).end()
    #expect(one.status == 65 && one.errors.contains("is no sender"), "\(one)")
    let lines = String(repeating: #"{"to":"+8613800138001","text":"a"}"# + "\n", count: 3)
    let many = try await SmsqProcess(add + ["--file", "-"], input: lines).end()
    #expect(many.status == 64 && many.errors.contains("--from: ") && !many.errors.contains("line 1"), "\(many)")
    #expect(try await database.count("true") == 0)
  }

  @Test func `The same id is added once`() async throws {
    let add = [
      "table", "add", "--to", "+8613800138000", "--text", "x", "--id", "order-17", "--database", database.path,
    ]
    #expect(try await SmsqProcess(add).end().output == "1\n")
    let again = try await SmsqProcess(add + ["--json"]).end()
    #expect(again.status == 0 && again.output == "{\"status\":\"duplicate\"}\n")
    #expect(try await database.count("true") == 1)
  }

  @Test func `Lines of a file whose ids are there already are named, and left out`() async throws {
    func line(_ id: String) -> String { #"{"to":"+8613800138001","text":"hi","id":"\#(id)"}"# + "\n" }
    let file = line("a") + "\n" + line("b") + line("a") + line("c")
    #expect(
      try await smsq("table", "add", "--file", "-", input: file).output
        == "3 rows added, 1 left out because their ids are there already (line 4)\n"
    )
    let again = try await smsq("table", "add", "--file", "-", "--json", input: file)
    #expect(again.status == 0)
    #expect(again.output.contains(#""duplicate_lines":[1,3,4,5]"#) && again.output.contains(#""added":0"#))
  }

  @Test func `An id of a removed row is never used again`() async throws {
    try await database.addSends(2)
    _ = try await smsq("table", "remove", "2")
    try await database.addSends(2)
    #expect(try await database.values("SELECT count(*) FROM process WHERE id = 2") == [0])
  }

  @Test func `Rows are listed, shown, tried again, removed and counted`() async throws {
    for script in ["exit 0", "exit 75", "exit 1"] { try await database.addCommand(["sh", "-c", script]) }
    let cron = try await smsq("cron")
    #expect(cron.status == 65)
    #expect(
      cron.errors.hasPrefix("smsq: row 3 is dead: 'sh' exited with 1\nsmsq: 1 rows done, 1 to be tried again, 1 dead")
    )

    let list = try await smsq("table", "list", "--state", "dead")
    #expect(list.output.hasPrefix("3 dead command attempts=1 exit=1 finished="))
    #expect(try await smsq("table", "list", "--json").output.split(separator: "\n").count == 3)
    #expect(try await smsq("table", "show", "2").output.contains("last error   'sh' exited with 75: try again"))
    #expect(try await smsq("table", "show", "9").status == 65)

    let stats = try await smsq("table", "stats", "--json").output
    #expect(stats.contains(#""dead":1,"done":1,"due":"#) && stats.contains(#""waiting":1"#))
    #expect(
      try await smsq("table", "retry", "1", "2", "3").errors
        == "smsq: left as they are: 1; there is no such row, or it is running or done\n"
    )
    #expect(try await database.count("state = 'waiting' AND attempts = 0") == 2)
    #expect(try await smsq("table", "remove", "--state", "done").output == "1 rows removed\n")
  }

  @Test func `What rows and books hold does not reach a terminal as commands to it`() async throws {
    let payload = #"{"to":"+8613800138000","text":"a\u001b[2Jb\nc","queued_at":"2026-01-01T00:00:00Z","id":"i"}"#
    try await database.execute("INSERT INTO process (parameters) VALUES (?)", [payload])
    try await database.addCommand(["printf", "x\u{1B}[2J\r\ny"])
    try await database.addCommand(["\u{1B}[2J\u{202E}none"])
    _ = try await smsq("cron", "--outbox")
    let outputs = try await [
      smsq("outbox", "list"), smsq("table", "list"), smsq("table", "show", "2"), smsq("table", "show", "3"),
    ].map(\.output)
    for output in outputs { #expect(!output.contains { "\u{1B}\u{202E}".contains($0) }, "\(output)") }
    #expect(outputs[0].hasSuffix(#"a\u001b[2Jb⏎c"# + "\n"), "\(outputs)")
    #expect(outputs[1].contains(#"error='\u001b[2J\u202enone' could not be run"#), "\(outputs)")
    #expect(outputs[2].hasSuffix("  output\nx" + #"\u001b[2J"# + "\ny\n"), "\(outputs)")
  }

  @Test func `A worker whose books have no place ends with what tells a supervisor to let it be`() async throws {
    let result = try await SmsqProcess.run("worker", "--outbox", "--database", "/missing/x.db")
    #expect(result.status == 78 && result.errors.contains("there is no directory"), "\(result)")
  }

  @Test func `A row that failed for now says nothing to cron's mail, and its exit code does`() async throws {
    try await database.addCommand(["sh", "-c", "exit 75"])
    #expect(try await smsq("cron") == SmsqProcess.Result(status: 75, output: "", errors: ""))
    try await database.execute("UPDATE process SET due_at = due_at + 1000000")
    #expect(try await smsq("cron") == SmsqProcess.Result(status: 0, output: "", errors: ""))
  }

  @Test func `A database that is not there is not made by cron`() async throws {
    let path = "\(database.directory)/other.db"
    let result = try await SmsqProcess.run("cron", "--database", path)
    #expect(result.status == 69 && result.errors.contains("there is no database \(path)"))
    #expect(!FileManager.default.fileExists(atPath: path))
    #expect(try await SmsqProcess.run("table", "init", "--database", path).output == "\(path)\n")
    #expect(
      try await SmsqProcess.run("cron", "--database", path) == SmsqProcess.Result(status: 0, output: "", errors: "")
    )
  }

  @Test func `A database is made once, by however many at the same moment`() async throws {
    // Many times: one time in twenty they get into each other's way, if nothing keeps them from it.
    for round in 0..<40 {
      let path = "\(database.directory)/new\(round).db"
      let makers = try (0..<8).map { _ in try SmsqProcess(["table", "init", "--database", path]) }
      for maker in makers {
        #expect(try await maker.end() == SmsqProcess.Result(status: 0, output: "\(path)\n", errors: ""))
      }
    }
    let missing = try await SmsqProcess.run("table", "init", "--database", "\(database.directory)/no/new.db")
    #expect(missing.status == 69 && missing.errors.contains("there is no directory"), "\(missing)")
  }

  @Test func `A file that is no database is left alone`() async throws {
    let path = "\(database.directory)/notes.txt"
    try String(repeating: "no database\n", count: 1000).write(toFile: path, atomically: false, encoding: .utf8)
    let result = try await SmsqProcess.run("cron", "--database", path)
    #expect(result.status == 78, "\(result)")
    #expect(FileManager.default.contents(atPath: path)?.count == 12_000)
  }

  @Test func `The database of another application is left as it is, until table init makes it smsq's, too`()
    async throws
  {
    let path = "\(database.directory)/shop.db"
    let application = try DatabaseQueue(path: path)
    try await application.write { db in try db.execute(sql: "CREATE TABLE orders (id INTEGER PRIMARY KEY)") }
    let before = FileManager.default.contents(atPath: path)
    for command in [["cron"], ["table", "retry", "1"], ["table", "remove", "1"], ["table", "stats"]] {
      let result = try await SmsqProcess(command + ["--database", path]).end()
      #expect(result.status == 78 && result.errors.contains("lacks smsq's tables"), "\(result)")
    }
    #expect(FileManager.default.contents(atPath: path) == before)
    #expect(!FileManager.default.fileExists(atPath: path + "-wal"))

    #expect(try await SmsqProcess.run("table", "init", "--database", path).status == 0)
    #expect(try await SmsqProcess.run("cron", "--database", path).status == 0)
  }

  @Test func `What an application's own foreign keys miss is no matter of table init's`() async throws {
    let path = "\(database.directory)/shop.db"
    var configuration = Configuration()
    configuration.foreignKeysEnabled = false
    let application = try DatabaseQueue(path: path, configuration: configuration)
    try await application.write { db in
      try db.execute(
        sql: """
          CREATE TABLE customer (id INTEGER PRIMARY KEY);
          CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer);
          INSERT INTO orders (customer) VALUES (17);
          """
      )
    }
    let result = try await SmsqProcess.run("table", "init", "--database", path)
    #expect(result == SmsqProcess.Result(status: 0, output: "\(path)\n", errors: ""))
  }

  @Test func `A gateway's program that is missing is told before any row is touched`() async throws {
    try await database.addCommand(["true"])
    let result = try await smsq("cron", "--gateway", "command:/no/such/program")
    #expect(result.status == 78 && result.errors.contains("'/no/such/program' cannot be started"), "\(result)")
    #expect(try await database.count("state = 'waiting' AND attempts = 0") == 1)
  }

  @Test func `Parameters that are no UTF-8 are dead, whatever they ask for, and never repaired`() async throws {
    let server = try await RedisServer.shared()
    let name = "latin-\(UUID().uuidString)"
    let latin =
      Array(#"{"to":"+8613800138000","argv":["echo"],"queue":"\#(name)","text":"caf"#.utf8) + [0xE9, 0x22, 0x7D]
    for action in ["send", "queue", "command"] {
      try await database.execute(
        "INSERT INTO process (action, parameters) VALUES (?, CAST(? AS TEXT))",
        [action, Data(latin)]
      )
    }
    let result = try await smsq("cron", "--outbox", "--redis", server.url)
    #expect(result.status == 65, "\(result)")
    #expect(try await database.count("state = 'dead' AND last_error LIKE '%not valid UTF-8%'") == 3, "\(result)")
    #expect(try await database.values("SELECT count(*) FROM message") == [0])
    #expect(try await MessageQueue(try #require(QueueName(name)), on: server.connection()).peek(1).isEmpty)
  }

  @Test func `A text of more segments than are allowed gets no row, and one that an application wrote is dead`()
    async throws
  {
    let server = try await RedisServer.shared()
    let name = "long-\(UUID().uuidString)"
    let text = String(repeating: "a", count: 161)
    let reason = "the text takes 2 segments and --max-segments is 1: shorten it, send several messages, or allow more"
    for action in ["send", "queue"] {
      let add = try await smsq(
        "table",
        "add",
        "--action",
        action,
        "--to",
        "+8613800138000",
        "--text",
        text,
        "--max-segments",
        "1"
      )
      #expect(add == SmsqProcess.Result(status: 65, output: "", errors: "smsq: \(reason)\n"))
      try await database.execute(
        "INSERT INTO process (action, parameters) VALUES (?, ?)",
        [action, #"{"queue":"\#(name)","to":"+8613800138000","text":"\#(text)"}"#]
      )
    }
    let result = try await smsq("cron", "--outbox", "--redis", server.url, "--max-segments", "1")
    #expect(result.status == 65, "\(result)")
    #expect(try await database.count("state = 'dead' AND last_error = 'text_too_long: \(reason)'") == 2, "\(result)")
    #expect(try await database.values("SELECT count(*) FROM message") == [0])
    #expect(try await MessageQueue(try #require(QueueName(name)), on: server.connection()).peek(1).isEmpty)
  }

  @Test func `A key that is no id for a message matters only where the message has none of its own`() async throws {
    let server = try await RedisServer.shared()
    let name = "key-\(UUID().uuidString)"
    for (action, id) in [("queue", #","id":"own""#), ("queue", ""), ("send", #","id":"own""#), ("send", "")] {
      try await database.execute(
        "INSERT INTO process (action, parameters, idempotency_key) VALUES (?, ?, ?)",
        [action, #"{"queue":"\#(name)","to":"+8613800138000","text":"x"\#(id)}"#, "\(action)\n\(id)"]
      )
    }
    let result = try await smsq("cron", "--redis", server.url)
    #expect(result.status == 65, "\(result)")
    #expect(try await database.count("state = 'done' AND id IN (1, 3)") == 2)
    #expect(try await database.count("state = 'dead' AND last_error LIKE 'invalid_id: %' AND id IN (2, 4)") == 2)
    #expect(try await MessageQueue(try #require(QueueName(name)), on: server.connection()).peek(9).count == 1)
  }

  @Test func `A database of UTF-16 is read as any other`() async throws {
    let path = "\(database.directory)/utf16.db"
    let application = try DatabaseQueue(path: path)
    try await application.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA encoding = 'UTF-16'; CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    }
    let add = ["table", "add", "--to", "+8613800138000", "--text", "你好", "--id", "order-17", "--database", path]
    #expect(try await SmsqProcess(add).end().status == 0)
    let cron = try await SmsqProcess.run("cron", "--outbox", "--database", path)
    #expect(cron == SmsqProcess.Result(status: 0, output: "", errors: ""))
    let sent = try await SmsqProcess.run("outbox", "list", "--database", path).output
    #expect(sent.hasSuffix(" order-17 +8613800138000 你好\n"), "\(sent)")
  }

  @Test func `An expired message is neither sent nor dead`() async throws {
    let payload = #"{"to":"+8613800138000","text":"x","expires_at":"2020-01-01T00:00:00Z"}"#
    try await database.execute("INSERT INTO process (parameters) VALUES (?)", [payload])
    #expect(try await smsq("cron", "--outbox") == SmsqProcess.Result(status: 0, output: "", errors: ""))
    #expect(try await database.count("state = 'expired'") == 1)
    #expect(try await database.values("SELECT count(*) FROM message") == [0])
  }
}
