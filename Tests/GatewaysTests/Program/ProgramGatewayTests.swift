import Foundation
import SMS
import Synchronization
import TestSupport
import Testing

@testable import Gateways

@Suite(.timeLimit(.minutes(5))) struct ProgramGatewayTests {
  @Test("Outcomes are what the program says")
  func outcomes() async throws {
    let script = """
      answers = {
          "a": dict(outcome="accepted", provider_id="p-1", segments=7),
          "b": dict(outcome="accepted"),
          "c": dict(outcome="retry", code="throttled", reason="slow down", retry_after="2s"),
          "d": dict(outcome="failed", code="21211", reason="no such number"),
          "e": dict(outcome="perhaps"),
          "f": dict(outcome="throttled", code="429", reason="slow down", retry_after=3),
          "g": dict(outcome="unknown", code="504", reason="no answer from the network"),
      }
      for line in sys.stdin:
          m = json.loads(line)
          say(ref=m["ref"], **answers[m["id"]])
      """
    try await withGateway(python: script) { gateway, notes in
      let expected: [(id: String, answer: GatewayAnswer)] = [
        ("a", .accepted(providerID: "p-1", segments: 7)),
        ("b", .accepted(providerID: "", segments: 1)),
        ("c", .throttled(code: "throttled", reason: "slow down", retryAfter: .seconds(2))),
        ("d", .permanentFailure(code: "21211", reason: "no such number")),
        ("f", .throttled(code: "429", reason: "slow down", retryAfter: .seconds(3))),
        ("g", .unknown(code: "504", reason: "no answer from the network")),
      ]
      for (id, answer) in expected {
        let given = try await gateway.send(.sample(id: id), attempt: 1)
        #expect(given == answer)
      }
      let unanswered = try await gateway.send(.sample(id: "e"), attempt: 1)
      #expect(unanswered.code == "no_answer")
      #expect(notes.pids.count == 1)
    }
  }

  @Test("A thousand in flight at once are answered in any order, each by its own answer")
  func outOfOrder() async throws {
    let script = """
      import random
      got = [json.loads(sys.stdin.readline()) for _ in range(1000)]
      random.Random(1).shuffle(got)
      for m in got: say(ref=m["ref"], outcome="accepted", provider_id=m["id"])
      sys.stdin.read()
      """
    try await withGateway(python: script) { gateway, _ in
      let answers = try await withThrowingTaskGroup(of: (String, GatewayAnswer).self) { group in
        for number in 0..<1000 {
          group.addTask { ("\(number)", try await gateway.send(.sample(id: "\(number)"), attempt: 1)) }
        }
        return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
      }
      #expect(answers.count == 1000)
      #expect(answers.allSatisfy { $1 == .accepted(providerID: $0, segments: 1) })
    }
  }

  @Test("Two messages with the same id are two requests")
  func sameID() async throws {
    let script = """
      one, two = (json.loads(sys.stdin.readline()) for _ in "12")
      for m in two, one: say(ref=m["ref"], outcome="accepted", provider_id=m["text"])
      sys.stdin.read()
      """
    try await withGateway(python: script) { gateway, _ in
      async let one = gateway.send(.sample(text: "one"), attempt: 1)
      async let two = gateway.send(.sample(text: "two"), attempt: 1)
      let answers = try await [one, two]
      #expect(answers == [.accepted(providerID: "one", segments: 1), .accepted(providerID: "two", segments: 1)])
    }
  }

  @Test("A message that the program had when it died has no answer, and the next one goes to its next life")
  func death() async throws {
    let script = """
      for line in sys.stdin:
          m = json.loads(line)
          if m["id"] == "deadly": os._exit(3)
          say(ref=m["ref"], outcome="accepted", provider_id=str(os.getpid()))
      """
    try await withGateway(python: script) { gateway, notes in
      let lost = try await gateway.send(.sample(id: "deadly"), attempt: 1)
      #expect(
        lost == .unknown(code: "no_answer", reason: "the gateway program had the message and ended (exit code 3)")
      )
      let answer = try await gateway.send(.sample(), attempt: 1)
      try #require(notes.pids.count == 2)
      #expect(answer == .accepted(providerID: "\(notes.pids[1])", segments: 1))
      #expect(!exists(notes.pids[0]))
      let loss = try #require(notes.entries("gateway-lost").first)
      #expect(loss.fields["reason"] == "the program ended (exit code 3)")
      #expect(loss.fields["unanswered"] == "1")
    }
  }

  @Test("What a dying program never read is not lost: its next life gets it")
  func unread() async throws {
    let mark = "/tmp/smsq-gateway-\(UUID())"
    defer { try? FileManager.default.removeItem(atPath: mark) }
    // The first life reads one line, byte by byte, waits until there is another, and dies.
    let script = """
      import fcntl, struct, termios
      if os.path.exists("\(mark)"):
          for line in sys.stdin:
              m = json.loads(line)
              say(ref=m["ref"], outcome="accepted", provider_id=m["id"])
          sys.exit()
      open("\(mark)", "w").close()
      while os.read(0, 1) != b"\\n": pass
      while struct.unpack("i", fcntl.ioctl(0, termios.FIONREAD, b"1234"))[0] == 0: time.sleep(0.001)
      os.kill(os.getpid(), signal.SIGKILL)
      """
    try await withGateway(python: script) { gateway, notes in
      let outcomes = try await withThrowingTaskGroup(of: Bool.self) { group in
        for number in 0..<20 {
          group.addTask {
            let answer = try await gateway.send(.sample(id: "\(number)"), attempt: 1)
            if answer != .accepted(providerID: "\(number)", segments: 1) { #expect(answer.code == "no_answer") }
            return answer.code == nil
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.count(where: { !$0 }) == 1)
      #expect(outcomes.count == 20)
      #expect(notes.entries("gateway-lost").first?.fields["reason"] == "the program ended (signal 9)")
    }
  }

  @Test("A message for a program that cannot stay up was not sent, and says so")
  func gatewayDown() async throws {
    try await withGateway(["/bin/sh", "-c", "exit 1"], timeout: .milliseconds(300)) { gateway, notes in
      guard case .temporaryFailure("gateway_down", _, nil) = try await gateway.send(.sample(), attempt: 1) else {
        Issue.record("not gateway_down")
        return
      }
      #expect(notes.pids.count > 1)
    }
  }

  @Test("A program that does not read holds up nobody but those whose messages wait for it")
  func slowReader() async throws {
    let text = String(repeating: "x", count: 30_000)
    try await withGateway(["/bin/sleep", "1000"], timeout: .seconds(1), grace: .milliseconds(50)) { gateway, notes in
      let outcomes = try await withThrowingTaskGroup(of: String.self) { group in
        // More than a pipe holds.
        for _ in 0..<10 {
          group.addTask {
            try await gateway.send(.sample(text: text), attempt: 1).code ?? "sent"
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      // It read nothing, so none of them can have been sent. And it is not the one to wait for.
      #expect(outcomes == Array(repeating: "gateway_down", count: 10))
      try await eventually("another life is tried") { notes.pids.count > 1 }
    }
  }

  @Test("Cancellation ends a wait at once, and says which messages the program never had")
  func cancellation() async throws {
    let script = """
      sys.stdin.readline()
      print("read", file=sys.stderr, flush=True)
      time.sleep(1000)
      """
    try await withGateway(python: script, grace: .milliseconds(50)) { gateway, notes in
      let sending = Task { try await gateway.send(.sample(), attempt: 1) }
      try await eventually("the program has it") { notes.errors == ["read"] }
      sending.cancel()
      await #expect(throws: CancellationError.self) { try await sending.value }

      // As long as a text can be: a pipe holds one of them and a part of the next.
      let large = try TextMessage.sample(text: String(repeating: "x", count: 39_000))
      let waiting = (0..<10).map { _ in Task { try await gateway.send(large, attempt: 1) } }
      for task in waiting { task.cancel() }
      var neverHad = 0
      for task in waiting {
        do {
          _ = try await task.value
          Issue.record("answered")
        } catch is NotHandedOver {
          neverHad += 1
        } catch {
          #expect(error is CancellationError)
        }
      }
      // On a busy host one life of the program after the other may be given some.
      #expect(neverHad > 0)
    }
  }

  @Test("The program can be missing, not executable, or a folder: the error says so")
  func cannotStart() throws {
    func code(_ program: String) throws -> Int32? {
      do {
        try Coprocess.start([program]).signal(SIGKILL)
        return nil
      } catch {
        #expect(error.description.contains(program))
        #expect(!error.isTemporary)
        return error.code
      }
    }
    #expect(try code("/no/such/program") == ENOENT)
    #expect(try code("no-such-program") == ENOENT)
    #expect(try code("/etc/passwd") == EACCES)
    #expect(try code("/tmp") == EACCES)
  }
}
