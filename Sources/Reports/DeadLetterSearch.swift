import MessageQueue
import RedisClient

/// Goes through the dead letters of one queue that are meant, page by page, however many there are.
package struct DeadLetterSearch: Sendable {
  private let filter: DeadLetterFilter
  package let queue: MessageQueue
  private let from: Int64?
  private var to: Int64?
  private var limit: Int
  /// Ids that no letter had so far.
  package private(set) var missing: [String]

  package init(_ filter: DeadLetterFilter, in queue: MessageQueue) async throws(RedisError) {
    self.filter = filter
    self.queue = queue
    (from, to) = filter.timesOfDeath(now: try await queue.now())
    limit = filter.limit ?? .max
    missing = filter.ids
  }

  /// Counts the letters, and from then on means no others: a message that dies after the question was asked, or dies again
  /// after it was retried, is not what the answer was about.
  package mutating func count() async throws -> Int {
    var count = 0
    var last: Int64?
    try await forEachPage { letters in
      count += letters.count
      last = letters.last?.diedAt
      return []
    }
    limit = count
    to = last
    return count
  }

  /// - Parameter body: takes letters, oldest first, never none, and returns those that are not there any more.
  package mutating func forEachPage(_ body: ([DeadLetter]) async throws -> [DeadLetter]) async throws {
    var pages = DeadLetterPages(of: queue, from: from, to: to)
    var left = limit
    while left > 0, case let page = try await pages.next(), !page.isEmpty {
      let letters = Array(page.lazy.filter(filter.matches).prefix(left))
      if letters.isEmpty { continue }
      for letter in letters where !missing.isEmpty {
        let found = filter.foundIDs(of: letter)
        missing.removeAll { id in found.contains { $0.utf8.elementsEqual(id.utf8) } }
      }
      left -= letters.count
      pages.forget(try await body(letters))
    }
  }
}
