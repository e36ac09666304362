// Which node of a Redis Cluster has a slot: decisions alone, without I/O. There is no map of the slots: a node that is asked for
// a key which it does not have names the one that has it.

/// Where MOVED points to.
enum Redirection {
  /// - Parameters:
  ///   - message: `MOVED 866 10.0.0.7:6381`. Without a host, or with `?` for one, it is the host that has answered.
  ///   - node: which has answered.
  /// - Returns: nil for what cannot be read.
  static func address(in message: String, from node: RedisEndpoint.Address) -> RedisEndpoint.Address? {
    let words = message.split(separator: " ")
    guard words.count >= 3, words[0] == "MOVED" else { return nil }
    guard let colon = words[2].lastIndex(of: ":"), let port = Int(words[2][words[2].index(after: colon)...]),
      (1...65_535).contains(port)
    else { return nil }
    var host = words[2][..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    if !host.isEmpty && host != "?" { return .tcp(host: String(host), port: port) }
    guard case .tcp(let host, _) = node else { return nil }
    return .tcp(host: host, port: port)
  }
}

/// A search for the node that has a key: the last known one, then others, and wherever they point.
struct ClusterSearch {
  enum Step: Equatable {
    /// To be answered by ``moved(to:)`` or ``failed(_:)`` or, where the node has the key, by nothing.
    case connect(RedisEndpoint.Address)
    case give(up: RedisError)
  }

  /// More than a cluster that has settled ever takes, which is one. While slots are on their way, nodes may point in a circle.
  static let mostHops = 8

  private var toTry: ArraySlice<RedisEndpoint.Address>
  /// Where the last answer pointed.
  private var pointed: RedisEndpoint.Address?
  private var current: RedisEndpoint.Address?
  private var isPointed = false
  /// Nodes that cannot be used, and why.
  private var dead: [RedisEndpoint.Address: String] = [:]
  private var hops = 0
  private var final: RedisError?
  /// The most telling failure so far, and how much it tells.
  private var worst: (rank: Int, error: RedisError)?

  /// - Parameters:
  ///   - known: which had the key when it was last asked.
  ///   - others: in the order in which they are to be asked.
  init(known: RedisEndpoint.Address?, others: [RedisEndpoint.Address]) {
    toTry = ArraySlice((known.map { [$0] } ?? []) + others.filter { $0 != known })
  }

  mutating func next() -> Step {
    if let final { return .give(up: final) }
    isPointed = pointed != nil
    current = pointed
    pointed = nil
    while current == nil, let node = toTry.popFirst() { current = dead[node] == nil ? node : nil }
    guard let current else {
      return .give(up: worst?.error ?? RedisError(code: .moving, message: "its nodes point to each other"))
    }
    return .connect(current)
  }

  /// The node that was connected to has not the key.
  ///
  /// - Parameter address: which has; nil where it did not say so in a way that can be read.
  mutating func moved(to address: RedisEndpoint.Address?) {
    hops += 1
    guard let address, hops <= Self.mostHops else {
      // Others may know more.
      return note(RedisError(code: .moving, message: "its nodes do not agree on which of them has it"), rank: 2)
    }
    if let reason = dead[address] { noteLost(address, reason) } else { pointed = address }
  }

  /// The node cannot be used.
  mutating func failed(_ error: RedisError) {
    guard let current else { return }
    switch error.treatment {
    case .wait:
      dead[current] = error.message
      note(error, rank: 3)
    case .reconnect:
      dead[current] = error.message
      if isPointed {
        noteLost(current, error.message)
      } else {
        note(RedisError(code: error.code, message: "\(current): \(error.message)"), rank: 1)
      }
    // It will not let us in however it was found.
    case .full, .unwritable, .denied, .refused: final = error
    }
  }

  /// Other nodes point to one that cannot be used, whether it was tried before or after. Its replica takes over within the
  /// cluster's node time-out.
  private mutating func noteLost(_ node: RedisEndpoint.Address, _ reason: String) {
    let message = "\(node) has it, as the other nodes say, and does not serve: \(reason)"
    note(RedisError(code: .noMaster, message: message), rank: 2)
  }

  private mutating func note(_ error: RedisError, rank: Int) {
    if rank > worst?.rank ?? 0 { worst = (rank, error) }
  }
}
