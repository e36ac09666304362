import Foundation
import TestSupport
import Testing

@testable import Gateways

@Suite(.timeLimit(.minutes(5))) struct HostileProgramTests {
  /// Answers properly after `misdeed`, which may use `m`.
  private func script(_ misdeed: String) -> String {
    """
    for line in sys.stdin:
        m = json.loads(line)
        \(misdeed)
        say(ref=m["ref"], outcome="accepted", provider_id="p")
    """
  }

  @Test(
    "What is no answer is logged once for each kind, without its content, and the real answer is found behind it",
    arguments: [
      (#"for _ in range(1000): print("secret, not JSON")"#, GatewayNoise.Kind.unreadable),
      (#"for _ in range(1000): print('{"ref":"secret"}')"#, .unreadable),
      (#"print("[" * 100000)"#, .unreadable),
      (#"os.write(1, b"\0\0secret\0\n")"#, .unreadable),
      (#"os.write(1, b'{"ref":1,"reason":"\xff"}\n')"#, .unreadable),
      (#"say(ref=10**30, outcome="accepted")"#, .unreadable),
      (#"say(ref=77, outcome="accepted", provider_id="secret")"#, .unknownRef),
      (#"say(ref=0, outcome="failed")"#, .unknownRef),
      (#"print("x" * (3 << 20))"#, .tooLong),
    ]
  )
  func noise(misdeed: String, kind: GatewayNoise.Kind) async throws {
    try await withGateway(python: script(misdeed)) { gateway, notes in
      let answer = try await gateway.send(.sample(), attempt: 1)
      #expect(answer == .accepted(providerID: "p", segments: 1))
      let noises = notes.entries("gateway-noise")
      #expect(noises.map { $0.fields["what"] } == [kind.rawValue])
      #expect(!noises.description.contains("secret"))
    }
  }

  @Test("A second answer to one message counts for nothing")
  func secondAnswer() async throws {
    let misdeed = #"say(ref=m["ref"], outcome="accepted", provider_id="first")"#
    try await withGateway(python: script(misdeed)) { gateway, notes in
      let answer = try await gateway.send(.sample(), attempt: 1)
      #expect(answer == .accepted(providerID: "first", segments: 1))
      try await eventually("the second one is noticed") { notes.entries("gateway-noise").count == 1 }
    }
  }

  @Test("A flood on standard error comes through in bounded lines and does not stop the answers")
  func errorFlood() async throws {
    let misdeed = #"sys.stderr.write("e" * (1 << 20) + "\n" + "line\n" * 50000); sys.stderr.flush()"#
    try await withGateway(python: script(misdeed)) { gateway, notes in
      let answer = try await gateway.send(.sample(), attempt: 1)
      #expect(answer == .accepted(providerID: "p", segments: 1))
      try await eventually("all lines are there") { notes.errors.count == 50_001 }
      #expect(notes.errors[0].utf8.count == 4096)
      #expect(notes.errors[50_000] == "line")
    }
  }

  @Test(
    "A program that closes one of its pipes is started again, and messages go on",
    arguments: ["exec 1>&-", "exec 0<&-"]
  )
  func closedPipe(misdeed: String) async throws {
    let mark = "/tmp/smsq-gateway-\(UUID())"
    defer { try? FileManager.default.removeItem(atPath: mark) }
    let script = """
      if [ ! -e \(mark) ]; then
        touch \(mark)
        \(misdeed)
        sleep 1000
      fi
      while read -r line; do \(GatewayNotes.shellAnswer); done
      """
    try await withGateway(["/bin/sh", "-c", script], grace: .milliseconds(50)) { gateway, notes in
      // It read nothing, so the next life gets the message.
      let answer = try await gateway.send(.sample(), attempt: 1)
      #expect(answer == .accepted(providerID: "p", segments: 1))
      #expect(notes.pids.count == 2)
    }
  }

  @Test("Without standard error a program works as well")
  func closedErrors() async throws {
    try await withGateway(python: script("os.close(2) if m['attempt'] == 1 else None")) { gateway, notes in
      for attempt in 1...3 {
        let answer = try await gateway.send(.sample(), attempt: attempt)
        #expect(answer == .accepted(providerID: "p", segments: 1))
      }
      #expect(notes.pids.count == 1)
    }
  }

  @Test("The last words of a dying program are heard, also without a line feed")
  func lastWords() async throws {
    let misdeed = #"os.write(1, b'{"ref":%d,"outcome":"accepted"}' % m["ref"]); os.write(2, b"bye"); os._exit(1)"#
    try await withGateway(python: script(misdeed)) { gateway, notes in
      let answer = try await gateway.send(.sample(), attempt: 1)
      #expect(answer == .accepted(providerID: "", segments: 1))
      try await eventually("its last words") { notes.errors.contains("bye") }
    }
  }

  @Test("A program that leaves its pipes to a child and dies is noticed")
  func leftToChild() async throws {
    try await withGateway(["/bin/sh", "-c", "read -r line; sleep 1000 & exit 0"]) { gateway, notes in
      let unanswered = try await gateway.send(.sample(), attempt: 1)
      #expect(unanswered.code == "no_answer")
      try await eventually("it is said") {
        notes.entries("gateway-lost").first?.fields["reason"] == "the program ended (exit code 0)"
      }
    }
  }
}
