// Where the master is, as sentinels tell: decisions alone, without I/O. `RedisConnection+Opening` and `SentinelWatcher` carry
// them out.

/// What one sentinel answered when it was asked for a master.
enum SentinelAnswer: Sendable, Equatable {
  case master(RedisEndpoint.Address)
  /// It has no master of that name, but perhaps others.
  case unknown(others: [String])
  case failed(RedisError)

  /// - Parameter reply: to `SENTINEL get-master-addr-by-name`; nil for a name that it does not know.
  init?(_ reply: RedisReply) {
    switch reply {
    case .null: return nil
    case .error(let error): self = .failed(error)
    default:
      guard let parts = reply.array, parts.count == 2, let host = parts[0].string, let port = parts[1].integer,
        !host.isEmpty, (1...65_535).contains(port)
      else {
        self = .failed(RedisError(code: .unexpectedReply, message: "its sentinel answered \(reply.shape)"))
        return
      }
      self = .master(.tcp(host: host, port: Int(port)))
    }
  }

  /// - Parameter reply: to `SENTINEL masters`.
  static func names(_ reply: RedisReply) -> [String] {
    (reply.array ?? []).compactMap { master in
      let fields = master.array ?? []
      let name = fields.firstIndex(of: .bulk([UInt8]("name".utf8)))
      return name.flatMap { $0 + 1 < fields.count ? fields[$0 + 1].string : nil }
    }
  }
}

/// A search for the master: one sentinel after the other is asked, and what it names is tried, until one is a master.
struct SentinelSearch {
  enum Step: Equatable {
    case ask(RedisEndpoint.Address)
    /// To be answered by ``got(_:of:)`` or, where the server is the master, by nothing.
    case connect(RedisEndpoint.Address)
    case give(up: RedisError)
  }

  let master: String
  private let sentinels: [RedisEndpoint.Address]
  private var toAsk: ArraySlice<RedisEndpoint.Address>
  private var toTry: RedisEndpoint.Address?
  private var tried: [(address: RedisEndpoint.Address, error: RedisError)] = []
  private var unknown: (sentinel: RedisEndpoint.Address, others: [String])?
  private var faults: [(sentinel: RedisEndpoint.Address, error: RedisError)] = []
  private var final: RedisError?

  /// - Parameters:
  ///   - sentinels: in the order in which they are to be asked.
  ///   - known: the master, where somebody keeps watch over it: then no sentinel is asked.
  init(_ master: String, sentinels: [RedisEndpoint.Address], known: RedisEndpoint.Address? = nil) {
    self.master = master
    self.sentinels = sentinels
    toTry = known
    toAsk = known == nil ? sentinels[...] : []
  }

  mutating func next() -> Step {
    if let final { return .give(up: final) }
    if let address = toTry {
      toTry = nil
      return .connect(address)
    }
    if let sentinel = toAsk.popFirst() { return .ask(sentinel) }
    return .give(up: failure)
  }

  mutating func got(_ answer: SentinelAnswer, from sentinel: RedisEndpoint.Address) {
    switch answer {
    case .master(let address):
      // What failed a moment ago does no better now.
      if !tried.contains(where: { $0.address == address }) { toTry = address }
    case .unknown(let others): unknown = (sentinel, others)
    case .failed(let error): faults.append((sentinel, error))
    }
  }

  /// The server cannot be used.
  mutating func got(_ error: RedisError, of address: RedisEndpoint.Address) {
    switch error.treatment {
    case .reconnect, .wait: tried.append((address, error))
    // It will not let us in however it was found.
    case .full, .unwritable, .denied, .refused: final = error
    }
  }

  private var failure: RedisError {
    if let (address, error) = tried.last {
      let message = "\(address) is what its sentinels name as master '\(master)': \(error.message)"
      return RedisError(code: .noMaster, message: message)
    }
    if let (sentinel, others) = unknown {
      let known = others.isEmpty ? "it watches none" : "it watches \(others.sorted().joined(separator: ", "))"
      return RedisError(code: .unknownMaster, message: "its sentinel \(sentinel) has no master '\(master)'; \(known)")
    }
    let refusal = faults.first { $0.error.treatment != .reconnect && $0.error.treatment != .wait }
    guard let (sentinel, error) = refusal ?? faults.first else {
      return RedisError(code: .noMaster, message: "its sentinels name no master '\(master)'")
    }
    switch error.cause {
    case .unknownCommand:
      return RedisError(code: .notSentinel, message: "\(sentinel) is a Redis server and no sentinel")
    case .badLogin, .noLoginWanted, .noUsers, .noRight, .protectedMode:
      return RedisError(code: .sentinelRefused, message: "its sentinel \(sentinel) refuses: \(error.message)")
    default:
      let all = sentinels.count == 1 ? "its sentinel" : "none of its \(sentinels.count) sentinels"
      let verb = sentinels.count == 1 ? " does not answer" : " answers"
      return RedisError(code: error.code, message: "\(all)\(verb); \(sentinel): \(error.message)")
    }
  }
}

/// What the sentinels of a master name, as of when each was last heard.
///
/// While a failover is under way they disagree, and one that is cut off from the others names the old master until it is back,
/// which may still take writes. So the address that most of them name counts, and none where another one has as many.
struct MasterVotes {
  typealias Instant = ContinuousClock.Instant

  /// One that has not answered for so long has no say. Longer than a poll takes, so that an answer that is late does not
  /// turn a majority.
  static let longestSilence = Duration.seconds(5)

  private var votes: [RedisEndpoint.Address: (master: RedisEndpoint.Address, at: Instant)] = [:]

  mutating func got(_ master: RedisEndpoint.Address, from sentinel: RedisEndpoint.Address, now: Instant) {
    votes[sentinel] = (master, now)
  }

  /// The master, as far as they agree; nil where they do not, or none is heard.
  mutating func elected(now: Instant) -> RedisEndpoint.Address? {
    votes = votes.filter { now - $0.value.at <= Self.longestSilence }
    var counts: [RedisEndpoint.Address: Int] = [:]
    for vote in votes.values { counts[vote.master, default: 0] += 1 }
    let order = counts.sorted { $0.value > $1.value }
    guard let first = order.first, order.count == 1 || order[1].value < first.value else { return nil }
    return first.key
  }
}
