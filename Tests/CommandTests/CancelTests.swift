import Foundation
import Glibc
import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("smsq cancel")
struct CancelTests {
  @Test("A message that waits or is scheduled is taken back, and its id is free")
  func takenBack() async throws {
    let bench = try await Bench()
    _ = try await bench.smsq(["push", "--id", "later", "--in", "1h"] + Bench.message)
    try await bench.push(3)
    let result = try await bench.smsq("cancel", "m1", "later", "nobody")
    #expect(result.code == 65 && result.stderr.contains("nobody is not cancelled"), "\(result)")
    #expect(
      result.output.split(separator: "\n").map { $0.split(separator: " ")[1] } == [
        "state=cancelled", "state=cancelled", "state=unknown",
      ]
    )
    // Once more it is known that they were.
    #expect(try await bench.smsq("cancel", "m1", "later").code == 0)
    #expect(try await bench.smsq("status", "--json", "m1").output.json["cancelled_at"] is String)
    let counts = try await bench.counts()
    #expect(counts.waiting == 2 && counts.scheduled == 0)
    let again = try await bench.smsq(["push", "--json", "--id", "m1"] + Bench.message)
    #expect(try again.output.json["status"] as? String == "queued")
    #expect(try await bench.smsq("status", "--json", "m1").output.json["state"] as? String == "waiting")
    #expect(try await bench.violations() == [])
    #expect(try await bench.smsq("stats", "--json").output.json["cancelled"] as? Int == 2)
  }

  @Test("It is too late for what is in a hand, dead or sent, and that is said")
  func tooLate() async throws {
    let bench = try await Bench()
    try await bench.push(1, prefix: "dead")
    let burying = try bench.worker("--sim-reject", "1")
    try await burying.logs("dead")
    burying.send(SIGTERM)
    _ = try await burying.end()
    try await bench.push(1, prefix: "sent")
    let sending = try bench.worker("--keep", "1h")
    try await bench.eventually(sent: 1)
    sending.send(SIGTERM)
    _ = try await sending.end()
    try await bench.push(1, prefix: "held")
    let slow = try bench.worker("--sim-latency", "60s", "--drain", "0s")
    try await eventually("it is in hand") { try await bench.counts().claimed == 1 }
    for (id, words) in [("dead0", "it is dead"), ("sent0", "it was sent"), ("held0", "in the hand of worker")] {
      let result = try await bench.smsq("cancel", id)
      #expect(result.code == 65 && result.stderr.contains(words), "\(result)")
    }
    slow.send(SIGTERM)
    _ = try await slow.end()
    #expect(try await bench.violations() == [])
  }

  @Test("Scheduled ones are cancelled by their times and numbers, after a question")
  func scheduled() async throws {
    let bench = try await Bench()
    for (id, time) in [("a", "1h"), ("b", "2h"), ("c", "3h")] {
      _ = try await bench.smsq(["push", "--id", id, "--in", time] + Bench.message)
    }
    _ = try await bench.smsq("push", "--id", "d", "--in", "2h", "--to", "+8613900139000", "--text", "hi")
    let peek = try await bench.smsq("peek", "--scheduled", "--json", "-n", "3").output.split(separator: "\n")
    let peeked = try peek.map { try String($0).json }
    #expect(peeked.first?["id"] as? String == "a" && peeked.count == 3 && peeked.allSatisfy { $0["due_at"] is String })

    let refused = try await bench.smsq("cancel", "--scheduled")
    #expect(refused.code == 64 && refused.stderr.contains("4 scheduled messages") && refused.stderr.contains("--yes"))
    let none = try await bench.smsq("cancel", "--scheduled", "--before", "2020-01-01T00:00:00Z")
    #expect(none.code == 0 && none.stderr.contains("matches"), "\(none)")
    let due = try #require(try await bench.smsq("status", "--json", "b").output.json["due_at"] as? String)
    let early = try await bench.smsq("cancel", "--scheduled", "--before", due, "--json")
    #expect(try early.output.json["cancelled"] as? Int == 1, "\(early)")
    let other = try await bench.smsq(
      "cancel",
      "--scheduled",
      "--to",
      "13900139000",
      "--default-country-code",
      "86"
    )
    #expect(other.output == "cancelled 1 scheduled message of queue \(bench.queue.name)", "\(other)")
    #expect(try await bench.smsq("cancel", "--scheduled", "--yes").output.hasPrefix("cancelled 2 "))
    #expect(try await bench.counts().scheduled == 0)
    #expect(try await bench.violations() == [])
  }

  @Test(
    "What is wrong is said before Redis is asked",
    arguments: [
      [], ["--scheduled", "m1"], ["--before", "2026-01-01T00:00:00Z"], ["--scheduled", "--before", "tomorrow"],
      ["--scheduled", "--to", "123"],
      ["--scheduled", "--before", "2026-01-01T00:00:00Z", "--after", "2026-01-02T00:00:00Z"],
    ]
  )
  func usage(arguments: [String]) async throws {
    let result = try await Smsq.run(["cancel", "--redis", "unix:///nowhere"] + arguments)
    #expect(result.code == 64, "\(result)")
  }

  /// A worker claims, a person cancels, over and over, each with calls of its own.
  @Test("Cancelling races claiming a thousand times, and no message is both cancelled and sent")
  func race() async throws {
    let bench = try await Bench()
    let worker = try bench.worker("--keep", "1h", "--concurrency", "20", "--sim-latency", "0ms..3ms")
    try await worker.logs("started")
    let queue = bench.queue.queue
    var cancelled: Set<String> = []
    for round in 0..<20 {
      let ids = (0..<50).map { "r\(round)-\($0)" }
      let payloads = ids.map { #"{"to":"\#(Bench.to)","text":"hi","id":"\#($0)"}"# }
      _ = try await queue.enqueue(payloads.map { OutgoingMessage(payload: Array($0.utf8)) })
      for index in ids.indices {
        let taken = try await queue.take(
          [Taking(Array(payloads[index].utf8), at: .list(newer: ids.count - 1 - index))],
          for: .cancelled
        )
        if taken == [.out] { cancelled.insert(ids[index]) }
      }
    }
    try await eventually("all is done") {
      let counts = try await bench.counts()
      return counts.waiting + counts.claimed == 0
    }
    worker.send(SIGTERM)
    _ = try await worker.end()
    let sent = worker.log("sent").compactMap { $0["id"] }
    #expect(cancelled.intersection(sent).isEmpty)
    #expect(cancelled.count + sent.count == 1_000 && Set(sent).count == sent.count)
    #expect(!cancelled.isEmpty && !sent.isEmpty)
    #expect(try await bench.violations() == [])
  }
}
