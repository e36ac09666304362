import ArgumentParser
import MessageQueue

/// Goes through the selected dead letters of one queue page by page, however many there are.
struct DeadLetterSearch {
  let selection: DeadSelection
  let queue: MessageQueue
  private let from: Int64?
  private var to: Int64?
  private var limit: Int
  /// Given ids that no letter had so far.
  private(set) var missing: [String]

  init(_ selection: DeadSelection, in queue: MessageQueue) async throws {
    self.selection = selection
    self.queue = queue
    (from, to) = selection.timesOfDeath(now: try await queue.now())
    limit = selection.limit ?? .max
    missing = selection.ids
  }

  /// Counts the letters, and from then on means no others: a message that dies after the question was asked, or dies again
  /// after it was retried, is not what the answer was about.
  mutating func count() async throws -> Int {
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
  mutating func forEachPage(_ body: ([DeadLetter]) async throws -> [DeadLetter]) async throws {
    var pages = DeadLetterPages(of: queue, from: from, to: to)
    var left = limit
    while left > 0, case let page = try await pages.next(), !page.isEmpty {
      let letters = Array(page.lazy.filter(selection.matches).prefix(left))
      if letters.isEmpty { continue }
      for letter in letters where !missing.isEmpty {
        let found = selection.foundIDs(of: letter)
        missing.removeAll { id in found.contains { $0.utf8.elementsEqual(id.utf8) } }
      }
      left -= letters.count
      pages.forget(try await body(letters))
    }
  }

  /// Names the ids that no letter has, once the search is through.
  ///
  /// - Throws: exit code 65 if there is one.
  func reportMissing() throws {
    for id in missing { Terminal.note("no dead letter of queue \(queue.name) has the id \(id.printable)") }
    if !missing.isEmpty { throw ExitCode.dataError }
  }
}
