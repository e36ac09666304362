import Foundation
import Testing

/// Tries to break the promise of docs/reliability.md: nothing is lost, and twice only after a crash.
///
/// The real binary, a real redis-server, real signals. One after the other, because most of them load the machine, and
/// because what they wait for (a lease that ends, a time-out) must not come from that load.
@Suite("Faults", .serialized)
struct FaultTests {
  /// One in so many kills and bytes: `make test` has a part of them, other ones each time, `make test-faults` has all.
  static let oneIn = ProcessInfo.processInfo.environment["FAULTS"] == "all" ? 1 : 4

  /// Positions at which a conversation of so many bytes is to fail.
  static func positions(through length: Int) -> StrideThrough<Int> {
    stride(from: .random(in: 0..<oneIn), through: length, by: oneIn)
  }
}
