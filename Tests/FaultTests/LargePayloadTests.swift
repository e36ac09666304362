import Foundation
import MessageQueue
import RedisClient
import TestSupport
import Testing

extension FaultTests {
  /// The sanitizer's own memory is many times what is granted here.
  @Suite(
    "Payloads that are far too large",
    .serialized,
    .enabled(if: ProcessInfo.processInfo.environment["TSAN_OPTIONS"] == nil)
  )
  struct LargePayloadTests {
    /// What smsq may use, in KiB. 40 messages of 10 MB at once would be more than that before the first copy.
    private static let memory = 300_000

    private func limited(_ arguments: [String]) throws -> ChildProcess {
      try ChildProcess("sh", ["-c", #"ulimit -d \#(Self.memory); exec "$0" "$@""#, Smsq.path] + arguments)
    }

    @Test(
      "Forty messages of 10 MB among small ones, and little memory: nothing is killed, the small ones are sent",
      arguments: ["waiting", "in a crashed worker's hand"]
    )
    func fortyHuge(place: String) async throws {
      let bench = try await FaultBench(on: RedisServer())
      try await bench.push(20)
      let fill = """
        local large = string.rep(string.rep('x', 1024), 10240)
        for n = 1, 40 do redis.call('LPUSH', KEYS[1], 'huge' .. n .. large) end
        """
      _ = try await bench.queue.redis.run(RedisCommand("EVAL", fill, "1", bench.queue.name.description))
      try await bench.push(20, from: 20)
      if place != "waiting" {
        let gone = WorkerLife(name: "gone")
        _ = try await bench.queue.queue.join(gone, lease: .seconds(600))
        var (next, left) = (0, 80)
        while left > 0 {
          let request = ClaimRequest(life: gone, firstNumber: next, limit: 500)
          let claimed = try #require(try await bench.queue.queue.turn(settling: [], claiming: request).claimed)
          (next, left) = (claimed.nextNumber, claimed.waiting)
        }
        try await bench.queue.run("ZADD {sms}:workers 1 \(gone.id)")
      }
      let worker = try limited(bench.arguments(name: "w"))
      try await bench.drained(within: .seconds(120), by: [worker])
      let peak = try worker.peakMemory
      #expect(try await worker.stop() == 0)

      #expect(try bench.taken().count == 40)
      #expect(doubles(try bench.taken()) == 0)
      #expect(worker.log("dead").count == 40)
      let reasons = Set(worker.log("dead").compactMap { $0["reason"] })
      // "huge1" to "huge40", and 10 MB.
      #expect(
        reasons == [
          "payload_too_large: 10485765 bytes, --max-payload is 262144",
          "payload_too_large: 10485766 bytes, --max-payload is 262144",
        ]
      )
      let counters = try await bench.snapshot().counters
      #expect(counters["dead_total"] == 40 && counters["sent"] == 40)
      #expect(counters["recovered"] == (place == "waiting" ? nil : 80))
      #expect(peak < 100_000, "the payloads stay where they are: \(peak) KiB")
      // Not by the test's own check, which fetches everything.
      #expect(try await bench.queue.queue.audit() == QueueAudit(plain: 40, faults: []))
      if place == "waiting" { try await look(bench) }
    }

    /// What people do with such dead letters takes little memory, too.
    private func look(_ bench: FaultBench) async throws {
      let queue = ["--redis", bench.server.url, "--queue", bench.queue.name.description]
      let list = try await limited(["dead", "list"] + queue).end(within: .seconds(120))
      #expect(list.code == 0 && list.output.split(separator: "\n").count == 40, "\(list.stderr)")
      var pages = DeadLetterPages(of: bench.queue.queue)
      let id = try #require(try await pages.next().first?.element.history.id)
      let show = try await limited(["dead", "show", id] + queue).end(within: .seconds(120))
      #expect(show.code == 0 && show.stdout.utf8.count > 10_485_760, "\(show.stderr)")
      let retry = try await limited(["dead", "retry", "--all", "--yes"] + queue).end(within: .seconds(120))
      #expect(retry.code == 0 && retry.output.hasPrefix("retried 40 "), "\(retry.stderr)")
      let peek = try await limited(["peek"] + queue).end(within: .seconds(120))
      #expect(peek.code == 0 && peek.output.hasPrefix("1 id="), "\(peek.stderr)")
      #expect(peek.note.contains("9 more are left out"))
      let stats = try await limited(["stats"] + queue).end(within: .seconds(120))
      #expect(stats.code == 0, "\(stats.stderr)")
      // They die again, and two fall off, each logged whole.
      let worker = try limited(bench.arguments(name: "w", ["--dead-max", "38"]))
      try await eventually(within: .seconds(120), "they have fallen off") {
        try await bench.snapshot().counters["dead_dropped"] == 2
      }
      #expect(try await worker.stop() == 0)
      // Counted, and not read: lines of 10 MB take a test long.
      #expect(worker.stdout.utf8.count > 2 * 10_485_760)
    }
  }
}
