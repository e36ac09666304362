/// One life of a worker: from its start, or from when it lost its lease, to its end.
///
/// A worker with a stable name has many lives. Claims belong to a life, not to a name, so that a newer life can take over
/// what an older one held while the older one, should it still run, notices that it is fenced.
package struct WorkerLife: Hashable, Sendable {
  /// The worker's name, without `@`.
  package let name: String
  /// The process that lives it, as that describes itself; nil where it does not. Without `@`.
  package let process: String?
  /// 16 hex digits, new for each life. Claim ids begin with them.
  package let epoch: String
  /// What Redis knows the life by: `<name>@<process>@<epoch>`, or `<name>@<epoch>`.
  package let id: String

  /// What the ids of all lives of this name begin with.
  package var namePrefix: String { "\(name)@" }

  /// Begins a new life.
  package init(name: String, process: String? = nil) {
    self.name = name
    self.process = process
    epoch = randomID()
    id = ([name] + (process.map { [$0] } ?? []) + [epoch]).joined(separator: "@")
  }

  /// Reads an id; nil when it is none.
  package init?(id: String) {
    guard let first = id.firstIndex(of: "@"), let last = id.lastIndex(of: "@") else { return nil }
    name = String(id[..<first])
    process = first == last ? nil : String(id[id.index(after: first)..<last])
    epoch = String(id[id.index(after: last)...])
    self.id = id
  }

  /// The id of a claim: sorts in the order of the claims.
  package func claimID(_ number: Int) -> String { claimPrefix + Self.claimNumber(number) }

  /// The number of a claim, from its id; nil when it is no claim of this life.
  package func number(ofClaim claimID: String) -> Int? {
    claimID.utf8.starts(with: claimPrefix.utf8) ? Self.number(endOf: claimID) : nil
  }

  /// The number of any life's claim, from its id; nil when it is none.
  static func number(endOf claimID: String) -> Int? {
    guard let dash = claimID.utf8.lastIndex(of: UInt8(ascii: "-")) else { return nil }
    let digits = claimID.utf8[dash...].dropFirst()
    // One that begins with zeros has ten digits.
    guard digits.count >= 10, digits.count == 10 || digits.first != UInt8(ascii: "0") else { return nil }
    var number = 0
    for digit in digits {
      let value: Int
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = Int(digit - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = Int(digit - UInt8(ascii: "a")) + 10
      default: return nil
      }
      let (shifted, overflow) = number.multipliedReportingOverflow(by: 16)
      guard !overflow else { return nil }
      number = shifted + value
    }
    return number
  }

  /// What the ids of all its claims begin with.
  var claimPrefix: String { "\(epoch)-" }

  /// The rest of a claim's id: ten hex digits, or as many more as it takes.
  static func claimNumber(_ number: Int) -> String { hex(UInt64(number), digits: 10) }
}

/// 16 random hex digits.
func randomID() -> String { hex(.random(in: .min ... .max), digits: 16) }

/// At least so many digits, written in one piece: each message's claim has an id.
private func hex(_ number: UInt64, digits least: Int) -> String {
  let digits = max(least, (UInt64.bitWidth - number.leadingZeroBitCount + 3) / 4)
  return String(unsafeUninitializedCapacity: digits) { text in
    var rest = number
    for position in (0..<digits).reversed() {
      let digit = UInt8(rest & 15)
      text[position] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
      rest >>= 4
    }
    return digits
  }
}
