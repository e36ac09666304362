import MessageQueue
import RedisClient
import TestSupport
import Testing

/// Messages that have been in hand in crashes, and may be what caused them.
@Suite struct SuspectTests {
  private let test: TestQueue

  init() async throws {
    test = TestQueue(on: try await .shared())
    _ = try await test.queue.join(.own, lease: .seconds(60))
  }

  private func push(_ payload: String, crashes: Int = 0) async throws {
    let element = Element(history: .init(id: payload, crashes: crashes), payload: bytes(payload))
    var push = RedisCommand("LPUSH", test.name.description)
    push.append(crashes == 0 ? bytes(payload) : element.sealed)
    _ = try await test.redis.run(push)
  }

  private func claim(_ number: Int = 0, emptyHanded: Bool) async throws -> ClaimAnswer {
    let request = ClaimRequest(
      life: .own,
      firstNumber: number,
      limit: 10,
      suspectAfter: 2,
      isEmptyHanded: emptyHanded
    )
    let turn = try await test.queue.turn(settling: [], claiming: request)
    return try #require(turn.claimed)
  }

  private func payloads(_ answer: ClaimAnswer) -> [String] {
    answer.messages.map { String(decoding: $0.payload, as: UTF8.self) }
  }

  @Test("A claim ends before a suspect, which is then claimed alone")
  func alone() async throws {
    for payload in ["a", "b"] { try await push(payload) }
    try await push("s", crashes: 2)
    try await push("c")

    let first = try await claim(emptyHanded: true)
    #expect(payloads(first) == ["a", "b"])
    #expect(!first.isBlocked && first.waiting == 2)
    let second = try await claim(first.nextNumber, emptyHanded: true)
    #expect(payloads(second) == ["s"])
    let third = try await claim(second.nextNumber, emptyHanded: true)
    #expect(payloads(third) == ["c"])
    #expect(InvariantCheck(try await test.dump()).violations(plainPushes: 4) == [])
  }

  @Test("A suspect waits for an empty hand, and nobody is rung for it meanwhile")
  func blocked() async throws {
    try await push("s", crashes: 2)
    try await push("a")
    let answer = try await claim(emptyHanded: false)
    #expect(payloads(answer).isEmpty)
    #expect(answer.isBlocked && answer.waiting == 2)
    #expect(try await test.dump().values[test.queue.keys.wake] == nil)
    #expect(payloads(try await claim(emptyHanded: true)) == ["s"])
  }

  @Test("A message that was in hand in fewer crashes is claimed with the others")
  func innocent() async throws {
    try await push("a", crashes: 1)
    try await push("b")
    #expect(payloads(try await claim(emptyHanded: false)) == ["a", "b"])
  }

  @Test("A header that cannot be read makes no suspect")
  func unreadable() async throws {
    for element in ["smsq1 {\"crashes\":[2]}\nx", "smsq1 {\"crashes\":2\nx", "smsq1 {\"crashes\":9}", "smsq1 {"] {
      var push = RedisCommand("LPUSH", test.name.description)
      push.append(element)
      _ = try await test.redis.run(push)
    }
    #expect(try await claim(emptyHanded: false).messages.count == 4)
  }
}
