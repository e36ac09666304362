import RedisClient

/// What became of a message that is not in the queue any more, as Redis keeps it for a while under the message's id.
///
/// One key for each, with an expiry, so that it is found without a search and goes without anybody's doing. It holds
/// `<Unix ms> <outcome> <attempts> <parts> <the gateway's id>`, with `-` for what is not known, and ends there or in the id.
package struct MessageEnd: Sendable, Equatable {
  package enum Outcome: String, Sendable, CaseIterable {
    case sent, expired, cancelled
  }

  package let outcome: Outcome
  /// How often it was tried, the last time included; 0 where it never was.
  package let attempts: Int
  /// How many it was billed as; nil where it was not sent.
  package let parts: Int?
  /// What the gateway calls it.
  package let providerID: String?

  /// Ours: providers' ids have some 40 characters, and a program could write anything.
  private static let longestProviderID = 128

  package init(_ outcome: Outcome, attempts: Int, parts: Int? = nil, providerID: String? = nil) {
    self.outcome = outcome
    self.attempts = attempts
    self.parts = parts
    self.providerID = providerID.flatMap { $0.isEmpty ? nil : String($0.prefix(Self.longestProviderID)) }
  }

  /// Without the time, which is Redis' to say.
  package var text: String {
    let words = [outcome.rawValue, "\(attempts)", parts.map { "\($0)" } ?? "-"]
    return (words + (providerID.map { [$0] } ?? [])).joined(separator: " ")
  }

  /// - Returns: nil for what is none.
  package init?(text: some StringProtocol) {
    let words = text.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
    guard words.count >= 3, let outcome = Outcome(rawValue: String(words[0])), let attempts = Int(words[1]) else {
      return nil
    }
    let providerID = words.count > 3 ? String(words[3]) : nil
    self.init(outcome, attempts: attempts, parts: Int(words[2]), providerID: providerID)
  }
}

extension MessageQueue {
  /// What Redis knows of an id by the id alone: without a search.
  package struct KnownOfID: Sendable, Equatable {
    /// What became of the message.
    package var end: MessageEnd?
    /// When that was, Unix ms.
    package var endedAt: Int64?
    /// The id was accepted from its caller, and is taken until then, Unix ms.
    package var takenUntil: Int64?
    /// When it was accepted, Unix ms.
    package var acceptedAt: Int64?
  }

  /// Looks up what is kept of messages.
  package func known(of ids: [String]) async throws(RedisError) -> [KnownOfID] {
    let now = try await now()
    let replies = try await connection.run(
      ids.flatMap { id in
        [
          RedisCommand("GET", keys.done(id)), RedisCommand("GET", keys.seen(id)), RedisCommand("PTTL", keys.seen(id)),
        ]
      }
    )
    return try ids.indices.map { index throws(RedisError) in
      var known = KnownOfID()
      for reply in replies[3 * index..<3 * index + 3] { if case .error(let error) = reply { throw error } }
      let parts = replies[3 * index].string?.split(separator: " ", maxSplits: 1) ?? []
      if parts.count == 2, let time = Int64(parts[0]), let end = MessageEnd(text: parts[1]) {
        (known.end, known.endedAt) = (end, time)
      }
      if let left = replies[3 * index + 2].integer, left > 0 {
        known.takenUntil = now + left
        // Older versions wrote a 1 there.
        if let lifetime = replies[3 * index + 1].integer, lifetime >= left { known.acceptedAt = now + left - lifetime }
      }
      return known
    }
  }
}
