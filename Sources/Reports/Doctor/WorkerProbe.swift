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
    return complaint(lastClaim: lives.compactMap(\.lastClaim).min(), within: within)
  }

  /// - Parameters:
  ///   - lastClaim: how long ago it was; nil where there was none.
  ///   - within: how long ago it may be.
  package static func complaint(lastClaim: Duration?, within: Duration) -> String? {
    guard let lastClaim else { return "has not claimed yet" }
    return lastClaim <= within ? nil : "last claimed \(lastClaim.notation) ago"
  }

  /// How long ago the last claim may be, unless somebody says otherwise. Ours: an idle worker claims each second, an outage of
  /// some seconds is none of its own.
  package static let patience = Duration.seconds(30)
}
