import Foundation
import RedisClient
import TestSupport
import Testing

extension FaultTests {
  /// Each fault that Redis or the way to it can have, under load. What counts is the same for all: each message is
  /// taken once, nothing is missing, one line says that it went, and one that it is back.
  @Suite("Each fault of Redis", .serialized)
  struct RedisFaultTests {
    /// Makes and unmakes a fault.
    struct Fault: Sendable, CustomTestStringConvertible {
      let name: String
      /// The events that say so. Nil where it is to be no news at all.
      var events: (gone: String, back: String)? = ("redis-lost", "redis-back")
      /// A word of what the worker says is wrong.
      var says = ""
      /// How many lines say that it went. Two where a connection ends first and the next one is refused: what a person
      /// must mend is news.
      var lines = 1
      /// Whether Redis restarts, and has to keep a file. Without one it is not at the mercy of a busy disk.
      var restarts = false
      /// Microseconds that Redis takes to load each command of its file.
      var loadDelay = 0
      let strike: @Sendable (RedisFaultTests.Site) async throws -> Void
      var heal: @Sendable (RedisFaultTests.Site) async throws -> Void = { _ in }

      var testDescription: String { name }
    }

    /// Where it happens.
    struct Site: Sendable {
      let server: RedisServer
      let bench: FaultBench
      let proxy: FaultyProxy

      func redis(_ words: String...) async throws {
        var command = RedisCommand()
        for word in words { command.append(word) }
        _ = try await bench.queue.redis.run(command)
      }

      /// Ends the worker's connections, so that it has to say hello anew.
      func disconnect() async throws {
        for name in ["smsq-commands", "smsq-wait-\(bench.queue.name)"] {
          let clients = try await bench.queue.redis.run(RedisCommand("CLIENT", "LIST")).string ?? ""
          for client in clients.split(separator: "\n") where client.contains(" name=\(name) ") {
            let id = client.split(separator: " ")[0].dropFirst("id=".count)
            _ = try? await redis("CLIENT", "KILL", "ID", String(id))
          }
        }
      }
    }

    @Test(
      "Under load: each message is taken once, and one line says that it went, one that it is back",
      arguments: faults
    )
    func once(fault: Fault) async throws {
      let server = try await RedisServer(appendOnly: fault.restarts, "--key-load-delay", "\(fault.loadDelay)")
      let bench = try await FaultBench(on: server)
      try await bench.queue.run("ACL SETUSER default on nopass ~* &* +@all")
      let site = Site(server: server, bench: bench, proxy: try FaultyProxy(to: server.endpoint))
      try await bench.push(300)
      let worker = try ChildProcess(
        Smsq.path,
        bench.arguments(
          name: "w",
          url: site.proxy.url,
          ["--lease", "3s", "--concurrency", "10", "--sim-latency", "2ms..20ms", "--sim-fail", "0.1"]
            + ["--backoff-base", "50ms"]
        )
      )
      try await eventually("it is at work") { try await bench.sent() >= 50 }
      try await fault.strike(site)
      if let events = fault.events {
        let line = try await worker.logs(events.gone, times: fault.lines)
        #expect(fault.says.isEmpty || line["error"]?.contains(fault.says) == true, "\(line)")
        // Longer than the time between two renewals, so that what would be said again and again is.
        try await Task.sleep(for: .milliseconds(1_200))
        try await fault.heal(site)
        try await worker.logs(events.back)
      }
      try await bench.settledAfterOutage(by: worker)
      #expect(try await worker.stop() == 0)

      let taken = try bench.taken()
      #expect(taken.count == 300)
      #expect(doubles(taken) == 0)
      #expect(try await bench.violations() == [])
      for event in ["redis-lost", "redis-back", "queue-error", "queue-back"] {
        let expected = event == fault.events?.gone ? fault.lines : event == fault.events?.back ? 1 : 0
        #expect(worker.log(event).count == expected, "\(event): \(worker.log(event).map(\.fields))")
      }
      for event in ["lease-lost", "outcome-lost", "claims-missing", "recovered"] {
        #expect(worker.log(event).isEmpty, "\(event)")
      }
    }

    @Test("What one of two queues may not do is said once, however often the other succeeds, and ends once")
    func oneOfTwo() async throws {
      let server = try await RedisServer()
      let (allowed, forbidden) = (try await FaultBench(on: server), try await FaultBench(on: server))
      func allow(_ queue: TestQueue) async throws {
        try await queue.run("ACL SETUSER w on >pw +@all ~\(queue.name) ~{\(queue.name)}:*")
      }
      try await allow(allowed.queue)
      let worker = try ChildProcess(
        Smsq.path,
        allowed.arguments(
          name: "w",
          url: "unix://w:pw@\(server.folder)/redis.sock",
          ["--queue", forbidden.queue.name.description, "--lease", "1s"]
        )
      )
      #expect(try await worker.logs("queue-error")["error"]?.contains("NOPERM") == true)
      for number in 0..<20 {
        try await allowed.push(5, from: 5 * number)
        try await allowed.drained(by: [worker])
        try await Task.sleep(for: .milliseconds(100))
      }
      try await forbidden.push(5, prefix: "late")
      try await allow(forbidden.queue)
      try await forbidden.drained(by: [worker])
      try await worker.logs("queue-back")
      #expect(try await worker.stop() == 0)
      let taken = try allowed.taken()
      #expect(taken.count == 105 && doubles(taken) == 0)
      for bench in [allowed, forbidden] { #expect(try await bench.violations() == []) }
      #expect(worker.log("queue-error").count == 1 && worker.log("queue-back").count == 1)
      #expect(worker.log("redis-lost").isEmpty && worker.log("redis-back").isEmpty)
    }

    static let faults: [Fault] = [
      Fault(
        name: "connection refused",
        restarts: true,
        strike: { try await $0.server.stop() },
        heal: { try await $0.server.restart() }
      ),
      Fault(
        name: "LOADING: it restarts, and takes its time to read its file",
        restarts: true,
        loadDelay: 300,
        strike: { site in
          // Between two looks at its clients it reads a thousand commands.
          let noise = (0..<8_000).map { RedisCommand("SET", "noise", "\($0)") }
          _ = try await site.bench.queue.redis.run(noise)
          async let restart: Void = site.server.restart()
          try await eventually("Redis is loading") {
            do throws(RedisError) {
              _ = try await site.bench.queue.redis.run(RedisCommand("GET", "noise"))
              return false
            } catch {
              return error.code.rawValue == "LOADING"
            }
          }
          try await restart
        }
      ),
      Fault(name: "connection reset", strike: { $0.proxy.arm(.reset) }),
      Fault(name: "cut in the middle of a reply", strike: { $0.proxy.arm(.cut, afterReplyBytes: 10) }),
      Fault(name: "half dead: nothing comes through", strike: { $0.proxy.arm(.swallow) }, heal: { $0.proxy.heal() }),
      Fault(
        name: "half dead: requests arrive, replies do not",
        strike: { $0.proxy.arm(.swallowReplies) },
        heal: { $0.proxy.heal() }
      ),
      Fault(
        name: "slow: each reply comes 60 ms late",
        events: nil,
        strike: { $0.proxy.arm(.delay(.milliseconds(60))) }
      ),
      Fault(name: "stops in the middle of a reply", strike: { $0.proxy.arm(.stall, afterReplyBytes: 7) }),
      Fault(name: "SIGSTOP", strike: { $0.server.kill(SIGSTOP) }, heal: { $0.server.kill(SIGCONT) }),
      Fault(
        name: "READONLY, as after a failover",
        says: "READONLY",
        strike: { try await $0.redis("REPLICAOF", "127.0.0.1", "1") },
        heal: { try await $0.redis("REPLICAOF", "NO", "ONE") }
      ),
      Fault(
        name: "NOAUTH: a password that the worker does not have",
        says: "NOAUTH",
        lines: 2,
        strike: {
          try await $0.redis("CONFIG", "SET", "requirepass", "secret")
          try await $0.disconnect()
        },
        heal: { try await $0.redis("CONFIG", "SET", "requirepass", "") }
      ),
      Fault(
        name: "NOPERM: no right to run scripts",
        events: ("queue-error", "queue-back"),
        says: "NOPERM",
        strike: { try await $0.redis("ACL", "SETUSER", "default", "-evalsha") },
        heal: { try await $0.redis("ACL", "SETUSER", "default", "+@all") }
      ),
      Fault(
        name: "MISCONF: Redis cannot save",
        events: ("queue-error", "queue-back"),
        says: "MISCONF",
        strike: {
          // A folder where the snapshot should be.
          try FileManager.default.createDirectory(
            atPath: $0.server.folder + "/dump.rdb",
            withIntermediateDirectories: true
          )
          try await $0.redis("CONFIG", "SET", "save", "3600 1000000")
          try await $0.redis("BGSAVE")
        },
        heal: { try await $0.redis("CONFIG", "SET", "stop-writes-on-bgsave-error", "no") }
      ),
      Fault(
        name: "a key of the wrong type where dead letters go",
        events: ("queue-error", "queue-back"),
        says: "WRONGTYPE",
        strike: { try await $0.bench.queue.run("SET {sms}:dead oops") },
        heal: { try await $0.bench.queue.run("DEL {sms}:dead") }
      ),
      Fault(
        name: "a key of the wrong type in the register of workers' turns",
        events: ("queue-error", "queue-back"),
        says: "WRONGTYPE",
        strike: {
          try await $0.bench.queue.run("RENAME {sms}:turns {sms}:kept")
          try await $0.bench.queue.run("SET {sms}:turns oops")
        },
        heal: { try await $0.bench.queue.run("RENAME {sms}:kept {sms}:turns") }
      ),
      Fault(
        name: "the script cache is flushed again and again",
        events: nil,
        strike: { site in
          for _ in 0..<100 { try await site.redis("SCRIPT", "FLUSH") }
        }
      ),
      Fault(name: "CLIENT KILL", strike: { try await $0.disconnect() }),
    ]
  }
}
