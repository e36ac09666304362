import MessageQueue
import RedisClient
import TestSupport
import Testing

/// Redis looks at a user's rights with each command of a script, when those before it are done.
@Suite struct RightsTests {
  private static let life = WorkerLife(name: "w")

  /// - Returns: a queue with a message waiting, one claimed and one dead, and the same queue for a user who may not do one thing.
  private func queues(without command: String) async throws -> (test: TestQueue, denied: MessageQueue) {
    let server = try await RedisServer(tcp: true)
    let test = TestQueue(on: server)
    _ = try await test.queue.join(Self.life, lease: .seconds(600))
    for text in ["dead", "claimed", "waiting"] {
      _ = try await test.queue.enqueue([OutgoingMessage(payload: Array(text.utf8))])
    }
    let claimed = try #require(try await test.queue.turn(settling: [], claiming: claim(0, 2)).claimed).messages
    let death = Settlement(claimID: claimed[0].claimID, .dead(claimed[0].element(reason: "why")))
    #expect(try await test.queue.settle([death], of: .own(Self.life)) == 1)
    _ = try await server.connection().run(
      RedisCommand("ACL", "SETUSER", "bob", "on", "nopass", "~*", "+@all", "-\(command)")
    )
    guard case .tcp(let host, let port) = server.endpoint.address else { throw NeverHappened(description: "no port") }
    let bob = RedisConnection(to: try RedisEndpoint("redis://bob:@\(host):\(port)"), options: .init(name: "test"))
    return (test, MessageQueue(test.name, on: bob))
  }

  private func claim(_ number: Int, _ limit: Int) -> ClaimRequest {
    ClaimRequest(life: Self.life, firstNumber: number, limit: limit)
  }

  private func claimed(_ test: TestQueue) async throws -> ClaimedMessage {
    try #require(try await test.queue.turn(settling: [], claiming: claim(1, 1)).claimed?.messages.first)
  }

  private func lines(_ test: TestQueue) async throws -> [String] {
    try await test.dump().lines.filter { !$0.hasPrefix("{sms}:wake") }
  }

  @Test(
    "What may not be put where it goes stays where it was",
    arguments: ["claim", "retry", "dead", "back", "revive"]
  )
  func stays(verb: String) async throws {
    let command = ["claim": "hset", "retry": "zadd", "dead": "zadd", "back": "rpush", "revive": "lpush"][verb] ?? ""
    let (test, denied) = try await queues(without: command)
    let before = try await lines(test)
    let error = await #expect(throws: RedisError.self) {
      switch verb {
      case "claim": _ = try await denied.turn(settling: [], claiming: claim(2, 5))
      case "revive":
        var pages = DeadLetterPages(of: test.queue)
        _ = try await denied.revive(try await pages.next())
      default:
        let message = try await claimed(test)
        let outcome: Settlement.Verb =
          switch verb {
          case "retry": .retry(message.element(failures: 1), after: .seconds(1))
          case "dead": .dead(message.element(reason: "why"))
          default: .back(message.element())
          }
        _ = try await denied.settle([Settlement(claimID: message.claimID, outcome)], of: .own(Self.life))
      }
    }
    #expect(error?.cause == .noRight)
    #expect(try await lines(test) == before)
  }
}
