#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif
import MessageQueue
import RedisClient
import SMS

/// The messages that are next in line, which stay there.
package struct Peek: Sendable {
  package struct Message: Sendable, Encodable {
    /// From 1, the next one.
    package let position: Int
    /// The producer's, or else the one assigned at the first claim; nil where there is neither, or the payload cannot be read.
    package let id: String?
    package let failures: Int
    package let crashes: Int
    /// Nil where it is no UTF-8, and so no JSON string.
    package let payload: String?
    /// Only where there is no ``payload``.
    package let payloadBase64: String?
    /// What the payload says, or why it cannot be read. Not in JSON, where the payload has it.
    package let content: Result<TextMessage, MessageError>

    private enum CodingKeys: CodingKey {
      case position, id, failures, crashes, payload, payloadBase64
    }

    init(_ element: Element, position: Int, defaultCountryCode: String?) {
      self.position = position
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

  /// - Parameters:
  ///   - number: how many to look at.
  ///   - defaultCountryCode: see ``PhoneNumber/init(_:defaultCountryCode:)``.
  package init(_ number: Int, into queue: MessageQueue, defaultCountryCode: String?) async throws(RedisError) {
    let (elements, leftOut) = try await queue.peek(number, mostBytes: Self.mostBytes)
    messages = elements.enumerated().map { index, element in
      Message(element, position: index + 1, defaultCountryCode: defaultCountryCode)
    }
    self.leftOut = leftOut
  }
}
