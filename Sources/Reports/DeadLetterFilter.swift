import MessageQueue
import SMS

/// Which dead letters are meant: those that have one of the ids, or what they have in common. Nothing given means all.
package struct DeadLetterFilter: Sendable, Equatable {
  package var ids: [String]
  /// A part of the reason, letter by letter.
  package var reason: String?
  /// That died longer ago than this.
  package var olderThan: Duration?
  /// That died more recently than this.
  package var newerThan: Duration?
  /// No more than so many, the oldest first.
  package var limit: Int?

  package init(
    ids: [String] = [],
    reason: String? = nil,
    olderThan: Duration? = nil,
    newerThan: Duration? = nil,
    limit: Int? = nil
  ) {
    self.ids = ids
    self.reason = reason
    self.olderThan = olderThan
    self.newerThan = newerThan
    self.limit = limit
  }

  /// Whether the letter is meant, the times aside: by those, Redis finds it.
  package func matches(_ letter: DeadLetter) -> Bool {
    if let reason, letter.element.reason?.contains(reason) != true { return false }
    return ids.isEmpty || !foundIDs(of: letter).isEmpty
  }

  /// The given ids that this letter has. It may have two, and logs name either: the producer's, and the one assigned at the
  /// first claim, which is all there is while the payload cannot be read.
  package func foundIDs(of letter: DeadLetter) -> [String] {
    // By the byte, as Redis does: to Swift an ä is the same text as an a and its dots.
    let own = [PayloadGlimpse(letter.element.payload).id, letter.element.history.id].compactMap {
      $0.map { Array($0.utf8) }
    }
    return ids.filter { own.contains(Array($0.utf8)) }
  }

  /// - Parameter now: Redis' time, Unix ms.
  package func timesOfDeath(now: Int64) -> (from: Int64?, to: Int64?) {
    // A hair inside each bound, so that nothing is both older and newer than the same time.
    (newerThan.map { now - $0.milliseconds + 1 }, olderThan.map { now - $0.milliseconds - 1 })
  }
}
