import Foundation
import RedisClient
import TestSupport
import Testing

extension FaultTests {
  /// A steady rate for a long time, with a fault every few seconds: `make soak`.
  @Suite("Soak", .serialized)
  struct SoakTests {
    /// How long, from the variable SOAK_SECONDS. Without it there is no soak.
    private static var seconds: Int? { ProcessInfo.processInfo.environment["SOAK_SECONDS"].flatMap { Int($0) } }

    @Test(
      "At a steady rate, with a fault every few seconds: nothing is lost, memory and descriptors stay flat",
      .enabled("needs SOAK_SECONDS; make soak sets it") { seconds != nil }
    )
    func soak() async throws {
      let server = try await RedisServer(appendOnly: true)
      let bench = try await FaultBench(on: server)
      let options = [
        "--lease", "3s", "--concurrency", "50", "--sim-latency", "5ms..50ms", "--sim-fail", "0.02", "--backoff-base",
        "50ms",
        "--max-crashes", "100000",
      ]
      // One that is never killed, whose memory tells, and one that is killed now and then.
      let steady = try ChildProcess(Smsq.path, bench.arguments(name: "steady", options))
      var mortal = try ChildProcess(Smsq.path, bench.arguments(name: "mortal", options))
      let producers = Producers(bench, count: 4, every: .milliseconds(8))
      var kills = 0
      var books: [Usage] = []

      let end = ContinuousClock.now + .seconds(Self.seconds ?? 0)
      var (round, faults) = (0, 0)
      while ContinuousClock.now < end {
        try await Task.sleep(for: .milliseconds(.random(in: 1_500...2_500)))
        switch round % 8 {
        case 0:
          try await mortal.crash()
          kills += 1
          mortal = try ChildProcess(Smsq.path, bench.arguments(name: "mortal", options))
        case 1: try await server.restart()
        case 2, 6: _ = try? await bench.queue.run("SCRIPT FLUSH")
        case 3:
          // Shorter than the lease, and, on every other round, longer: nobody may take over from anybody either way.
          server.kill(SIGSTOP)
          try await Task.sleep(for: round % 16 == 3 ? .seconds(1) : .seconds(5))
          server.kill(SIGCONT)
        case 4: try await killConnections(bench)
        case 5: try await pauseQueue(bench)
        default:
          // No fault: every descriptor and all memory that a fault may have cost is back by now.
          books.append(try Usage(of: steady.pid))
        }
        if ![5, 7].contains(round % 8) { faults += 1 }
        round += 1
      }
      await producers.stop()
      try await bench.settledAfterOutage(by: steady, mortal)
      for worker in [steady, mortal] { #expect(try await worker.stop() == 0) }

      let taken = try bench.taken()
      #expect(producers.acknowledged.subtracting(taken.keys).isEmpty)
      #expect(Set(taken.keys).isSubset(of: producers.acknowledged.union(producers.unknown)))
      let recovered = try await bench.snapshot().counters["recovered"] ?? 0
      #expect(doubles(taken) <= recovered && recovered <= kills * 50)
      #expect(try await bench.violations() == [])
      #expect(steady.log("lease-lost").isEmpty && steady.log("outcome-lost").isEmpty)
      print("soak: \(taken.count) messages, \(faults) faults, \(kills) kills, \(doubles(taken)) twice; \(books)")

      guard books.count >= 2, let last = books.last else { return }
      #expect(Set(books.map(\.descriptors)).count == 1, "\(books)")
      // The first entry comes after the first faults of each kind, when the allocator has what it needs.
      #expect(last.kibibytes <= books[0].kibibytes + max(4_096, books[0].kibibytes / 5), "\(books)")
    }

    private func killConnections(_ bench: FaultBench) async throws {
      let clients = (try? await bench.queue.redis.run(RedisCommand("CLIENT", "LIST")).string) ?? ""
      for client in clients.split(separator: "\n") where client.contains(" name=smsq-") {
        let id = client.split(separator: " ")[0].dropFirst("id=".count)
        _ = try? await bench.queue.redis.run(RedisCommand("CLIENT", "KILL", "ID", String(id)))
      }
    }

    private func pauseQueue(_ bench: FaultBench) async throws {
      try await bench.queue.queue.pause()
      try await Task.sleep(for: .milliseconds(500))
      try await bench.queue.queue.resume()
    }
  }
}

/// What a process takes of the machine.
private struct Usage: CustomStringConvertible {
  let kibibytes: Int
  let descriptors: Int

  init(of pid: Int32) throws {
    let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
    kibibytes = Int(line.filter(\.isNumber)) ?? 0
    descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
  }

  var description: String { "\(kibibytes) KiB, \(descriptors) fds" }
}
