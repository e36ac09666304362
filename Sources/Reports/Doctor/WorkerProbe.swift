import MessageQueue
import Wire

/// Whether one worker is well: it claims, if only to find nothing.
package enum WorkerProbe {
  /// - Parameters:
  ///   - name: the worker's.
  ///   - within: how long ago its last claim may be.
  /// - Returns: nil for a healthy worker.
  package static func complaint(of name: String, in snapshot: QueueSnapshot, within: Duration) -> String? {
    // Earlier lives of the name may still have to be recovered: the one that claimed last is the worker.
    let lives = snapshot.workers.filter { $0.life.name == name }
    if lives.isEmpty { return "not there" }
    guard let claim = lives.compactMap(\.lastClaim).min() else { return "has not claimed yet" }
    return claim <= within ? nil : "last claimed \(claim.notation) ago"
  }
}
