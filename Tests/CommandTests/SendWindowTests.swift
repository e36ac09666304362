import Foundation
import MessageQueue
import RedisClient
import TestSupport
import Testing

@testable import smsq

@Suite("smsq worker --send-window", .serialized)
struct WorkerSendWindowTests {
  /// `HH:MM` so many hours from now, in UTC.
  private func time(in hours: Int) -> String {
    let seconds = (Int(Date().timeIntervalSince1970) + hours * 3600) % 86_400
    return String(format: "%02d:%02d", seconds / 3600, seconds / 60 % 60)
  }

  @Test("What comes outside the window waits for its opening in its order, costs no attempt, and is said once")
  func closed() async throws {
    let bench = try await Bench()
    let window = "\(time(in: 3))-\(time(in: 5))@UTC"
    let plain = (0..<30).map { #"{"to":"\#(Bench.to)","text":"hi","id":"m\#($0)"}"# }
    // Two lives, so that the order is not that of the claims' ids.
    for part in [plain.prefix(15), plain.suffix(15)] {
      for payload in part { _ = try await bench.queue.run("LPUSH sms \(payload.replacing(" ", with: ""))") }
      let worker = try bench.worker(name: nil, "--send-window", window)
      let count = part.startIndex + part.count
      try await eventually("all put off") { try await bench.counts().scheduled == count }
      worker.send(SIGTERM)
      #expect(try await worker.end().code == 0)
      #expect(worker.log("put-off").count == 1)
      #expect(worker.log("put-off").first?["reason"] == "outside --send-window \(window)")
      #expect(worker.log("sent").isEmpty && worker.log("retry").isEmpty)
    }
    let members = try await bench.queue.run("ZRANGE {sms}:later 0 -1 WITHSCORES").array ?? []
    let elements = stride(from: 0, to: members.count, by: 2).map { Element(members[$0].bytes ?? []) }
    #expect(elements.map { String(decoding: $0.payload, as: UTF8.self) } == plain.map { $0.replacing(" ", with: "") })
    #expect(elements.allSatisfy { $0.history.failures == 0 && $0.history.crashes == 0 })
    let times = Set(stride(from: 1, to: members.count, by: 2).map { members[$0].integer ?? 0 })
    #expect(times.count == 1 && times.first.map { $0 % 60_000 } == 0)
    #expect(try await bench.smsq("stats").output.contains("30"))

    // As at its opening.
    for member in stride(from: 0, to: members.count, by: 2) {
      var command = RedisCommand("ZADD", "{\(bench.queue.name)}:later", "1")
      command.append(members[member].bytes ?? [])
      _ = try await bench.queue.redis.run(command)
    }
    let worker = try bench.worker(name: nil, "--concurrency", "1")
    try await bench.eventually(sent: 30)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log("sent").map { $0["id"] } == (0..<30).map { "m\($0)" })
    #expect(worker.log("sent").allSatisfy { $0["attempt"] == "1" })
    #expect(try await bench.violations(plainPushes: 30).isEmpty)
  }

  @Test("Within the window messages are sent, and an expired one is expired outside of it")
  func openAndExpired() async throws {
    let bench = try await Bench()
    let worker = try bench.worker(name: nil, "--send-window", "\(time(in: -1))-\(time(in: 1))@UTC")
    try await bench.push(20)
    try await bench.eventually(sent: 20)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log("put-off").isEmpty)

    _ = try await bench.queue.run(#"LPUSH sms {"to":"+8613800138000","text":"hi","expires_at":"2020-01-01T00:00:00Z"}"#)
    let closed = try bench.worker(name: nil, "--send-window", "\(time(in: 3))-\(time(in: 5))@UTC")
    try await eventually("it is expired") { try await bench.counts().counters["expired"] == 1 }
    closed.send(SIGTERM)
    #expect(try await closed.end().code == 0)
    #expect(try await bench.violations(plainPushes: 1).isEmpty)
  }

  @Test(
    "A wrong window or zone is told at the start",
    arguments: ["8-21@UTC", "08:00-21:00@Asia/Nowhere", "08:00-21:00"]
  )
  func refused(window: String) async throws {
    let result = try await Smsq.run(["worker", "--send-window", window])
    #expect(result.code == 64)
    #expect(result.note.contains("'") && result.note.contains("Asia/Shanghai"), "\(result)")
  }

  @Test(
    "A zone's clocks are those that Python reads of it",
    arguments: [
      "Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Etc/GMT+3",
    ]
  )
  func zones(name: String) async throws {
    let now: Int64 = 1_795_348_800
    // No process is started meanwhile, which would look at the environment.
    let zone = try startLock.withLock { try ZoneOffsets(named: name, now: now) }
    #expect(getenv("TZ") == nil || ProcessInfo.processInfo.environment["TZ"] != ":/usr/share/zoneinfo/\(name)")
    let times = stride(from: now - 300 * 86_400, to: now + 10 * 366 * 86_400, by: 5 * 3600 + 1).map { $0 }
    let script = """
      import datetime, sys, zoneinfo
      zone = zoneinfo.ZoneInfo("\(name)")
      for time in range(\(times[0]), \(now + 10 * 366 * 86_400), \(5 * 3600 + 1)):
          print(int(datetime.datetime.fromtimestamp(time, zone).utcoffset().total_seconds()))
      """
    let result = try await ChildProcess("python3", ["-c", script]).end()
    #expect(result.code == 0, "\(result)")
    #expect(times.map { "\(zone.offset(at: $0))" } == result.output.split(separator: "\n").map(String.init))
  }
}
