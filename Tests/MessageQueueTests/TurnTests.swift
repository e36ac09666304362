import MessageQueue
import RedisClient
import TestSupport
import Testing

@Suite("Turn")
struct TurnTests {
  @Test("A turn settles and claims in one round trip, and may be repeated")
  func turn() async throws {
    let test = TestQueue(on: try await .shared())
    _ = try await test.queue.join(.own, lease: .seconds(60))
    try await test.run("LPUSH sms a b c")
    var request = ClaimRequest(life: .own, firstNumber: 0, limit: 2)
    var turn = try await test.queue.turn(settling: [], claiming: request)
    let hand = try #require(turn.claimed).messages
    #expect(shown(hand) == "00=a 01=b")

    let settlements = [
      Settlement(claimID: hand[0].claimID, .sent), Settlement(claimID: hand[1].claimID, .back(hand[1].element())),
    ]
    request = ClaimRequest(life: .own, firstNumber: 2, limit: 5)
    for isRepeat in [false, true] {
      turn = try await test.queue.turn(settling: settlements, claiming: request)
      #expect(turn.settled == (isRepeat ? 0 : 2))
      // What was given back is claimed again, with the id of its first claim.
      #expect(turn.claimed.map { shown($0.messages) } == "02=b<5f-0000000001> 03=c")
    }
    #expect(InvariantCheck(try await test.dump()).violations(plainPushes: 3) == [])
  }

  @Test("A life that is fenced gets neither, and leaves everything as it was")
  func fenced() async throws {
    let test = TestQueue(on: try await .shared())
    for command in ["LPUSH sms b", "ZADD {sms}:workers 0 w@5f", "HSET {sms}:claimed:w@5f 5f-0000000000 a"] {
      try await test.run(command)
    }
    let before = try await test.dump().lines
    let turn = try await test.queue.turn(
      settling: [Settlement(claimID: WorkerLife.own.claimID(0), .sent)],
      claiming: ClaimRequest(life: .own, firstNumber: 1, limit: 5)
    )
    #expect(turn.settled == nil)
    #expect(turn.claimed == nil)
    #expect(try await test.dump().lines == before)
  }

  @Test("What was queued, claimed and settled outlives a power cut of a Redis that syncs before it answers")
  func powerCut() async throws {
    let server = try await RedisServer(appendOnly: true)
    let test = TestQueue(on: server)
    _ = try await test.queue.enqueue(["a", "b", "c", "d", "e"].map { OutgoingMessage(payload: bytes($0)) })
    _ = try await test.queue.enqueue([OutgoingMessage(payload: bytes("f"), due: .after(.seconds(600)))])
    _ = try await test.queue.join(.own, lease: .seconds(600))
    let claim = ClaimRequest(life: .own, firstNumber: 0, limit: 4)
    let hand = try #require(
      try await test.queue.turn(settling: [], claiming: claim).claimed
    ).messages
    let settlements = [
      Settlement(claimID: hand[0].claimID, .sent),
      Settlement(claimID: hand[1].claimID, .dead(hand[1].element(reason: "why"))),
      Settlement(claimID: hand[2].claimID, .retry(hand[2].element(failures: 1), after: .seconds(600))),
    ]
    _ = try await test.queue.settle(settlements, of: .own(.own))
    let before = try await test.dump()
    try await server.restart()
    _ = try? await test.redis.run(RedisCommand("PING"))
    let after = try await test.dump()
    #expect(after.values == before.values)
    #expect(InvariantCheck(after).violations() == [])
  }
}
