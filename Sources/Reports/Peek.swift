#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif
import MessageQueue
import RedisClient
import SMS
import Wire

/// The messages that are next in line, which stay there.
package struct Peek: Sendable {
  package struct Message: Sendable, Encodable {
    /// From 1, the next one.
    package let position: Int
    /// Where it waits, in a queue of several shards.
    package let shard: String?
    /// The producer's, or else the one assigned at the first claim; nil where there is neither, or the payload cannot be read.
    package let id: String?
    /// Of a scheduled one, or one to be tried again: RFC 3339.
    package let dueAt: String?
    package let failures: Int
    package let crashes: Int
    /// Nil where it is no UTF-8, and so no JSON string.
    package let payload: String?
    /// Only where there is no ``payload``.
    package let payloadBase64: String?
    /// What the payload says, or why it cannot be read. Not in JSON, where the payload has it.
    package let content: Result<TextMessage, MessageError>

    private enum CodingKeys: CodingKey {
      case position, shard, id, dueAt, failures, crashes, payload, payloadBase64
    }

    init(_ element: Element, position: Int, shard: QueueName?, due: Int64? = nil, defaultCountryCode: String?) {
      self.position = position
      dueAt = due.map(Timestamp.rfc3339)
      self.shard = shard?.description
      content = Result { () throws(MessageError) in
        try TextMessage.decode(
          payload: element.payload,
          assignedID: element.history.id ?? "-",
          defaultCountryCode: defaultCountryCode
        )
      }
      id = (try? content.get())?.id ?? element.history.id
      failures = element.history.failures
      crashes = element.history.crashes
      payload = String(validating: element.payload, as: UTF8.self)
      payloadBase64 = payload == nil ? Data(element.payload).base64EncodedString() : nil
    }
  }

  package let messages: [Message]
  /// How many of those that were asked for are left out, because they have more bytes than a look takes.
  package let leftOut: Int

  /// What a terminal or a pipe bears at once: 16 MiB.
  private static let mostBytes = 16 << 20

  /// Of a queue of several shards, first what is next in each of them, then what comes behind that: workers serve all alike.
  ///
  /// - Parameters:
  ///   - number: how many to look at.
  ///   - defaultCountryCode: see ``PhoneNumber/init(_:defaultCountryCode:)``.
  package init(_ number: Int, into queue: ShardedQueue, defaultCountryCode: String?) async throws(RedisError) {
    let shards = try await queue.shards()
    var (looks, leftOut): ([(shard: MessageQueue, elements: [Element])], Int) = ([], 0)
    for shard in shards {
      let look = try await shard.peek(number, mostBytes: Self.mostBytes / shards.count)
      looks.append((shard, look.elements))
      leftOut += look.leftOut
    }
    var messages: [Message] = []
    for depth in 0..<(looks.map(\.elements.count).max() ?? 0) {
      for (shard, elements) in looks where depth < elements.count && messages.count < number {
        messages.append(
          Message(
            elements[depth],
            position: messages.count + 1,
            shard: shards.count > 1 ? shard.name : nil,
            defaultCountryCode: defaultCountryCode
          )
        )
      }
    }
    self.messages = messages
    self.leftOut = min(leftOut, number - messages.count)
  }

  /// What is scheduled, or to be tried again, the next due first whichever shard it is in.
  ///
  /// - Parameters: as of the other.
  package init(scheduled number: Int, in queue: ShardedQueue, defaultCountryCode: String?) async throws(RedisError) {
    let shards = try await queue.shards()
    var (looks, leftOut): ([(shard: MessageQueue, element: Element, due: Int64)], Int) = ([], 0)
    for shard in shards {
      let look = try await shard.peekScheduled(number, mostBytes: Self.mostBytes / shards.count)
      looks += look.messages.map { (shard, $0.element, $0.due) }
      leftOut += look.leftOut
    }
    looks.sort { $0.due < $1.due }
    messages = looks.prefix(number).enumerated().map { index, look in
      Message(
        look.element,
        position: index + 1,
        shard: shards.count > 1 ? look.shard.name : nil,
        due: look.due,
        defaultCountryCode: defaultCountryCode
      )
    }
    self.leftOut = min(leftOut, number - messages.count)
  }
}
