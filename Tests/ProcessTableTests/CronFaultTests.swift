import Foundation
import GRDB
import MessageQueue
import ProcessTable
import RedisClient
import TestSupport
import Testing

/// The real binary, killed and starved.
@Suite(.serialized) struct CronFaultTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  private func cron(_ arguments: String...) throws -> SmsqProcess {
    try SmsqProcess(["cron", "--database", database.path] + arguments)
  }

  @Test func `Ten thousand rows by four processes are each done exactly once`() async throws {
    try await database.addSends(10_000)
    let runs = try (0..<4).map { _ in try cron("--outbox", "--json", "--max-runtime", "10m") }
    var done: [Int] = []
    for run in runs {
      let result = try await run.end(within: .seconds(600))
      #expect(result.status == 0 && result.errors == "")
      let summary = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
      done.append(summary?["done"] as? Int ?? 0)
    }
    #expect(done.reduce(0, +) == 10_000)
    #expect(try await database.count("state = 'done' AND attempts = 1 AND crashes = 0") == 10_000)
    #expect(try await database.values("SELECT count(*) FROM message WHERE repeats = 0") == [10_000])
  }

  @Test func `A gateway that throttles takes no row a try`() async throws {
    try await database.addSends(60)
    try await eventually(within: .seconds(60), "all are done") {
      // A run may leave rows to the next one.
      _ = try await cron("--sim-rate", "30", "--max-attempts", "1").end()
      return try await database.count("state <> 'done'") == 0
    }
    #expect(try await database.count("state = 'done' AND attempts = 1") == 60)
  }

  @Test func `A gateway that fails every try is left to the next run, and costs no row its last try`() async throws {
    try await database.addSends(60)
    let result = try await cron("--sim-fail", "1", "--max-attempts", "2").end()
    #expect(result.status == 69)
    #expect(result.errors.contains("the gateway fails every try"))
    #expect(try await database.count("state = 'waiting'") == 60)
    #expect(try await database.count("attempts > 0") < 20)
    #expect(try await cron("--max-attempts", "2").end().status == 0)
  }

  @Test func `What may have been sent is tried again`() async throws {
    try await database.addSends(2)
    #expect(try await cron("--sim-drop", "1").end().status == 75)
    #expect(try await database.count("state = 'waiting' AND attempts = 1") == 2)
  }

  @Test func `What may have been sent is dead with --on-unknown hold`() async throws {
    try await database.addSends(2)
    #expect(try await cron("--sim-drop", "1", "--on-unknown", "hold").end().status == 65)
    #expect(try await database.count("state = 'dead' AND last_error LIKE 'unknown: %'") == 2)
  }

  @Test func `A killed run loses nothing, and only what it had in hand is done twice`() async throws {
    try await database.addSends(400)
    let killed = try (0..<2).map { _ in
      try cron("--outbox", "--sim-latency", "10ms..50ms", "--lease", "2s", "--max-crashes", "100")
    }
    for (number, run) in killed.enumerated() {
      try await eventually("rows are done") { try await database.count("state = 'done'") >= 60 * (number + 1) }
      run.kill(SIGKILL)
      #expect(try await run.end().status == -SIGKILL)
    }
    #expect(try await database.count("state = 'running'") > 0)
    try await eventually(within: .seconds(60), "the rest is done") {
      // Many crashes are allowed, because a busy machine may hold up a run for longer than this short a lease.
      _ = try await cron("--outbox", "--lease", "2s", "--max-crashes", "100").end()
      return try await database.count("state <> 'done'") == 0
    }
    #expect(try await database.values("SELECT count(*) FROM message") == [400])
    // Twice only after a crash, and never silently: the table says of each such row that its run was killed.
    let doubles =
      "SELECT count(*) FROM message JOIN process ON idempotency_key = message.id WHERE repeats > process.crashes"
    #expect(try await database.values(doubles) == [0])
    #expect(try await database.count("crashes > 0") > 0)
  }

  @Test func `A killed run's commands are run again, each as often as its row has counted`() async throws {
    for _ in 0..<40 {
      try await database.addCommand(["sh", "-c", "echo $PROCESS_ID >> '\(database.directory)/log'; sleep 0.1"])
    }
    let run = try cron("--lease", "2s", "--processes", "5")
    try await eventually("some are done") { try await database.count("state = 'done'") >= 10 }
    run.kill(SIGKILL)
    _ = try await run.end()
    try await eventually(within: .seconds(60), "the rest is done") {
      _ = try await cron("--lease", "2s", "--max-crashes", "100").end()
      return try await database.count("state <> 'done'") == 0
    }
    let log = try String(contentsOfFile: "\(database.directory)/log", encoding: .utf8)
    let runs = Dictionary(log.split(separator: "\n").map { (String($0), 1) }, uniquingKeysWith: +)
    let allowed = try await database.values("SELECT id || ' ' || (1 + crashes) FROM process", as: String.self)
    for pair in allowed.map({ $0.split(separator: " ").map(String.init) }) {
      #expect((1...(Int(pair[1]) ?? 0)).contains(runs[pair[0]] ?? 0), "row \(pair[0])")
    }
    #expect(try await database.count("crashes > 0") <= 40)
  }

  @Test func `An overlapping minute takes other rows`() async throws {
    for _ in 0..<20 {
      try await database.addCommand(["sh", "-c", "echo $PROCESS_ID >> '\(database.directory)/log'; sleep 1"])
    }
    let first = try cron()
    try await eventually("the first minute is at work") { try await database.count("state = 'running'") == 10 }
    let second = try cron()
    #expect(try await first.end() == SmsqProcess.Result(status: 0, output: "", errors: ""))
    #expect(try await second.end() == SmsqProcess.Result(status: 0, output: "", errors: ""))
    let log = try String(contentsOfFile: "\(database.directory)/log", encoding: .utf8)
    #expect(log.split(separator: "\n").compactMap { Int($0) }.sorted() == Array(1...20))
  }

  @Test func `A queue row is pushed once, however often its run is killed`() async throws {
    let server = try await RedisServer.shared()
    let redis = server.connection()
    let name = "outbox-\(UUID().uuidString)"
    let queue = MessageQueue(try #require(QueueName(name)), on: redis)
    try await database.addSends(3000, action: .queue)
    try await database.execute("UPDATE process SET parameters = json_set(parameters, '$.queue', ?)", [name])

    // Killed at once and killed later, until one run is left to end by itself.
    for done in stride(from: 1, through: 2001, by: 400) {
      let run = try cron("--redis", server.url, "--lease", "1s", "--max-crashes", "100")
      try await eventually("rows are done") { try await database.count("state = 'done'") >= done }
      run.kill(SIGKILL)
      _ = try await run.end()
    }
    try await eventually(within: .seconds(60), "the rest is done") {
      _ = try await cron("--redis", server.url, "--lease", "1s", "--max-crashes", "100").end()
      return try await database.count("state <> 'done'") == 0
    }
    let ids = try await queue.peek(5000).map { element in
      let message = try JSONSerialization.jsonObject(with: Data(element.payload)) as? [String: Any]
      return message?["id"] as? String ?? ""
    }
    #expect(ids.count == 3000 && Set(ids).count == 3000)
    #expect(try await database.count("crashes > 0") > 0)

    // The moment that matters, by hand: pushed, and killed before the mark.
    try await database.execute("UPDATE process SET state = 'running', owner = 'killed', lease_until = 0 WHERE id <= 50")
    // These may have been in hand at several of the kills before.
    let result = try await cron("--redis", server.url, "--max-crashes", "100").end()
    #expect(result.status == 0 && result.errors.contains("it is not pushed twice"), "\(result)")
    #expect(!result.errors.contains("done twice"), "\(result)")
    #expect(try await database.count("state = 'done'") == 3000)
    #expect(try await queue.peek(5000).count == 3000)
  }

  @Test func `Rows that are pushed together each get their own queue's answer`() async throws {
    let server = try await RedisServer.shared()
    let redis = server.connection()
    let prefix = "outbox-\(UUID().uuidString)-"
    // Queues 0 and 2 take messages; 1 is a key that something else made.
    _ = try await redis.run(RedisCommand("SET", "\(prefix)1", "no list"))
    try await database.addSends(900, action: .queue)
    try await database.execute(
      "UPDATE process SET parameters = json_set(parameters, '$.queue', ? || (id % 3))",
      [prefix]
    )
    let result = try await cron("--redis", server.url, "--processes", "700").end()
    #expect(result.status == 75, "\(result)")
    for number in [0, 2] {
      let queue = MessageQueue(try #require(QueueName("\(prefix)\(number)")), on: redis)
      #expect(try await queue.peek(1000).count == 300)
      #expect(try await database.count("state = 'done' AND id % 3 = \(number)") == 300)
    }
    let refused = "state = 'waiting' AND attempts > 0 AND last_error LIKE '%WRONGTYPE%' AND id % 3 = 1"
    #expect(try await database.count(refused) == 300)
  }

  @Test func `Rows of a queue that Redis forbids do not hold up those of others`() async throws {
    let server = try await RedisServer(tcp: true)
    let redis = server.connection()
    _ = try await redis.run(RedisCommand("ACL", "SETUSER", "shop", "on", ">secret", "~*open*", "+@all"))
    // More of the forbidden ones than a run has in hand at once, and due before the others.
    try await database.addSends(20, action: .queue)
    try await database.execute(
      "UPDATE process SET parameters = json_set(parameters, '$.queue', CASE WHEN id <= 15 THEN 'closed' ELSE 'open' END)"
    )
    let url = server.url.replacingOccurrences(of: "redis://", with: "redis://shop:secret@")
    let result = try await cron("--redis", url).end()
    #expect(result == SmsqProcess.Result(status: 75, output: "", errors: ""))
    #expect(try await MessageQueue(try #require(QueueName("open")), on: redis).peek(100).count == 5)
    let refused = "state = 'waiting' AND attempts = 1 AND last_error LIKE '%NOPERM%' AND id <= 15"
    #expect(try await database.count(refused) == 15)
  }

  @Test func `An absent Redis costs no attempts, and is told once`() async throws {
    try await database.addSends(50, action: .queue)
    try await database.addCommand(["true"])
    let result = try await cron("--redis", "unix:///tmp/no-such-redis.sock").end()
    #expect(result.status == 69)
    #expect(result.errors.split(separator: "\n").count == 2, "\(result.errors)")
    #expect(result.errors.contains("queue rows were left for the next run: cannot reach Redis"))
    #expect(try await database.count("state = 'waiting' AND attempts = 0") == 50)
    #expect(try await database.count("state = 'done'") == 1)
  }

  @Test(.enabled(if: FullDisk.isPossible, "mounting takes root"))
  func `A full disk is a clear error before anything is sent, and nothing is lost`() async throws {
    let disk = try FullDisk()
    let database = try TestDatabase(in: disk.path)
    try await database.addSends(100)
    try disk.fill()
    let result = try await SmsqProcess.run("cron", "--database", database.path)
    #expect(result.status == 75, "\(result)")
    #expect(result.errors.contains("make room on the disk"), "\(result.errors)")
    #expect(try await database.count("state = 'waiting' AND attempts = 0") == 100)
    let add = try await SmsqProcess.run(
      "table",
      "add",
      "--database",
      database.path,
      "--file",
      "-",
      input: lines(3000)
    )
    #expect(add.status == 75 && add.errors.contains("0 rows added; line 1 and all after it were not"), "\(add)")

    try disk.makeRoom()
    #expect(try await SmsqProcess.run("cron", "--database", database.path).status == 0)
    #expect(try await database.count("state = 'done' AND attempts = 1") == 100)
  }

  private func lines(_ count: Int) -> String {
    (0..<count).map { #"{"to":"+86138\#(10_000_000 + $0)","text":"x"}"# + "\n" }.joined()
  }

  @Test func `A disk that fills up in the middle of a run loses nothing, and what may run twice is named`() async throws
  {
    try await database.addSends(2000)
    // A limit on the size of files stands in for the disk: SQLite's write fails in the middle of the run.
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f \(try blocks() + 400); exec \"$@\"", "sh"]
    let result = try await SmsqProcess.run("cron", "--database", database.path, "--lease", "1s", through: limited)
    #expect(result.status == 69, "\(result)")
    #expect(result.errors.contains("is the disk full or failing?"), "\(result.errors)")
    #expect(result.errors.contains("could not be recorded"), "\(result.errors)")
    let done = try await database.count("state = 'done'")
    #expect(done > 0 && done < 2000)
    #expect(try await database.values("PRAGMA integrity_check", as: String.self) == ["ok"])

    try await eventually(within: .seconds(60), "with room again, all is done") {
      _ = try await cron().end()
      return try await database.count("state <> 'done'") == 0
    }
    #expect(try await database.count("crashes > 0") <= 10)
  }

  /// The size of the largest of the database's files, in the blocks of 512 bytes that sh's ulimit counts.
  private func blocks() throws -> Int {
    let sizes = try ["", "-wal"].map { suffix in
      try FileManager.default.attributesOfItem(atPath: database.path + suffix)[.size] as? Int ?? 0
    }
    return (sizes.max() ?? 0) / 512
  }

  @Test func `A file that may not be written is a clear error, and can still be read`() async throws {
    try await database.addSends(1)
    try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: database.path)
    try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: database.directory)
    defer { try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: database.directory) }
    // Permissions do not bind root, so root becomes nobody for this, with a copy of the binary that nobody can reach.
    let binary = "/tmp/smsq-\(UUID().uuidString)"
    try FileManager.default.copyItem(atPath: SmsqProcess.binary, toPath: binary)
    defer { try? FileManager.default.removeItem(atPath: binary) }
    let nobody = getuid() == 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []
    let result = try await SmsqProcess.run("cron", "--database", database.path, through: nobody, binary: binary)
    #expect(result.status == 77, "\(result)")
    let stats = try await SmsqProcess.run(
      "table",
      "stats",
      "--database",
      database.path,
      through: nobody,
      binary: binary
    )
    #expect(stats.status == 0 && stats.output.hasPrefix("waiting  1"), "\(stats)")
    #expect(result.errors.contains("let this user write the file and its directory"), "\(result.errors)")
    let add = try await SmsqProcess.run(
      "table",
      "add",
      "--database",
      database.path,
      "--to",
      "+8613800138000",
      "--text",
      "x",
      through: nobody,
      binary: binary
    )
    #expect(add.status == 77, "\(add)")
    #expect(try await database.count("state = 'waiting'") == 1)
  }
}
