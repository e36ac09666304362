import Glibc
import MessageQueue
import RedisClient
import TestSupport
import Testing
import Wire

@Suite("smsq push, one message", .serialized)
struct PushTests {
  @Test("It prints the id, and the message waits under it")
  func printsID() async throws {
    let bench = try await Bench()
    let result = try await bench.smsq(["push"] + Bench.message)
    #expect(result.code == 0)
    #expect(result.stderr == "")
    let waiting = try await bench.waiting()
    try #require(waiting.count == 1)
    let message = try waiting[0].json
    #expect(message["to"] as? String == Bench.to)
    #expect(message["text"] as? String == "hello there")
    #expect(message["id"] as? String == result.output)
    #expect((message["queued_at"] as? String)?.hasSuffix("Z") == true)
    #expect(message["expires_at"] == nil)
    #expect(try await bench.counts().counters["pushed"] == 1)
  }

  @Test("No two ids are the same, the first one of a process included")
  func ids() async throws {
    let bench = try await Bench()
    var ids: [String] = []
    for _ in 0..<10 { ids.append(try await bench.smsq(["push"] + Bench.message).output) }
    let lines = Array(repeating: #"{"to":"\#(Bench.to)","text":"hi"}"#, count: 50).joined(separator: "\n")
    #expect(try await bench.smsq("push", "--file", "-", "--format", "jsonl", input: lines).code == 0)
    let waiting = try await bench.waiting().map { try $0.json["id"] as? String ?? "" }
    #expect(Set(ids).count == 10 && Set(ids).isSubset(of: waiting))
    #expect(waiting.count == 60 && Set(waiting).count == 60)
    #expect(!waiting.contains { $0.hasPrefix("00000000") || $0.isEmpty })
  }

  @Test("--json says what was queued, in fields that scripts may rely on")
  func json() async throws {
    let bench = try await Bench()
    let result = try await bench.smsq("push", "--to", Bench.to, "--text", "验证码 123456", "--json")
    #expect(result.code == 0)
    #expect(result.stdout.split(separator: "\n").count == 1)
    let fields = try result.output.json
    #expect(
      Set(fields.keys) == ["id", "queue", "status", "to", "segments", "encoding", "waiting"]
    )
    #expect(fields["queue"] as? String == bench.queue.name.description)
    #expect(fields["status"] as? String == "queued")
    #expect(fields["to"] as? String == Bench.to)
    #expect(fields["segments"] as? Int == 1)
    #expect(fields["encoding"] as? String == "ucs2")
    #expect(fields["waiting"] as? Int == 1)
  }

  @Test("A template is queued in the text's place, and has no segments that could be told")
  func template() async throws {
    let bench = try await Bench()
    let parameters = ["--template-param", "code=123456", "--template-param", "名=\"您\""]
    let result = try await bench.smsq(
      ["push", "--json", "--to", Bench.to, "--template", "SMS_1", "--sign", "阿里云"] + parameters
    )
    #expect(result.code == 0, "\(result)")
    #expect(Set(try result.output.json.keys) == ["id", "queue", "status", "to", "waiting"])
    let message = try await bench.waiting()[0].json
    #expect(message["template"] as? String == "SMS_1")
    #expect(message["sign"] as? String == "阿里云")
    #expect(message["template_params"] as? [String: String] == ["code": "123456", "名": "\"您\""])
    #expect(message["text"] == nil)
    #expect(try await bench.smsq("peek").output.contains(" template=SMS_1 "))
  }

  @Test("--in and --at put a message off", arguments: [["--in", "10m"], ["--at", "2100-01-01T00:00:00+08:00"]])
  func scheduled(option: [String]) async throws {
    let bench = try await Bench()
    let result = try await bench.smsq(["push", "--json"] + Bench.message + option)
    #expect(result.code == 0)
    #expect(try result.output.json["status"] as? String == "scheduled")
    let counts = try await bench.counts()
    #expect(counts.waiting == 0)
    #expect(counts.scheduled == 1)
    // It is no older than it is due, for whoever counts from its push.
    let member = Element(try await bench.queue.run("ZRANGE {sms}:later 0 0").array?.first?.bytes ?? [])
    let payload = try String(decoding: member.payload, as: UTF8.self).json
    let queued = Timestamp.milliseconds(try #require(payload["queued_at"] as? String))
    let due = try await bench.queue.run("ZRANGE {sms}:later 0 0 WITHSCORES").array?.last?.integer
    #expect(queued == due.map { Int64($0) } || option[0] == "--in")
    #expect(try #require(queued) >= counts.now)
    if option[0] == "--at" {
      #expect(due == 4_102_416_000_000)
    } else {
      // Redis' clock then and now: the difference is what it took to look.
      let left = try #require(due) - counts.now
      #expect(left > 0 && left <= 600_000)
    }
  }

  @Test("A time that has passed is now, and the answer says so")
  func pastTime() async throws {
    let bench = try await Bench()
    let result = try await bench.smsq(["push", "--json", "--at", "2000-01-01T00:00:00Z"] + Bench.message)
    #expect(try result.output.json["status"] as? String == "queued")
    #expect(try await bench.counts().waiting == 1)
  }

  @Test("--expires-in and --from are in the payload, and expiry counts by Redis' clock")
  func expiryAndSender() async throws {
    let bench = try await Bench()
    let result = try await bench.smsq(["push", "--expires-in", "5m", "--from", "ACME"] + Bench.message)
    #expect(result.code == 0)
    let message = try await bench.waiting()[0].json
    #expect(message["from"] as? String == "ACME")
    let times = try ["queued_at", "expires_at"].map { try #require(message[$0] as? String) }
    #expect(times[0] < times[1])
    #expect(times[0].split(separator: ":").last == times[1].split(separator: ":").last)
  }

  @Test("A national number becomes E.164 with --default-country-code")
  func nationalNumber() async throws {
    let bench = try await Bench()
    let number = "138 0013-8000"
    let refused = try await bench.smsq("push", "--to", number, "--text", "hi")
    #expect(refused.code == 65)
    #expect(refused.note.contains("--default-country-code"))
    #expect(!refused.note.contains(number))
    let result = try await bench.smsq("push", "--to", number, "--text", "hi", "--default-country-code", "+86")
    #expect(result.code == 0)
    #expect(try await bench.waiting().map { try $0.json["to"] as? String } == [Bench.to])
  }

  @Test("--at takes Unix seconds and what ISO 8601 writes, and says what is wrong with milliseconds")
  func times() async throws {
    let bench = try await Bench()
    for time in ["4102416000", "2100-01-01T00:00:00+0800", "2100-01-01 00:00:00+08"] {
      #expect(try await bench.smsq(["push", "--at", time] + Bench.message).code == 0)
    }
    let due = try await bench.queue.run("ZCOUNT {sms}:later 4102416000000 4102416000000")
    #expect(due.integer == 3)
    let milliseconds = try await bench.smsq(["push", "--at", "4102416000000"] + Bench.message)
    #expect(milliseconds.code == 64 && milliseconds.note.contains("milliseconds"))
  }

  @Test("Every option can come from its variable, and the command line has the last word")
  func variables() async throws {
    let bench = try await Bench()
    let variables = [
      "SMSQ_REDIS": bench.server.url, "SMSQ_QUEUE": bench.queue.name.description, "SMSQ_TO": "+447700900123",
      "SMSQ_TEXT": "from the environment", "SMSQ_JSON": "yes",
    ]
    let result = try await Smsq.run(["push", "--to", Bench.to], environment: variables)
    #expect(result.code == 0)
    #expect(result.stderr == "")
    #expect(try result.output.json["to"] as? String == Bench.to)
    #expect(try await bench.waiting().map { try $0.json["text"] as? String } == ["from the environment"])
  }

  @Test("A variable that no option has is named and ignored")
  func unknownVariable() async throws {
    let bench = try await Bench()
    let result = try await bench.smsq(["push"] + Bench.message, environment: ["SMSQ_REDDIS": "redis://other"])
    #expect(result.code == 0)
    #expect(result.note.contains("SMSQ_REDDIS"))
    #expect(try await bench.waiting().count == 1)
  }

  @Test("The same --id is queued once, and the second time says so and is no failure")
  func sameID() async throws {
    let bench = try await Bench()
    let first = try await bench.smsq(["push", "--id", "order 7"] + Bench.message)
    #expect(first.stderr == "")
    let second = try await bench.smsq(["push", "--id", "order 7"] + Bench.message)
    #expect(second.code == 0)
    #expect(second.output == "order 7")
    #expect(second.note.contains("order 7"))
    #expect(second.note.split(separator: "\n").count == 1)
    let third = try await bench.smsq(["push", "--id", "order 7", "--json"] + Bench.message)
    #expect(try third.output.json["status"] as? String == "duplicate")
    #expect(try await bench.waiting().count == 1)
    #expect(try await bench.counts().counters["pushed"] == 1)
  }

  @Test("Where the message that has the id is dead, a second push says so, and how to go on")
  func deadID() async throws {
    let bench = try await Bench()
    let push = ["push", "--id", "order 8"] + Bench.message
    #expect(try await bench.smsq(push).code == 0)
    let worker = try bench.worker("--sim-reject", "1")
    try await eventually("it is dead") { try await bench.dead().count == 1 }
    worker.send(SIGTERM)
    _ = try await worker.end()
    let second = try await bench.smsq(push)
    #expect(second.code == 0 && second.output == "order 8")
    #expect(second.note.contains("dead (undeliverable") && second.note.contains("smsq dead retry"))
    let third = try await bench.smsq(push + ["--json"])
    #expect(try third.output.json["status"] as? String == "duplicate")
    #expect((try third.output.json["dead_reason"] as? String)?.hasPrefix("undeliverable") == true)
  }

  @Test("With --id-lifetime 0s an id may come again")
  func forgottenID() async throws {
    let bench = try await Bench()
    for _ in 0..<2 {
      let result = try await bench.smsq(["push", "--id", "a", "--id-lifetime", "0s"] + Bench.message)
      #expect(result.code == 0 && result.stderr == "")
    }
    #expect(try await bench.waiting().count == 2)
  }

  @Test("A queue that is as long as --max-queue takes no more: exit code 75")
  func maxQueue() async throws {
    let bench = try await Bench()
    for code in [0, 0, 75] as [Int32] {
      let result = try await bench.smsq(["push", "--max-queue", "2"] + Bench.message)
      #expect(result.code == code)
      if code == 75 {
        #expect(result.note.contains("2 messages wait") && result.note.contains("nothing was queued"))
        #expect(result.stdout == "")
      }
    }
    #expect(try await bench.waiting().count == 2)
  }

  @Test("Messages leave in the order in which they came")
  func order() async throws {
    let bench = try await Bench()
    for id in ["1", "2", "3"] { _ = try await bench.smsq(["push", "--id", id] + Bench.message) }
    #expect(try await bench.waiting().map { try $0.json["id"] as? String } == ["1", "2", "3"])
  }
}
