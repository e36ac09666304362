/// One life of a worker: from its start, or from when it lost its lease, to its end.
///
/// A worker with a stable name has many lives. Claims belong to a life, not to a name, so that a newer life can take over
/// what an older one held while the older one, should it still run, notices that it is fenced.
package struct WorkerLife: Hashable, Sendable {
  /// The worker's name, without `@`.
  package let name: String
  /// 16 hex digits, new for each life. Claim ids begin with them.
  package let epoch: String

  /// What Redis knows the life by: `<name>@<epoch>`.
  package var id: String { "\(name)@\(epoch)" }

  /// What the ids of all lives of this name begin with.
  package var namePrefix: String { "\(name)@" }

  /// Begins a new life.
  package init(name: String) {
    self.name = name
    epoch = randomID()
  }

  /// Reads an id; nil when it is none.
  package init?(id: String) {
    guard let at = id.lastIndex(of: "@") else { return nil }
    name = String(id[..<at])
    epoch = String(id[id.index(after: at)...])
  }

  /// The id of a claim: sorts in the order of the claims.
  package func claimID(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return "\(epoch)-" + String(repeating: "0", count: max(0, 10 - digits.count)) + digits
  }
}

/// 16 random hex digits.
func randomID() -> String {
  let digits = String(UInt64.random(in: .min ... .max), radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
