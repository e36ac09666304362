import Foundation
import GRDB

// What the simulator has sent, in the table `message`: what a provider would have in its books.
//
// Messages are written in batches: while one batch is being committed, the next gathers. So an idle worker writes at once,
// and a busy one shares each commit among all that it has in hand. A message counts as sent only after its batch is
// committed, hence nothing that anybody was told is sent can be missing here, and the number of those that wait is bounded
// by what is in hand.

/// One message that was sent.
package struct SentMessage: Sendable, Equatable, Codable, FetchableRecord {
  package var id: String
  /// Whose message it is, where its producer said so.
  package var userId: String?
  package var mobile: String
  package var content: String
  package var segments: Int
  /// Unix ms.
  package var sentAt: Int64
  /// How often the same id came again.
  package var repeats = 0
  /// When it last came again, Unix ms.
  package var repeatedAt: Int64?

  package init(id: String, userId: String?, mobile: String, content: String, segments: Int, sentAt: Int64) {
    self.id = id
    self.userId = userId
    self.mobile = mobile
    self.content = content
    self.segments = segments
    self.sentAt = sentAt
  }

  package static let databaseColumnDecodingStrategy = DatabaseColumnDecodingStrategy.convertFromSnakeCase
}

package actor Outbox {
  private let database: ProcessDatabase
  private var waiting: [(message: SentMessage, written: CheckedContinuation<Void, any Error>)] = []
  private var isWriting = false

  package init(_ database: ProcessDatabase) {
    self.database = database
  }

  /// Records a message, or counts a repeat where its id is there already. Returns when that is committed.
  ///
  /// - Throws: ``TableError``; then nothing was recorded. Cancellation has no effect: it takes milliseconds.
  package func record(_ message: SentMessage) async throws {
    try await withCheckedThrowingContinuation { written in
      waiting.append((message, written))
      if !isWriting {
        isWriting = true
        Task { await write() }
      }
    }
  }

  private func write() async {
    while !waiting.isEmpty {
      let batch = waiting
      waiting = []
      do throws(TableError) {
        let messages = batch.map(\.message)
        try await database.write { db in try Self.insert(messages, db) }
        for entry in batch { entry.written.resume() }
      } catch {
        for entry in batch { entry.written.resume(throwing: error) }
      }
    }
    isWriting = false
  }

  private static func insert(_ messages: [SentMessage], _ db: Database) throws {
    let statement = try db.makeStatement(
      sql: """
        INSERT INTO message (id, user_id, mobile, content, segments, sent_at) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET repeats = repeats + 1, repeated_at = excluded.sent_at
        """
    )
    for message in messages {
      try statement.execute(arguments: [
        message.id, message.userId, message.mobile, message.content, message.segments, message.sentAt,
      ])
    }
  }
}

// MARK: Reading

extension Outbox {
  package struct Stats: Sendable, Equatable, Codable {
    package var messages: Int
    package var segments: Int
    /// Messages that were sent more than once.
    package var repeated: Int
    /// How often, in all.
    package var repeats: Int
  }

  /// The newest messages, newest first.
  package func list(limit: Int) async throws(TableError) -> [SentMessage] {
    try await database.read { db in
      try SentMessage.fetchAll(db, sql: "SELECT * FROM message ORDER BY number DESC LIMIT ?", arguments: [limit])
    }
  }

  package func stats() async throws(TableError) -> Stats {
    try await database.read { db in
      let row = try Row.fetchOne(
        db,
        sql: """
          SELECT count(*) AS messages, coalesce(sum(segments), 0) AS segments,
            count(*) FILTER (WHERE repeats > 0) AS repeated, coalesce(sum(repeats), 0) AS repeats FROM message
          """
      )
      return Stats(
        messages: row?["messages"] ?? 0,
        segments: row?["segments"] ?? 0,
        repeated: row?["repeated"] ?? 0,
        repeats: row?["repeats"] ?? 0
      )
    }
  }
}
