import MessageQueue
import Simulation
import TestSupport
import Testing

@Suite struct SimulatedRedisTests {
  /// The same ones each time, and one that nobody has walked yet.
  private static let seeds = Array(1...8) + [UInt64.random(in: 1_000..<1_000_000_000)]

  @Test("The model answers each call as the scripts do, and leaves the same behind", arguments: seeds)
  func walk(seed: UInt64) async throws {
    var walk = try await ModelWalk(seed: seed)
    for number in 1...300 { try await walk.step(number) }
  }
}
