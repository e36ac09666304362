import Foundation
import Glibc
import SMS
import Synchronization
import TestSupport
import Testing

@testable import Gateways

@Suite(.timeLimit(.minutes(5))) struct HandOverTests {
  /// A present, in Unix ms, and a lease, that the test sets.
  private final class World: MessageHolder {
    let time = Mutex<Int64>(0)
    let hasLease = Mutex(true)

    var holds: @Sendable () -> Bool { { self.hasLease.withLock { $0 } } }
    var now: @Sendable () -> Int64 { { self.time.withLock { $0 } } }

    var attempt: Attempt { Attempt(1, for: self) }
  }

  /// Names each message that it reads, and says when another one lies ready. Answers once `go` is there.
  private func script(_ go: String) -> String {
    """
    import fcntl, struct, termios
    def say_error(text): print(text, file=sys.stderr, flush=True)
    def unread(): return struct.unpack("i", fcntl.ioctl(0, termios.FIONREAD, b"1234"))[0]
    for line in sys.stdin:
        m = json.loads(line)
        say_error("read " + m["id"])
        while not os.path.exists("\(go)"):
            if m["id"] == "first" and unread(): say_error("another"); m["id"] = "told"
            time.sleep(0.001)
        say(ref=m["ref"], outcome="accepted", provider_id="p")
    """
  }

  @Test(
    "A message whose time is over while it lies ready for a busy program is taken back, and the program never sees it",
    arguments: ["expiry", "lease", "cancellation"]
  )
  func takenBack(cause: String) async throws {
    let go = "/tmp/smsq-gateway-\(UUID())"
    defer { try? FileManager.default.removeItem(atPath: go) }
    let world = World()
    try await withGateway(python: script(go)) { gateway, notes in
      async let first = gateway.send(.sample(id: "first"), attempt: 1)
      try await eventually("the program is busy") { notes.errors == ["read first"] }
      let second = Task {
        let message = try TextMessage.sample(id: "second", expiresAt: cause == "expiry" ? 1_000 : nil)
        return try await gateway.send(message, attempt: world.attempt)
      }
      try await eventually("the next one lies ready") { notes.errors == ["read first", "another"] }
      async let third = gateway.send(.sample(id: "third"), attempt: 1)
      switch cause {
      case "expiry": world.time.withLock { $0 = 1_000 }
      case "lease": world.hasLease.withLock { $0 = false }
      default: second.cancel()
      }
      if cause == "cancellation" {
        await #expect(throws: CancellationError.self) { try await second.value }
        // The line is taken back when the pipe is looked at next, of which nothing tells; so does what comes behind it.
        try await eventually("it is taken back") { gateway.state.withLock { !$0.requests.mustTakeBack(from: 1) } }
      } else {
        await #expect(throws: NotHandedOver.self) { try await second.value }
      }
      #expect(FileManager.default.createFile(atPath: go, contents: nil))
      let answers = try await [first, third]
      #expect(answers == Array(repeating: .accepted(providerID: "p", segments: 1), count: 2))
      #expect(notes.errors == ["read first", "another", "read third"])
    }
  }

  @Test("A message that the program has begun to read is not taken back")
  func begun() async throws {
    let go = "/tmp/smsq-gateway-\(UUID())"
    defer { try? FileManager.default.removeItem(atPath: go) }
    let script = """
      start = os.read(0, 5)
      print("begun", file=sys.stderr, flush=True)
      while not os.path.exists("\(go)"): time.sleep(0.001)
      m = json.loads(start.decode() + sys.stdin.readline())
      say(ref=m["ref"], outcome="accepted", provider_id=m["id"])
      sys.stdin.read()
      """
    let world = World()
    try await withGateway(python: script) { gateway, notes in
      let sending = Task { try await gateway.send(.sample(id: "x", expiresAt: 1_000), attempt: world.attempt) }
      try await eventually("it has begun") { notes.errors == ["begun"] }
      world.time.withLock { $0 = 1_000 }
      // It is in the program's hand, as another look at the pipe has told.
      try await eventually("that is known") { gateway.state.withLock { $0.requests.owed(by: 1) } == 1 }
      #expect(FileManager.default.createFile(atPath: go, contents: nil))
      let answer = try await sending.value
      #expect(answer == .accepted(providerID: "x", segments: 1))
    }
  }

  @Test("A message that expires, or is lost with its lease, while the program is down, is not handed over")
  func down() async throws {
    let world = World()
    try await withGateway(["/bin/sh", "-c", "exit 1"], timeout: .seconds(60)) { gateway, _ in
      let expiring = Task { try await gateway.send(.sample(expiresAt: 1_000), attempt: world.attempt) }
      world.time.withLock { $0 = 1_000 }
      await #expect(throws: NotHandedOver.self) { try await expiring.value }
      let held = Task { try await gateway.send(.sample(), attempt: world.attempt) }
      world.hasLease.withLock { $0 = false }
      await #expect(throws: NotHandedOver.self) { try await held.value }
    }
  }

  @Test("At a stop, what the program has not read is taken back, and was not sent")
  func stop() async throws {
    let script = """
      import fcntl, struct, termios
      def unread(): return struct.unpack("i", fcntl.ioctl(0, termios.FIONREAD, b"1234"))[0]
      os.read(0, 4096)
      print("one", file=sys.stderr, flush=True)
      while not unread(): time.sleep(0.001)
      print("another", file=sys.stderr, flush=True)
      while unread(): time.sleep(0.001)
      print("rest:", os.read(0, 4096), file=sys.stderr, flush=True)
      """
    try await withGateway(python: script) { gateway, notes in
      async let one = gateway.send(.sample(id: "one"), attempt: 1)
      try await eventually("one is read") { notes.errors == ["one"] }
      async let another = gateway.send(.sample(id: "another"), attempt: 1)
      try await eventually("another lies ready") { notes.errors == ["one", "another"] }
      await gateway.stop()
      let answers = try await [one, another]
      #expect(answers.map(\.code) == ["no_answer", "gateway_down"])
      #expect(notes.errors == ["one", "another", "rest: b''"])
    }
  }

  @Test("The program's input is writable when it is empty, and what is in it can be taken out again")
  func pipe() throws {
    let program = try Coprocess.start(["/bin/sleep", "1000"])
    defer {
      program.signal(SIGKILL)
      _ = program.reap()
      for descriptor in [program.input, program.output, program.errors] { close(descriptor) }
    }
    func isWritable() -> Bool {
      var entry = pollfd(fd: program.input, events: Int16(POLLOUT), revents: 0)
      return poll(&entry, 1, 0) > 0
    }
    #expect(isWritable())
    for count in [1, 2_000, 4_096] {
      #expect(write(program.input, [UInt8](repeating: 0, count: count), count) == count)
      #expect(!isWritable())
      #expect(program.unreadInput == count)
      #expect(program.takeBackInput() == count)
      #expect(program.unreadInput == 0)
      #expect(isWritable())
    }
    #expect(program.takeBackInput() == 0)
  }
}
