import Foundation
import Synchronization

/// Ports of 127.0.0.1 for servers that tests start.
package enum FreePort {
  private static let taken = Mutex<Set<Int>>([])
  /// How much higher than its port a node of a cluster listens for the others.
  private static let busOffset = 10_000

  /// A port that nobody listens on, and that no other test of this process gets.
  ///
  /// It is below those that Linux gives to connections (`ip_local_port_range`, from 32768 on): one of another test would have it
  /// before the server starts, or while it is down.
  ///
  /// - Parameter withBus: the port that is 10,000 higher is taken, too, for the node of a cluster.
  package static func take(withBus: Bool = false) throws -> Int {
    for _ in 0..<1000 {
      let port = Int.random(in: 10_000..<20_000)
      let wanted = withBus ? [port, port + busOffset] : [port]
      let areNew = taken.withLock { taken in
        guard taken.isDisjoint(with: wanted) else { return false }
        taken.formUnion(wanted)
        return true
      }
      if areNew, wanted.allSatisfy({ Sockets.isFree(UInt16($0)) }) { return port }
    }
    throw NeverHappened(description: "a port of 127.0.0.1 is free")
  }
}
