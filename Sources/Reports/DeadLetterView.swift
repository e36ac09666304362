#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif
import MessageQueue
import SMS
import Wire

/// A dead letter as people and scripts read it.
package struct DeadLetterView: Sendable, Encodable {
  package let queue: String
  /// Where it lies, in a queue of several shards.
  package let shard: String?
  /// The producer's, where the payload can be read and names one; else the one assigned at the first claim.
  package let id: String?
  package let assignedId: String?
  /// RFC 3339.
  package let diedAt: String
  package let failures: Int
  package let crashes: Int
  package let reason: String?
  /// Nil where it is no UTF-8, and so no JSON string.
  package let payload: String?
  /// Only where there is no ``payload``.
  package let payloadBase64: String?

  /// Not in JSON, where the payload has it: the number, masked or in full; nil where the payload cannot be read.
  package let to: String?
  /// Not in JSON: ``diedAt`` to the second.
  package let diedAtSecond: String

  private enum CodingKeys: CodingKey {
    case queue, shard, id, assignedId, diedAt, failures, crashes, reason, payload, payloadBase64
  }

  /// - Parameter showNumbers: whether ``to`` is the number in full.
  package init(_ found: FoundLetter, showNumbers: Bool = false) {
    let shard = found.isSharded ? found.shard.name : nil
    self.init(found.letter, queue: found.queue, shard: shard, showNumbers: showNumbers)
  }

  /// - Parameters:
  ///   - shard: nil in a queue that has no others.
  ///   - showNumbers: whether ``to`` is the number in full.
  package init(_ letter: DeadLetter, queue: QueueName, shard: QueueName? = nil, showNumbers: Bool = false) {
    let element = letter.element
    let glimpse = PayloadGlimpse(element.payload)
    self.queue = queue.description
    self.shard = shard?.description
    id = glimpse.id ?? element.history.id
    assignedId = element.history.id
    diedAt = Timestamp.rfc3339(letter.diedAt)
    failures = element.history.failures
    crashes = element.history.crashes
    reason = element.reason
    payload = String(validating: element.payload, as: UTF8.self)
    payloadBase64 = payload == nil ? Data(element.payload).base64EncodedString() : nil
    to = showNumbers ? glimpse.to : glimpse.maskedTo
    diedAtSecond = Timestamp.rfc3339(letter.diedAt - letter.diedAt % 1000)
  }
}
