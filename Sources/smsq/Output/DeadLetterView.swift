#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif
import MessageQueue
import SMS
import Wire

/// A dead letter as people and scripts read it.
struct DeadLetterView: Encodable {
  let queue: String
  /// The producer's, where the payload can be read and names one; else the one assigned at the first claim.
  let id: String?
  let assignedId: String?
  /// RFC 3339.
  let diedAt: String
  let failures: Int
  let crashes: Int
  let reason: String?
  /// Nil where it is no UTF-8, and so no JSON string.
  let payload: String?
  /// Only where there is no ``payload``.
  let payloadBase64: String?

  private let number: String
  private let diedAtSecond: String

  private enum CodingKeys: CodingKey {
    case queue, id, assignedId, diedAt, failures, crashes, reason, payload, payloadBase64
  }

  /// - Parameter showNumbers: whether ``line`` has the number in full.
  init(_ letter: DeadLetter, queue: QueueName, showNumbers: Bool = false) {
    let element = letter.element
    let glimpse = PayloadGlimpse(element.payload)
    self.queue = queue.description
    id = glimpse.id ?? element.history.id
    assignedId = element.history.id
    diedAt = Timestamp.rfc3339(letter.diedAt)
    failures = element.history.failures
    crashes = element.history.crashes
    reason = element.reason
    payload = String(validating: element.payload, as: UTF8.self)
    payloadBase64 = payload == nil ? Data(element.payload).base64EncodedString() : nil
    number = (showNumbers ? glimpse.to : glimpse.maskedTo) ?? "-"
    // To the second, so that the columns line up.
    diedAtSecond = Timestamp.rfc3339(letter.diedAt - letter.diedAt % 1000)
  }

  /// One line, without the payload.
  var line: String {
    let text =
      "\(diedAtSecond) id=\(id ?? "-") to=\(number) failures=\(failures) crashes=\(crashes) reason=\(reason ?? "-")"
    return text.printable
  }

  /// All of it. The payload comes last, with the lines that it has.
  var text: String {
    var lines = [("id", id ?? "-"), ("queue", queue), ("died", diedAt)]
    if let assignedId, assignedId != id { lines.insert(("assigned id", assignedId), at: 1) }
    lines += [("failures", "\(failures)"), ("crashes", "\(crashes)"), ("reason", reason ?? "-")]
    lines += (payload ?? "").split(separator: "\n", omittingEmptySubsequences: false).enumerated().map { index, line in
      (index == 0 ? "payload" : "", String(line))
    }
    if let payloadBase64 { lines[lines.count - 1] = ("base64", payloadBase64) }
    return lines.map { name, value in
      (name + String(repeating: " ", count: 13 - name.count) + value).printable
    }.joined(separator: "\n")
  }
}
