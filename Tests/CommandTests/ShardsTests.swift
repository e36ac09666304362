import Foundation
import MessageQueue
import TestSupport
import Testing

@Suite("smsq shards, and the other commands on a queue of several")
struct ShardsTests {
  private func sharded(_ count: Int) async throws -> Bench {
    let bench = try await Bench()
    #expect(try await bench.smsq("shards", "\(count)").code == 0)
    return bench
  }

  private func lengths(_ bench: Bench, _ count: Int) async throws -> [Int] {
    var lengths: [Int] = []
    for shard in 0..<count {
      lengths.append(try await bench.queue.sharded.shard(shard).inspect().waiting)
    }
    return lengths
  }

  private func line(_ number: Int, id: Bool = false) -> String {
    let end = id ? #","id":"m\#(number)"}"# : "}"
    return #"{"to":"\#(Bench.to)","text":"n\#(number)""# + end
  }

  @Test("It shows the number and changes it, for people and for scripts")
  func shows() async throws {
    let bench = try await Bench()
    let name = bench.queue.name.description
    #expect(try await bench.smsq("shards").output == "queue \(name) has 1 shard, its list \(name)")
    #expect(try await bench.queue.dump().values.isEmpty)
    let grown = try await bench.smsq("shards", "4")
    #expect(grown.code == 0 && grown.stderr == "")
    #expect(grown.output == "queue \(name) has 4 shards: \(name), \(name).1 to \(name).3")
    let json = try await bench.smsq("shards", "--json").output.json
    #expect(json["shards"] as? Int == 4 && json["served"] as? Int == 4 && json["spread"] as? Int == 4)
    #expect(json["is_changing"] as? Bool == false)
    #expect(json["names"] as? [String] == [name, "\(name).1", "\(name).2", "\(name).3"])
    #expect(try await bench.smsq("shards", "2", "--json").output.json["shards"] as? Int == 2)
    try await bench.queue.run("SET {sms}:served 5")
    let between = try await bench.smsq("shards")
    #expect(between.output.contains("workers serve 5 shards, pushes are spread over 2"))
  }

  @Test(
    "What cannot be is refused, with why",
    arguments: [
      (["0"], 64, "1 to 128"), (["129"], 64, "1 to 128"), (["many"], 64, "many"), (["--wait", "1s"], 64, "--wait"),
    ]
  )
  func usage(arguments: [String], code: Int32, word: String) async throws {
    let bench = try await Bench()
    let result = try await bench.smsq(["shards"] + arguments)
    #expect(result.code == code && result.note.contains(word), "\(result)")
    #expect(try await bench.queue.dump().values.isEmpty)
  }

  @Test("A queue that works by itself is no shard, a shard has none, and what is left in the last ones is named")
  func refusals() async throws {
    let bench = try await sharded(2)
    let name = bench.queue.name
    let url = bench.server.url
    func smsq(_ arguments: String...) async throws -> ChildProcess.Result {
      try await Smsq.run([arguments[0], "--redis", url] + arguments.dropFirst())
    }
    #expect(try await smsq("push", "--queue", "\(name).3", "--to", Bench.to, "--text", "hi").code == 0)
    let queue = try await bench.smsq("shards", "4")
    #expect(queue.code == 78 && queue.note.contains("\(name).3 is a queue by itself: it has counters"), "\(queue)")
    let shard = try await smsq("shards", "--queue", "\(name).1", "2")
    #expect(shard.code == 64 && shard.note.contains("a shard of queue \(name)"), "\(shard)")

    try await bench.queue.run("LPUSH sms a")
    _ = try await bench.queue.redis.run(.init("LPUSH", "\(name).1", "b"))
    let full = try await bench.smsq("shards", "1", "--wait", "0s")
    #expect(full.code == 75 && full.note.contains("1 messages are left in \(name).1"), "\(full)")
    _ = try await bench.queue.redis.run(.init("DEL", "\(name).1"))
    _ = try await bench.queue.redis.run(.init("ZADD", "{\(name).1}:dead", "1", "x"))
    let dead = try await bench.smsq("shards", "1")
    #expect(dead.code == 75 && dead.note.contains("smsq dead retry --queue \(name).1"), "\(dead)")
  }

  @Test("A change that is killed on its way harms nobody, is shown, and goes on when it is repeated")
  func killed() async throws {
    let bench = try await sharded(3)
    let (name, url) = (bench.queue.name.description, bench.server.url)
    _ = try await bench.queue.redis.run(.init("LPUSH", "\(name).2", line(0)))
    let change = try ChildProcess(Smsq.path, ["shards", "--redis", url, "--queue", name, "1"])
    try await eventually("it waits") { change.stderr.contains("waiting for the last shards") }
    change.send(SIGKILL)
    _ = try await change.end()
    #expect(try await bench.smsq("shards").output.contains("workers serve 3 shards, pushes are spread over 1"))
    // Whoever pushes and works goes by what was reached.
    #expect(try await bench.smsq(["push"] + Bench.message).code == 0)
    #expect(try await lengths(bench, 3) == [1, 0, 1])
    let worker = try bench.worker("--lease", "1s")
    let again = try await bench.smsq("shards", "1")
    #expect(again.code == 0 && again.output.contains("has 1 shard"), "\(again)")
    try await worker.logs("shard-stopped", times: 2)
    #expect(try await lengths(bench, 3) == [0, 0, 0])
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
  }

  @Test("Redis that is not there: 69")
  func noRedis() async throws {
    let result = try await Smsq.run(["shards", "--redis", "unix:///nowhere/redis.sock", "2"])
    #expect(result.code == 69 && result.note.contains("repeat smsq shards --queue sms 2"), "\(result)")
  }

  @Test("push spreads a file evenly, in its order within each shard, and ids by their hash")
  func file() async throws {
    let bench = try await sharded(3)
    let input = (0..<3_000).map { line($0) }.joined(separator: "\n")
    let result = try await bench.smsq("push", "--file", "-", input: input)
    #expect(result.code == 0 && result.output == "3000 messages queued", "\(result)")
    #expect(try await lengths(bench, 3) == [1_000, 1_000, 1_000])
    for shard in 0..<3 {
      let texts = try await bench.queue.sharded.shard(shard).peek(1_000).map { element in
        Int((try String(decoding: element.payload, as: UTF8.self).json["text"] as? String ?? "").dropFirst()) ?? -1
      }
      #expect(texts == texts.sorted() && texts.count == 1_000)
    }
    let named = (0..<1_200).map { line($0, id: true) }.joined(separator: "\n")
    for (queued, duplicates) in [(1_200, 0), (0, 1_200)] {
      let again = try await bench.smsq("push", "--file", "-", "--json", input: named)
      #expect(try again.output.json["queued"] as? Int == queued, "\(again)")
      #expect(try again.output.json["duplicates"] as? Int == duplicates)
    }
    let spread = try await bench.queue.sharded.first.shardNumbers().spread
    let expected = (0..<3).map { shard in 1_000 + (0..<1_200).count { spread.shard(of: "m\($0)") == shard } }
    #expect(try await lengths(bench, 3) == expected)
  }

  @Test(
    "The number changes in the middle of a file: each line is in once, and what comes after goes by the new one",
    arguments: [false, true]
  )
  func changesMidFile(haveIDs: Bool) async throws {
    let bench = try await Bench()
    let push = try ChildProcess(
      Smsq.path,
      [
        "push", "--redis", bench.server.url, "--queue", bench.queue.name.description, "--file", "-", "--format",
        "jsonl",
      ],
      input: .open
    )
    var (written, known) = (0, [0])
    func write(_ count: Int) throws {
      try push.write((written..<written + count).map { line($0, id: haveIDs) + "\n" }.joined())
      written += count
    }
    try write(9_000)
    for number in [3, 6] {
      // Some wait to be read, and some in each lane, until there are enough for a call.
      let goal = written - 5_000
      try await eventually("the first ones are in") { try await lengths(bench, 6).reduce(0, +) >= goal }
      #expect(try await bench.smsq("shards", "\(number)").code == 0)
      known = try await lengths(bench, 6)
      try write(9_000)
    }
    try push.closeInput()
    let result = try await push.end()
    #expect(result.code == 0 && result.output == "27000 messages queued", "\(result)")
    let spread = try await bench.queue.sharded.first.shardNumbers().spread
    var texts: [Int] = []
    for shard in 0..<6 {
      let own = try await bench.queue.sharded.shard(shard).peek(30_000).map { element in
        Int((try String(decoding: element.payload, as: UTF8.self).json["text"] as? String ?? "").dropFirst()) ?? -1
      }
      // All behind those that were in when the number changed.
      let last = own.dropFirst(known[shard])
      #expect(Array(last) == last.sorted())
      if haveIDs { #expect(last.allSatisfy { spread.shard(of: "m\($0)") == shard }) }
      #expect(last.count > 1_000)
      texts += own
    }
    #expect(texts.sorted() == Array(0..<27_000))
  }

  @Test("A single push says which shard it is in, and its id is accepted once")
  func single() async throws {
    let bench = try await sharded(4)
    let arguments = ["push", "--id", "order-1", "--json"] + Bench.message
    let pushed = try await bench.smsq(arguments).output.json
    let shard = Spread(generation: 1, shards: 4).shard(of: "order-1")
    let name = bench.queue.name.shard(shard).description
    #expect(pushed["queue"] as? String == bench.queue.name.description && pushed["shard"] as? String == name)
    #expect(try await bench.smsq(arguments).output.json["status"] as? String == "duplicate")
    let plain = try await Bench()
    #expect(try await plain.smsq(["push", "--json"] + Bench.message).output.json["shard"] == nil)
  }

  @Test("--max-queue is for the whole queue, each shard taking its part; the lines that are not in are named")
  func maxQueue() async throws {
    let bench = try await sharded(2)
    let input = (0..<2_000).map { line($0) }.joined(separator: "\n")
    let result = try await bench.smsq("push", "--file", "-", "--max-queue", "1000", input: input)
    #expect(result.code == 75, "\(result)")
    #expect(result.note.contains("whose part of --max-queue 1000 is 500"), "\(result)")
    let lengths = try await lengths(bench, 2)
    #expect(lengths.allSatisfy { $0 <= 500 } && lengths.reduce(0, +) > 0)
    // What is in and what is not is the whole file.
    let queued = try #require(result.note.firstMatch(of: /(\d+) messages? queued/).flatMap { Int($0.1) })
    #expect(queued == lengths.reduce(0, +))
    let list = try #require(
      result.note.firstMatch(of: /lines ([\d, to]+) and all that begin after line (\d+) were not/)
    )
    var missing = 0
    for range in list.1.split(separator: ", ") {
      let bounds = range.split(separator: " to ").compactMap { Int($0) }
      missing += bounds[bounds.count - 1] - bounds[0] + 1
    }
    #expect(queued + missing == Int(list.2), "\(result.note)")
  }

  @Test("stats, peek, pause, dead and doctor show and act on the queue as one")
  func asOne() async throws {
    let bench = try await sharded(3)
    let name = bench.queue.name.description
    _ = try await bench.smsq("push", "--file", "-", input: (0..<60).map { line($0, id: true) }.joined(separator: "\n"))
    let stats = try await bench.smsq("stats", "--json").output.json
    #expect(stats["waiting"] as? Int == 60 && stats["pushed"] as? Int == 60 && stats["queue"] as? String == name)
    let shards = try #require(stats["shards"] as? [[String: any Sendable]])
    #expect(shards.map { $0["queue"] as? String } == [name, "\(name).1", "\(name).2"])
    #expect(shards.reduce(0) { $0 + ($1["waiting"] as? Int ?? 0) } == 60)
    #expect(try await bench.smsq("stats").output.hasPrefix("queue \(name) (3 shards)\n  waiting    60"))

    let peek = try await bench.smsq("peek", "-n", "6", "--json").output.split(separator: "\n").map {
      try String($0).json
    }
    #expect(peek.map { $0["position"] as? Int } == Array(1...6))
    #expect(peek.prefix(3).map { $0["shard"] as? String } == [name, "\(name).1", "\(name).2"])

    #expect(try await bench.smsq("pause").output == "queue \(name) is paused")
    #expect(try await bench.smsq("stats").output.hasPrefix("queue \(name) (3 shards, paused)"))
    let worker = try bench.worker("--sim-reject", "1", "--lease", "1s")
    try await worker.logs("shard-started", times: 2)
    #expect(try await bench.smsq("resume").code == 0)
    try await eventually("all are dead") { try await bench.smsq("stats", "--json").output.json["dead"] as? Int == 60 }
    try await eventually("the worker is well in all shards") {
      try await bench.smsq("doctor", "--worker", bench.workerName, "--within", "5s").code == 0
    }
    let doctor = try await bench.smsq("doctor")
    #expect(doctor.stdout.contains("\(name) shards: 3") && doctor.stdout.contains("\(name) waiting: 0"), "\(doctor)")
    #expect(!doctor.stdout.contains("\(name).1 "))
    let workers = try await bench.smsq("stats", "--json").output.json["workers"] as? [[String: any Sendable]]
    #expect(workers?.count == 1)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)

    func dead(_ verb: String, _ arguments: String...) async throws -> ChildProcess.Result {
      try await Smsq.run(["dead", verb, "--redis", bench.server.url, "--queue", name] + arguments)
    }
    let list = try await dead("list", "--json").output.split(separator: "\n").map { try String($0).json }
    #expect(list.count == 60 && list.allSatisfy { $0["queue"] as? String == name })
    #expect(Set(list.map { $0["shard"] as? String }).count == 3)
    let times = list.compactMap { $0["died_at"] as? String }
    #expect(times == times.sorted())
    #expect(try await dead("list", "-n", "7").output.split(separator: "\n").count == 7)
    for id in ["m0", "m1", "m2", "m3"] {
      #expect(try await dead("show", id).output.contains("shard        \(name)"), "\(id)")
    }
    let removed = try await dead("remove", "m0", "m1", "m2", "m3", "--yes", "--json").output.json
    #expect(removed["removed"] as? Int == 4)
    let retried = try await dead("retry", "--all", "--yes")
    #expect(retried.output == "retried 56 dead letters of queue \(name)", "\(retried)")
    #expect(try await dead("show", "m9").code == 65)
    #expect(try await lengths(bench, 3).reduce(0, +) == 56)
    // The id of one that was removed is free, in the shard that has it.
    let again = try await bench.smsq(["push", "--id", "m0", "--json"] + Bench.message)
    #expect(try again.output.json["status"] as? String == "queued", "\(again)")
  }

  @Test("A shard that cannot be asked is named, and the others are shown")
  func missing() async throws {
    let bench = try await sharded(3)
    let name = bench.queue.name.description
    _ = try await bench.queue.redis.run(.init("SET", "{\(name).1}:later", "x"))
    let stats = try await bench.smsq("stats", "--json")
    #expect(stats.code == 78 && stats.note.contains("shard \(name).1 is not in these numbers"), "\(stats)")
    let shards = try stats.output.json["shards"] as? [[String: any Sendable]]
    #expect(shards?.map { $0["queue"] as? String } == [name, "\(name).2"])
    let shown = try await bench.smsq("stats").stdout
    #expect(shown.hasPrefix("queue \(name) (3 shards, 1 of them not in these numbers)"), "\(shown)")
    let doctor = try await bench.smsq("doctor")
    #expect(doctor.code == 78 && doctor.stdout.contains("{\(name).1}:later is a string"), "\(doctor)")
  }

  @Test("doctor finds a change that was interrupted, one that Redis has lost, and lists that are shards no more")
  func doctor() async throws {
    let bench = try await sharded(3)
    let name = bench.queue.name.description
    try await bench.queue.run("SET {sms}:served 4")
    #expect(try await bench.smsq("doctor").stdout.contains("workers serve 4, pushes are spread over 3"))
    #expect(try await bench.smsq("shards", "2").code == 0)
    _ = try await bench.queue.redis.run(.init("LPUSH", "\(name).2", "x"))
    let left = try await bench.smsq("doctor")
    #expect(left.code == 78 && left.stdout.contains("\(name).2: 1 wait, and it is no shard"), "\(left)")
    try await bench.queue.run("DEL {sms}:served {sms}:spread")
    let lost = try await bench.smsq("doctor")
    #expect(lost.code == 78 && lost.stdout.contains("smsq shards --queue \(name) 2"), "\(lost)")
  }

  @Test("From one shard to six and back while workers and producers run: the ledger has each message once")
  func ledger() async throws {
    let bench = try await Bench(on: RedisServer())
    let ledger = try TemporaryFile("", extension: "ledger")
    let worker = try bench.worker("--lease", "1s", "--sim-ledger", ledger.path, "--log-level", "notice")
    let input = (0..<2_000).map { line($0, id: true) }
    let pushes = (0..<4).map { part in
      Task {
        let lines = input.enumerated().filter { $0.offset % 4 == part }.map(\.element)
        for start in stride(from: 0, to: lines.count, by: 50) {
          let text = lines[start..<start + 50].joined(separator: "\n")
          let result = try await bench.smsq("push", "--file", "-", input: text)
          #expect(result.code == 0 && result.output == "50 messages queued", "\(result)")
        }
      }
    }
    try await worker.logs("started")
    for number in ["6", "1"] {
      let result = try await bench.smsq("shards", number)
      #expect(result.code == 0, "\(result)")
    }
    for push in pushes { try await push.value }
    try await eventually(within: .seconds(60), "all are sent") {
      try await bench.smsq("stats", "--json").output.json["waiting"] as? Int == 0
    }
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    let ids = try String(contentsOfFile: ledger.path, encoding: .utf8).split(separator: "\n").map {
      $0.prefix { $0 != " " }
    }
    #expect(ids.count == 2_000 && Set(ids).count == 2_000)
  }
}
