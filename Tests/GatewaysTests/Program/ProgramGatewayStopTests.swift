import Foundation
import TestSupport
import Testing

@testable import Gateways

@Suite(.timeLimit(.minutes(5))) struct ProgramGatewayStopTests {
  @Test("At a stop the program sees the end of its input, may end in peace, and leaves no zombie")
  func endOfInput() async throws {
    let script = """
      for line in sys.stdin:
          m = json.loads(line)
          say(ref=m["ref"], outcome="accepted", provider_id="p")
      print("the end", file=sys.stderr, flush=True)
      """
    var pid: Int32 = 0
    var notes: GatewayNotes?
    try await withGateway(python: script) { gateway, log in
      _ = try await gateway.send(.sample(), attempt: 1)
      pid = try #require(log.pids.first)
      #expect(exists(pid))
      notes = log
    }
    #expect(!exists(pid))
    #expect(notes?.errors == ["the end"])
    #expect(notes?.entries("gateway-lost").isEmpty == true)
  }

  @Test("A program that ignores the end of its input gets SIGTERM, though the worker ignores that")
  func terminated() async throws {
    signal(SIGTERM, SIG_IGN)
    defer { signal(SIGTERM, SIG_DFL) }
    let script = """
      def end(*_):
          print("terminated", file=sys.stderr, flush=True)
          os._exit(0)
      signal.signal(signal.SIGTERM, end)
      print("up", file=sys.stderr, flush=True)
      while True: time.sleep(1000)
      """
    var notes: GatewayNotes?
    try await withGateway(python: script, grace: .milliseconds(200)) { _, log in
      try await eventually("it is up") { log.errors == ["up"] }
      notes = log
    }
    #expect(notes?.errors == ["up", "terminated"])
    #expect(notes?.pids.allSatisfy { !exists($0) } == true)
  }

  @Test("A program that ignores SIGTERM as well is killed, with its children")
  func killed() async throws {
    let script = """
      signal.signal(signal.SIGTERM, signal.SIG_IGN)
      os.write(2, b"%d\\n" % os.fork())
      while True: time.sleep(1000)
      """
    var pids: [Int32] = []
    try await withGateway(python: script, grace: .milliseconds(50)) { _, log in
      try await eventually("both are up") { log.errors.count == 2 }
      pids = log.pids + log.errors.compactMap { Int32($0) }.filter { $0 != 0 }
      #expect(pids.count == 2)
    }
    #expect(!exists(pids[0]))
    try await eventually("the child is gone") { !isAlive(pids[1]) }
  }

  @Test("A stopped gateway takes no messages, and can be stopped again")
  func stopped() async throws {
    try await withGateway(["/bin/cat"]) { gateway, _ in
      await gateway.stop()
      await gateway.stop()
      guard case .temporaryFailure("gateway_down", _, _) = try await gateway.send(.sample(), attempt: 1) else {
        Issue.record("not gateway_down")
        return
      }
    }
  }

  @Test("Starting, dying and stopping leave no descriptor open")
  func descriptors() async throws {
    func pipes() throws -> Set<String> {
      let folder = "/proc/self/fd"
      let links = try FileManager.default.contentsOfDirectory(atPath: folder)
        .compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)") }
      return Set(links.filter { $0.hasPrefix("pipe:") })
    }
    // Other tests open and close pipes meanwhile: those that this one opens are told by the bell that comes with them.
    var own: Set<String> = []
    try await withGateway(["/bin/sh", "-c", "read line; exit 1"]) { gateway, notes in
      _ = try? await gateway.send(.sample(), attempt: 1)
      try await eventually("it lives again") { notes.pids.count == 2 }
      for descriptor in [gateway.wakePipe.reads, gateway.wakePipe.writes] {
        own.insert(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)"))
      }
      let program = try #require(notes.pids.last)
      for stream in 0...2 {
        own.insert(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(program)/fd/\(stream)"))
      }
    }
    #expect(own.count == 4)
    #expect(try pipes().isDisjoint(with: own))
  }
}
