import Testing

@testable import RedisClient

@Suite struct ConnectionThreadTests {
  @Test("Connections may go at any moment, on whatever thread lets go of them")
  func comeAndGo() async throws {
    let endpoint = try RedisEndpoint("unix:///nowhere/redis.sock")
    let count = await withTaskGroup { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<5_000 {
            let connection = RedisConnection(to: endpoint, options: .init(name: "short"))
            // A job on its thread, which is awake for a moment after that.
            _ = await connection.isOpen
          }
          return 5_000
        }
      }
      return await group.reduce(0, +)
    }
    #expect(count == 40_000)
  }
}
