import Foundation
import TestSupport
import Testing

@testable import Gateways

@Suite(.timeLimit(.minutes(5))) struct ProgramGatewayTimeoutTests {
  @Test("Of 3,100 messages one hangs: it alone is unknown, all others are sent, and none is sent twice")
  func oneHangs() async throws {
    let sent = "/tmp/smsq-gateway-\(UUID())"
    defer { try? FileManager.default.removeItem(atPath: sent) }
    let script = """
      from concurrent.futures import ThreadPoolExecutor
      log = os.open("\(sent)", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
      def send(m):
          os.write(log, (m["id"] + "\\n").encode())
          if m["id"] == "hangs": time.sleep(1000)
          time.sleep(0.3)
          os.write(1, (json.dumps(dict(ref=m["ref"], outcome="accepted", provider_id="p")) + "\\n").encode())
      pool = ThreadPoolExecutor(100)
      for line in sys.stdin: pool.submit(send, json.loads(line))
      os._exit(0)
      """
    try await withGateway(python: script, timeout: .seconds(8)) { gateway, notes in
      let codes = try await withThrowingTaskGroup(of: (String, String?).self) { group in
        var codes: [String: String?] = [:]
        for number in 0..<3_100 {
          // As a worker would, with 500 in hand.
          if number >= 500, let (id, code) = try await group.next() { codes[id] = code }
          let id = number == 100 ? "hangs" : "\(number)"
          group.addTask { (id, try await gateway.send(.sample(id: id), attempt: 1).code) }
        }
        return try await group.reduce(into: codes) { $0[$1.0] = $1.1 }
      }
      #expect(codes.count == 3_100)
      #expect(codes.filter { $1 != nil }.count == 1)
      #expect(codes["hangs"] == "no_answer")
      let lines = try String(contentsOfFile: sent, encoding: .utf8).split(separator: "\n")
      #expect(lines.count == 3_100)
      #expect(Set(lines).count == 3_100)

      #expect(notes.pids.count == 2)
      let lost = try #require(notes.entries("gateway-lost").first)
      #expect(lost.fields["pid"] == "\(notes.pids[0])")
      #expect(lost.fields["unanswered"] == "1")
      #expect(lost.fields["restart_in_ms"] == "0")
      #expect(lost.fields["reason"]?.contains("did not answer within 8.0 seconds") == true)
      // Having answered all that it could, it was told to end, and did.
      try await eventually("the old life has ended") { notes.entries("gateway-ended").count == 1 }
      #expect(notes.entries("gateway-ended")[0].fields["pid"] == "\(notes.pids[0])")
      #expect(notes.entries("gateway-ended")[0].fields["unanswered"] == "0")
      #expect(!exists(notes.pids[0]))
    }
  }

  @Test(
    "A program that handles one message after the other keeps none back when it hangs, and is killed with its children"
  )
  func sequential() async throws {
    let script = """
      sleep 1000 & echo $! >&2
      trap '' TERM
      while read -r line; do
        case $line in *'"id":"hangs"'*) sleep 1000 ;; esac
        \(GatewayNotes.shellAnswer)
      done
      """
    try await withGateway(["/bin/sh", "-c", script], timeout: .seconds(4), grace: .milliseconds(50)) { gateway, notes in
      try await eventually("the child is there") { !notes.errors.isEmpty }
      let child = try #require(notes.errors.first.flatMap { Int32($0) })
      #expect(isAlive(child))
      let codes = try await withThrowingTaskGroup(of: String?.self) { group in
        for id in ["hangs"] + (0..<50).map({ "\($0)" }) {
          group.addTask { try await gateway.send(.sample(id: id), attempt: 1).code }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(codes.count(where: { $0 == nil }) == 50)
      #expect(codes.compactMap(\.self) == ["no_answer"])
      try await eventually("the old life has ended") { notes.entries("gateway-ended").count == 1 }
      #expect(!exists(notes.pids[0]))
      try await eventually("the child is gone") { !isAlive(child) }
      #expect(notes.entries("gateway-ended")[0].fields["reason"] == "the program had to be killed (signal 9)")
    }
  }

  @Test("Where each life hangs, no more than two live at once, and all are gone at the end")
  func eachHangs() async throws {
    let script = "trap '' TERM; read -r line; sleep 1000"
    var pids: [Int32] = []
    try await withGateway(["/bin/sh", "-c", script], timeout: .seconds(1), grace: .seconds(2)) { gateway, notes in
      for id in 0..<4 {
        let answer = try await gateway.send(.sample(id: "\(id)"), attempt: 1)
        // On a busy machine a life may not come to read at all.
        #expect(answer.code == "no_answer" || answer.code == "gateway_down")
        #expect(notes.pids.filter(isAlive).count <= 2)
      }
      #expect(
        notes.entries("gateway-ended").contains { $0.fields["reason"]?.contains("the next one was late") == true }
      )
      pids = notes.pids
    }
    #expect(pids.count >= 4)
    #expect(pids.allSatisfy { !exists($0) })
  }

  @Test("An answer after the time-out is noise of its own kind, and what is in hand beside it is still waited for")
  func lateAnswer() async throws {
    let go = "/tmp/smsq-gateway-\(UUID())"
    defer { try? FileManager.default.removeItem(atPath: go) }
    let script = """
      slow = json.loads(sys.stdin.readline())
      time.sleep(1.5)
      print("next", file=sys.stderr, flush=True)
      other = json.loads(sys.stdin.readline())
      print("both", file=sys.stderr, flush=True)
      while not os.path.exists("\(go)"): time.sleep(0.001)
      say(ref=slow["ref"], outcome="accepted", provider_id="late")
      say(ref=other["ref"], outcome="accepted", provider_id="in time")
      sys.stdin.read()
      print("the end", file=sys.stderr, flush=True)
      """
    try await withGateway(python: script, timeout: .seconds(3)) { gateway, notes in
      async let slow = gateway.send(.sample(id: "slow"), attempt: 1)
      try await eventually("the slow one is in hand") { notes.errors == ["next"] }
      async let other = gateway.send(.sample(id: "other"), attempt: 1)
      try await eventually("both are in hand") { notes.errors == ["next", "both"] }
      let late = try await slow
      #expect(late.code == "no_answer")
      #expect(FileManager.default.createFile(atPath: go, contents: nil))
      let inTime = try await other
      #expect(inTime == .accepted(providerID: "in time", segments: 1))
      #expect(notes.entries("gateway-noise").map { $0.fields["what"] } == [GatewayNoise.Kind.late.rawValue])
      #expect(notes.entries("gateway-lost").first?.fields["in_hand"] == "1")
      // It sees the end of its input, and may end in peace.
      try await eventually("the old life has ended") { notes.entries("gateway-ended").count == 1 }
      #expect(notes.errors.contains("the end"))
      #expect(notes.entries("gateway-ended")[0].fields["reason"] == "the program ended (exit code 0)")
    }
  }
}
