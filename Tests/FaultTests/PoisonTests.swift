import Foundation
import TestSupport
import Testing

extension FaultTests {
  @Suite("Poison", .serialized)
  struct PoisonTests {
    @Test("A message that kills its worker each time, among a thousand good ones, under supervisord: only it is dead")
    func supervised() async throws {
      let bench = try await FaultBench()
      try await bench.push(700)
      try await bench.push(1, prefix: "poison", text: "arsenic")
      try await bench.push(300, from: 700)
      let supervisor = try Supervisor(
        Smsq.path,
        bench.arguments(name: "w", ["--concurrency", "50", "--sim-latency", "2ms..10ms", "--sim-crash-on", "arsenic"])
      )
      try await bench.drained(within: .seconds(90))

      let taken = try bench.taken()
      #expect(taken.count == 1000 && taken["poison0"] == nil)
      let dead = try await bench.dead()
      #expect(dead.count == 1)
      #expect(dead.first?.reason == "poison: in hand in 3 crashes")
      #expect(dead.first.map { String(decoding: $0.payload, as: UTF8.self).contains("arsenic") } == true)
      // Three crashes, of which the third had nothing else in hand.
      let recovered = try await bench.snapshot().counters["recovered"] ?? 0
      #expect(doubles(taken) <= recovered && recovered <= 2 * 50)
      #expect(try await bench.violations() == [])
      #expect(supervisor.starts == 4)
      try await supervisor.stop()
    }
  }
}

/// A supervisord with one program, kept alive by the rules of supervisor/smsq-worker.conf.
private final class Supervisor {
  private let directory: String
  private let process: ChildProcess

  init(_ program: String, _ arguments: [String]) throws {
    directory = "/tmp/smsq-sup-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    // A supervisord that is killed leaves its worker behind; setpriv has it go, too.
    let configuration = """
      [unix_http_server]
      file=\(directory)/s.sock
      [rpcinterface:supervisor]
      supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
      [supervisorctl]
      serverurl=unix://\(directory)/s.sock

      [supervisord]
      nodaemon=true
      logfile=\(directory)/supervisord.log
      pidfile=\(directory)/pid
      childlogdir=\(directory)

      [program:smsq-worker]
      command=\(([program] + arguments).joined(separator: " "))
      startsecs=2
      startretries=5
      autorestart=unexpected
      exitcodes=0,64,77,78
      stopsignal=TERM
      stopwaitsecs=40
      """
    try configuration.write(toFile: "\(directory)/supervisord.conf", atomically: false, encoding: .utf8)
    process = try ChildProcess("supervisord", ["-n", "-c", "\(directory)/supervisord.conf"])
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  /// How often it has started the worker.
  var starts: Int {
    let log = (try? String(contentsOfFile: "\(directory)/supervisord.log", encoding: .utf8)) ?? ""
    return log.split(separator: "\n").filter { $0.contains("spawned: 'smsq-worker'") }.count
  }

  /// Has supervisord stop the worker, and end. Not by a TERM: Foundation starts it with the signal mask of a thread
  /// that blocks it.
  func stop() async throws {
    _ = try await ChildProcess("supervisorctl", ["-c", "\(directory)/supervisord.conf", "shutdown"]).end()
    _ = try await process.end()
  }
}
