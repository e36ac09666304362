import Foundation
import TestSupport
import Testing

@testable import Gateways

@Suite struct SimulatedGatewayTests {
  private func options(_ change: (inout SimulatorOptions) -> Void) -> SimulatorOptions {
    var options = SimulatorOptions()
    change(&options)
    return options
  }

  /// What happened to a try, as text, so that outcomes can be compared.
  private func outcome(_ gateway: SimulatedGateway, id: String, attempt: Int = 1) async throws -> String {
    do {
      return "\(try await gateway.send(.sample(id: id), attempt: attempt))"
    } catch is GatewayConnectionLost {
      return "dropped"
    }
  }

  @Test("Without options every message is accepted, with its segments and an id like the provider's")
  func accepts() async throws {
    let gateway = SimulatedGateway(SimulatorOptions())
    let answer = try await gateway.send(.sample(text: String(repeating: "a", count: 161)), attempt: 1)
    guard case .accepted(let providerID, let segments) = answer else {
      Issue.record("\(answer)")
      return
    }
    #expect(segments == 2)
    #expect(providerID.wholeMatch(of: /SM[0-9a-f]{32}/) != nil)
    #expect(gateway.counts.accepted == 1)
  }

  @Test("Its books have a line for each message taken, those whose answer was dropped included, and none for others")
  func books() async throws {
    var template = Array("/tmp/smsq-books-XXXXXX".utf8CString)
    close(mkstemp(&template))
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { unlink(path) }
    let accepting = SimulatedGateway(options { $0.ledgerPath = path })
    _ = try await accepting.send(.sample(id: "a b"), attempt: 2)
    let dropping = SimulatedGateway(options { ($0.ledgerPath, $0.dropRatio) = (path, 1) })
    await #expect(throws: GatewayConnectionLost()) { try await dropping.send(.sample(id: "c"), attempt: 1) }
    let failing = SimulatedGateway(options { ($0.ledgerPath, $0.failureRatio) = (path, 1) })
    _ = try await failing.send(.sample(id: "d"), attempt: 1)
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(lines.map { $0.split(separator: " ").dropLast().joined(separator: " ") } == ["a b 2", "c 1"])
    let times = lines.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }.map { $0 / 1_000_000 }
    #expect(times.count == 2 && times == times.sorted())
    #expect(abs(Date.now.timeIntervalSince1970 - times[0]) < 3600)
  }

  @Test("A message that cannot be written into the books is not taken")
  func noBooks() async {
    let gateway = SimulatedGateway(options { $0.ledgerPath = "/nowhere/books" })
    await #expect(throws: SimulatorLedger.Failure.self) { try await gateway.send(.sample(), attempt: 1) }
    #expect(gateway.counts.accepted == 0)
  }

  @Test("Each ratio of 1 gives its outcome, and the counts counts it")
  func outcomes() async throws {
    let failing = SimulatedGateway(options { $0.failureRatio = 1 })
    #expect(
      try await failing.send(.sample(), attempt: 1)
        == .temporaryFailure(code: "system_error", reason: "simulated system error", retryAfter: nil)
    )
    #expect(failing.counts == .init(temporary: 1))

    let throttling = SimulatedGateway(options { $0.throttleRatio = 1 })
    #expect(
      try await throttling.send(.sample(), attempt: 1)
        == .throttled(code: "throttled", reason: "simulated throttling", retryAfter: .seconds(1))
    )

    let refusing = SimulatedGateway(options { $0.permanentRatio = 1 })
    #expect(
      try await refusing.send(.sample(), attempt: 1)
        == .permanentFailure(code: "undeliverable", reason: "simulated permanent failure")
    )
    #expect(refusing.counts == .init(permanent: 1))

    let dropping = SimulatedGateway(options { $0.dropRatio = 1 })
    await #expect(throws: GatewayConnectionLost()) { try await dropping.send(.sample(), attempt: 1) }
    #expect(dropping.counts == .init(accepted: 1, dropped: 1))
  }

  @Test("Outcomes come in the shares that were asked for")
  func shares() async throws {
    let gateway = SimulatedGateway(
      options {
        $0.failureRatio = 0.2
        $0.throttleRatio = 0.1
        $0.permanentRatio = 0.05
        $0.dropRatio = 0.05
      }
    )
    for number in 0..<20_000 { _ = try await outcome(gateway, id: "message-\(number)") }
    let counts = gateway.counts
    #expect((5_700...6_300).contains(counts.temporary + counts.throttled))
    #expect((900...1_100).contains(counts.permanent))
    #expect((900...1_100).contains(counts.dropped))
    #expect(counts.accepted + counts.temporary + counts.throttled + counts.permanent == 20_000)
  }

  @Test("The same seed gives the same outcomes in any order, and another seed others")
  func repeatable() async throws {
    let half = options {
      $0.failureRatio = 0.5
      $0.seed = 1
    }
    let tries = (0..<200).flatMap { id in [1, 2].map { (id: "\(id)", attempt: $0) } }
    func outcomes(_ options: SimulatorOptions, order: [(id: String, attempt: Int)]) async throws -> [String: String] {
      let gateway = SimulatedGateway(options)
      var outcomes: [String: String] = [:]
      for (id, attempt) in order {
        outcomes["\(id) \(attempt)"] = try await outcome(gateway, id: id, attempt: attempt)
      }
      return outcomes
    }
    let first = try await outcomes(half, order: tries)
    #expect(try await outcomes(half, order: tries.reversed()) == first)
    #expect(
      Set(first.values.filter { $0.contains("accepted") }).count == first.values.count { $0.contains("accepted") }
    )
    var other = half
    other.seed = 2
    #expect(try await outcomes(other, order: tries) != first)
    // A second attempt is another draw: a message does not fail for ever.
    #expect(
      (0..<200).contains { first["\($0) 1"]!.contains("system_error") != first["\($0) 2"]!.contains("system_error") }
    )
  }

  @Test("Latency is slept on the clock, within its range, and drawn anew for each message")
  func latency() async throws {
    let clock = TestClock()
    let gateway = SimulatedGateway(options { $0.latency = .milliseconds(10) ... .milliseconds(20) }, clock: clock)
    for id in 0..<50 { _ = try await gateway.send(.sample(id: "\(id)"), attempt: 1) }
    #expect(clock.slept.count == 50)
    #expect(clock.slept.allSatisfy { (.milliseconds(10) ... .milliseconds(20)).contains($0) })
    #expect(Set(clock.slept).count > 40)
  }

  @Test("Without latency nothing is slept")
  func noLatency() async throws {
    let clock = TestClock()
    _ = try await SimulatedGateway(SimulatorOptions(), clock: clock).send(.sample(), attempt: 1)
    #expect(clock.slept.isEmpty)
  }

  @Test("A send that is cancelled during its latency ends at once, and nothing was accepted")
  func cancellation() async throws {
    let gateway = SimulatedGateway(options { $0.latency = .seconds(3600) ... .seconds(3600) })
    let task = Task { try await gateway.send(.sample(), attempt: 1) }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(gateway.counts == .init())
  }

  @Test("Above the cap messages are throttled until the next is due, and a tenth of a second's may come at once")
  func cap() async throws {
    let clock = TestClock()
    let gateway = SimulatedGateway(options { $0.maxPerSecond = 20 }, clock: clock)
    func send() async throws -> GatewayAnswer { try await gateway.send(.sample(), attempt: 1) }
    func throttled(_ milliseconds: Int) -> GatewayAnswer {
      .throttled(
        code: "throttled",
        reason: "too many messages a second",
        retryAfter: .milliseconds(milliseconds)
      )
    }
    _ = try await (send(), send())
    #expect(try await send() == throttled(50))
    clock.advance(by: .milliseconds(20))
    #expect(try await send() == throttled(30))
    clock.advance(by: .milliseconds(30))
    _ = try await send()
    #expect(try await send() == throttled(50))
    // An idle hour saves up no more than the burst.
    clock.advance(by: .seconds(3600))
    _ = try await (send(), send())
    #expect(try await send() == throttled(50))
    #expect(gateway.counts == .init(accepted: 5, throttled: 4))
  }

  @Test("Sends from many tasks at once are all counted")
  func concurrency() async throws {
    let gateway = SimulatedGateway(options { $0.failureRatio = 0.5 })
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<1000 {
        group.addTask { _ = try await gateway.send(.sample(id: "\(number)"), attempt: 1) }
      }
      try await group.waitForAll()
    }
    #expect(gateway.counts.accepted + gateway.counts.temporary == 1000)
  }
}
