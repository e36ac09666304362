import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("ClaimedMessage")
struct ClaimedMessageTests {
  private func claim(_ limit: Int, from test: TestQueue, number: Int = 0) async throws -> [ClaimedMessage] {
    _ = try await test.queue.join(.own, lease: .seconds(60))
    let request = ClaimRequest(life: .own, firstNumber: number, limit: limit)
    let turn = try await test.queue.turn(settling: [], claiming: request)
    return try #require(turn.claimed).messages
  }

  @Test("A payload of any bytes is claimed as it was pushed")
  func anyBytes() async throws {
    let test = TestQueue(on: try await .shared())
    let payloads: [[UInt8]] = [[], [0, 10, 0xFF], bytes("smsq1 "), bytes("smsq1 {nonsense}\nx"), bytes("ä\r\n")]
    for payload in payloads {
      var push = RedisCommand("LPUSH", test.name.description)
      push.append(payload)
      _ = try await test.redis.run(push)
    }
    let claimed = try await claim(10, from: test)
    #expect(claimed.map(\.payload) == payloads)
    #expect(claimed.allSatisfy { $0.history == MessageHistory() && $0.attempt == 1 && $0.assignedID == $0.claimID })
  }

  @Test("A message that came back is claimed with its history, and keeps its id")
  func history() async throws {
    let test = TestQueue(on: try await .shared())
    let element = Element(history: .init(id: "9-1", failures: 2, crashes: 1), payload: bytes("hi"))
    var push = RedisCommand("LPUSH", test.name.description)
    push.append(element.sealed)
    _ = try await test.redis.run(push)
    let message = try #require(try await claim(1, from: test).first)
    #expect(message.queue == test.name.description)
    #expect(message.claimID == "5f-0000000000")
    #expect(message.assignedID == "9-1")
    #expect(message.attempt == 4)
    #expect(message.payload == bytes("hi"))
    #expect(message.element(failures: 1).history == .init(id: "9-1", failures: 3, crashes: 1))
    #expect(message.element(crashes: 1, reason: "poison").reason == "poison")
  }

  @Test("One call claims 500 at most")
  func most() async throws {
    let test = TestQueue(on: try await .shared())
    let numbers = (1...1200).map { "\($0)" }
    _ = try await test.queue.enqueue(numbers.map { OutgoingMessage(payload: bytes($0)) })
    var claimed: [ClaimedMessage] = []
    for count in [500, 500, 200, 0] {
      let messages = try await claim(10_000, from: test, number: claimed.count)
      #expect(messages.count == count)
      claimed += messages
    }
    #expect(claimed.map(\.payload) == numbers.map(bytes))
    #expect(claimed.map(\.claimID) == (0..<1200).map { WorkerLife.own.claimID($0) })
    #expect(InvariantCheck(try await test.dump()).violations() == [])
  }

  @Test("A call that arrives after its repeat was answered neither overwrites nor strands a message")
  func late() async throws {
    let test = TestQueue(on: try await .shared())
    try await test.run("LPUSH sms a")
    // The first call is still on its way, held up by a proxy; this is its repeat.
    #expect(try await claim(5, from: test).count == 1)
    try await test.run("LPUSH sms b c")
    _ = try await claim(5, from: test)
    #expect(try await test.queue.inspect().claimed == 1)
    #expect(InvariantCheck(try await test.dump()).violations(plainPushes: 3) == [])
    #expect(shown(try await claim(5, from: test, number: 1)) == "01=b 02=c")
  }

  @Test("A late call that does claim, since its repeat found nothing, claims for the worker's next call")
  func lateClaim() async throws {
    let test = TestQueue(on: try await .shared())
    #expect(try await claim(5, from: test).isEmpty)
    try await test.run("LPUSH sms a b")
    _ = try await claim(5, from: test)
    #expect(shown(try await claim(1, from: test)) == "00=a")
    #expect(shown(try await claim(1, from: test, number: 1)) == "01=b")
    #expect(InvariantCheck(try await test.dump()).violations(plainPushes: 2) == [])
  }
}
