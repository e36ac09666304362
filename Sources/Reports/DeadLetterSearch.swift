import MessageQueue
import RedisClient

/// A dead letter, and where it lies.
package struct FoundLetter: Sendable {
  package let letter: DeadLetter
  package let queue: QueueName
  /// The queue, or the one of its shards.
  package let shard: MessageQueue
  /// Whether the queue has more than one.
  package let isSharded: Bool
}

/// Goes through the dead letters of one queue that are meant, page by page, however many there are.
package struct DeadLetterSearch: Sendable {
  private let filter: DeadLetterFilter
  /// Whose letters they are.
  package let queue: QueueName
  private let shards: [MessageQueue]
  private let from: Int64?
  private var to: Int64?
  private var limit: Int
  /// Ids that no letter had so far.
  package private(set) var missing: [String]

  /// One shard's letters, as far as they were read.
  private struct Reader {
    let shard: MessageQueue
    var pages: DeadLetterPages
    /// Those that are meant, the oldest first.
    var letters: ArraySlice<DeadLetter> = []
    var isAtEnd = false
  }

  package init(_ filter: DeadLetterFilter, in queue: ShardedQueue) async throws(RedisError) {
    self.filter = filter
    self.queue = queue.name
    shards = try await queue.shards()
    (from, to) = filter.timesOfDeath(now: try await queue.first.now())
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
      last = letters.last?.letter.diedAt
      return []
    }
    limit = count
    to = last
    return count
  }

  /// - Parameter body: takes letters, oldest first whichever shard they are in, never none, and returns those that are not there
  ///   any more.
  package mutating func forEachPage(_ body: ([FoundLetter]) async throws -> [FoundLetter]) async throws {
    var readers = shards.map { Reader(shard: $0, pages: DeadLetterPages(of: $0, from: from, to: to)) }
    var left = limit
    while left > 0 {
      for index in readers.indices where readers[index].letters.isEmpty { try await read(&readers[index]) }
      var page: [FoundLetter] = []
      // Until one has no more: what it has next may be older than what the others have.
      while page.count < left, readers.allSatisfy({ $0.isAtEnd || !$0.letters.isEmpty }),
        let oldest = readers.indices.filter({ !readers[$0].letters.isEmpty }).min(by: {
          readers[$0].letters.first!.diedAt < readers[$1].letters.first!.diedAt
        })
      {
        let letter = readers[oldest].letters.removeFirst()
        let shard = readers[oldest].shard
        page.append(FoundLetter(letter: letter, queue: queue, shard: shard, isSharded: shards.count > 1))
      }
      if page.isEmpty { return }
      for found in page where !missing.isEmpty {
        let ids = filter.foundIDs(of: found.letter)
        missing.removeAll { id in ids.contains { $0.utf8.elementsEqual(id.utf8) } }
      }
      left -= page.count
      let gone = try await body(page)
      for index in readers.indices {
        readers[index].pages.forget(gone.filter { $0.shard.shard == readers[index].shard.shard }.map(\.letter))
      }
    }
  }

  /// Reads on until there is a letter that is meant.
  private func read(_ reader: inout Reader) async throws(RedisError) {
    while reader.letters.isEmpty && !reader.isAtEnd {
      let page = try await reader.pages.next()
      reader.isAtEnd = page.isEmpty
      reader.letters = page.filter(filter.matches)[...]
    }
  }
}
