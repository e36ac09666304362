import RedisClient

/// What is wrong in one queue at one instant, as far as the books tell.
package struct QueueAudit: Sendable, Equatable {
  package enum Fault: Sendable, Equatable {
    /// Another program's key, or a mistake by hand: every script that needs it refuses to run.
    case wrongType(key: String, found: String, wanted: String)
    /// Claims of a life that is not among the workers: nobody will recover them.
    case strayClaims(key: String, life: String, claims: Int)
    /// More messages were pushed than are here or are done.
    case missing(Int)
    /// A lease that no worker asks for, so its claims would be recovered by nobody: Redis' clock was wrong, or a hand.
    case endlessLease(life: String, left: Duration)
    /// An entry in turns or health of a life that is not among the workers. Costs its bytes, no message.
    case leftover(key: String, life: String)
  }

  /// Messages that came by a plain LPUSH, which nobody counts: what the counters do not explain.
  package let plain: Int
  package let faults: [Fault]

  package init(plain: Int, faults: [Fault]) {
    self.plain = plain
    self.faults = faults
  }
}

extension MessageQueue {
  /// The longest lease that is taken for one.
  private static let longestLease = Duration.seconds(86_400)

  /// Checks, on a live queue, that each claim has an owner, that the books balance, and that nothing is left over.
  ///
  /// Looks through the names of all keys in the database, in steps that do not hold up others; all else is one script.
  package func audit() async throws(RedisError) -> QueueAudit {
    var call = ScriptCall(
      .audit,
      keys: [
        keys.list, keys.wake, keys.later, keys.dead, keys.stats, keys.paused, keys.workers, keys.turns, keys.health,
        keys.dropping, keys.served, keys.spread, keys.shard, keys.moving, keys.limit,
      ]
    )
    call.append(keys.claimedPrefix)
    for life in try await livesWithClaims() { call.append(life) }
    let fields = try await connection.call(call).elements(7, of: .audit)
    let now = fields[0].integer ?? 0
    let plain = Int(fields[1].integer ?? 0)

    func strings(_ index: Int) -> [String] {
      (fields[index].array ?? []).map { $0.string ?? $0.integer.map(String.init) ?? "" }
    }
    var faults: [QueueAudit.Fault] = []
    let wrong = strings(2)
    for index in stride(from: 0, to: wrong.count - 2, by: 3) {
      faults.append(.wrongType(key: wrong[index], found: wrong[index + 1], wanted: wrong[index + 2]))
    }
    let strays = strings(3)
    for index in stride(from: 0, to: strays.count - 1, by: 2) {
      let key = keys.claimedPrefix + strays[index]
      faults.append(.strayClaims(key: key, life: strays[index], claims: Int(strays[index + 1]) ?? 0))
    }
    if plain < 0 { faults.append(.missing(-plain)) }
    let leases = strings(6)
    for index in stride(from: 0, to: leases.count - 1, by: 2) {
      // Redis writes "inf" and exponents too. 1e15 ms is the year 33658, and fits into an Int64.
      let left = Duration.milliseconds(Int64(min(max(Double(leases[index + 1]) ?? 0, 0), 1e15)) - now)
      if left > Self.longestLease { faults.append(.endlessLease(life: leases[index], left: left)) }
    }
    faults += strings(4).map { .leftover(key: keys.turns, life: $0) }
    faults += strings(5).map { .leftover(key: keys.health, life: $0) }
    return QueueAudit(plain: max(0, plain), faults: faults)
  }

  /// The lives that a claimed hash is there of, each once.
  private func livesWithClaims() async throws(RedisError) -> Set<String> {
    var lives: Set<String> = []
    var cursor = "0"
    repeat {
      // A queue's name has no character that means something in a pattern.
      let scan = RedisCommand("SCAN", cursor, "MATCH", keys.claimedPrefix + "*", "COUNT", "1000")
      let reply = try await connection.run(scan)
      guard let parts = reply.array, parts.count == 2, let next = parts[0].string else {
        throw RedisError(code: .unexpectedReply, message: "SCAN answered \(reply.shape)")
      }
      for key in parts[1].array ?? [] {
        if let key = key.string { lives.insert(String(key.dropFirst(keys.claimedPrefix.count))) }
      }
      cursor = next
    } while cursor != "0"
    return lives
  }
}
