import MessageQueue
import RedisClient
import TestSupport
import Testing

/// One row of a script's table: the state before, the call, its answer, and the full state after.
///
/// Keys and times are written as ``TestQueue/run(_:)`` and ``RedisDump/lines`` have them.
struct ScriptCase: Sendable, CustomTestStringConvertible {
  let name: String
  /// Redis' commands.
  let before: [String]
  /// Redis is at maxmemory during the call.
  let isFull: Bool
  let call: @Sendable (MessageQueue) async throws -> String
  /// What the call returned, or the code of its error.
  let answer: String
  /// Nil: as it was before.
  let after: [String]?

  init(
    _ name: String,
    before: [String] = [],
    isFull: Bool = false,
    call: @escaping @Sendable (MessageQueue) async throws -> String,
    answer: String,
    after: [String]? = nil
  ) {
    self.name = name
    self.before = before
    self.isFull = isFull
    self.call = call
    self.answer = answer
    self.after = after
  }

  var testDescription: String { name }

  func check() async throws {
    // maxmemory is the server's, so such a case needs a server of its own.
    let test = TestQueue(on: isFull ? try await RedisServer() : try await .shared())
    for command in before { try await test.run(command) }
    let earlier = try await test.dump()

    if isFull { try await test.run("CONFIG SET maxmemory 1") }
    #expect(try await answered(by: test.queue) == answer)
    let later = try await test.dump()
    if let after {
      #expect(later.lines == after)
    } else {
      #expect(later.lines == earlier.lines)
    }
    #expect(
      InvariantCheck(later).balance == InvariantCheck(earlier).balance,
      "a message was lost or doubled, or counted wrongly"
    )
  }

  private func answered(by queue: MessageQueue) async throws -> String {
    do {
      return try await call(queue)
    } catch let error as RedisError {
      // A script's error says where it happened before it says what.
      let known = ["WRONGTYPE", "OOM", "unpack", "not an integer"]
      return known.first { error.message.contains($0) } ?? error.message
    }
  }
}

extension WorkerLife {
  /// The life that the tables are about: `w@5f`.
  static let own = WorkerLife(id: "w@5f")!
  static let other = WorkerLife(id: "v@0a")!
}

/// A payload's bytes.
func bytes(_ text: String) -> [UInt8] { [UInt8](text.utf8) }

/// Claims as the tables show them: the number of the claim, and the element.
func shown(_ messages: [ClaimedMessage]) -> String {
  messages.map { message in
    let element = Element(history: message.history, payload: message.payload)
    return "\(message.claimID.suffix(2))=\(element.shown)"
  }.joined(separator: " ")
}
