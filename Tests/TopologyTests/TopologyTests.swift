import Foundation
import Testing

/// Sentinels and clusters of real servers, and what befalls them while messages go through. One after the other: each has the
/// machine for itself.
@Suite("Topologies", .serialized)
struct TopologyTests {
  /// How often each thing befalls them; `make test-topologies` has more rounds.
  static let rounds = Int(ProcessInfo.processInfo.environment["TOPOLOGY_ROUNDS"] ?? "") ?? 1
}
