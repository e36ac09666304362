import RedisClient

/// One message among the dead letters.
package struct DeadLetter: Sendable, Equatable {
  /// What the sorted set holds, byte for byte: an element that was decoded and sealed again may be another one.
  let stored: [UInt8]
  /// The score as Redis wrote it, for the same reason.
  let score: String

  package let element: Element

  /// When it died, Unix ms. Scores that only another program can have set are brought into range, and rounded up, so that
  /// pages up to this time have the letter in them.
  package var diedAt: Int64 {
    let time = (Double(score) ?? 0).rounded(.up)
    return Int64(exactly: time) ?? (time < 0 ? .min : .max)
  }

  init(stored: [UInt8], score: String) {
    self.stored = stored
    self.score = score
    element = Element(stored)
  }
}

/// Reads dead letters page by page, the oldest first, while others die, are removed, or fall off.
///
/// The place is a time of death and not a rank: ranks move with every letter that goes. Only among letters of one
/// millisecond is it a count as well, of those that were read and are still there. So each letter that stays is read once;
/// should somebody else remove letters of just that millisecond between two pages, as many behind them may be left out.
package struct DeadLetterPages: Sendable {
  /// The most letters in a page. It has fewer where they would be more than ``MessageQueue/mostBytesPerCall``: both bound
  /// what Redis does, and we hold, at once.
  package static let mostPerPage = 500

  private let queue: MessageQueue
  private var from: String
  private let to: String
  private var readAndThere = 0

  /// - Parameters:
  ///   - from: the first time of death, Unix ms; nil for no bound.
  ///   - to: the last one.
  package init(of queue: MessageQueue, from: Int64? = nil, to: Int64? = nil) {
    self.queue = queue
    self.from = from.map { String($0) } ?? "-inf"
    self.to = to.map { String($0) } ?? "+inf"
  }

  /// - Returns: an empty page at the end.
  package mutating func next() async throws(RedisError) -> [DeadLetter] {
    let page = try await queue.deadLetters(from: from, to: to, skipping: readAndThere)
    guard let last = page.last else { return [] }
    if last.score != from {
      from = last.score
      readAndThere = 0
    }
    readAndThere += page.count { $0.score == from }
    return page
  }

  /// To be told of letters that were read and, since then, revived or removed.
  package mutating func forget(_ gone: [DeadLetter]) {
    readAndThere -= gone.count { $0.score == from }
  }
}

extension MessageQueue {
  fileprivate func deadLetters(
    from: String,
    to: String,
    skipping: Int
  ) async throws(RedisError) -> [DeadLetter] {
    var call = ScriptCall(.letters, keys: [keys.dead])
    call.append(from)
    call.append(to)
    call.append(skipping)
    call.append(DeadLetterPages.mostPerPage)
    call.append(Self.mostBytesPerCall)
    let fields = try await connection.call(call).elements(0, of: .letters)
    return stride(from: 0, to: fields.count - 1, by: 2).map { index in
      DeadLetter(stored: fields[index].bytes ?? [], score: fields[index + 1].string ?? "0")
    }
  }
}
