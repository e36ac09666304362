import MessageQueue
import SMS

/// What lies in the place of a message that was taken out of the middle of a long list, where Redis would be busy for too long to
/// close the gap: a message that has expired. No worker of any version sends it; when its turn comes it counts as expired.
package enum StandIn {
  private static let end = Array(#""expires_at":"1970-01-01T00:00:00Z"}"#.utf8)

  /// - Parameter text: why it is there.
  /// - Returns: nil for a message whose number cannot be read: it will not be sent in any case.
  package static func bytes(for message: FoundElement, text: String) -> [UInt8]? {
    let glimpse = PayloadGlimpse(message.element.payload)
    guard let to = glimpse.to else { return nil }
    let id = glimpse.id.map { [("id", $0)] } ?? []
    let payload = PreparedMessage.payload([("to", to), ("text", text)] + id + [("expires_at", "1970-01-01T00:00:00Z")])
    if message.element.history == MessageHistory() { return payload }
    return Element(history: message.element.history, payload: payload).sealed
  }

  package static func isOne(_ element: Element) -> Bool { element.payload.suffix(end.count).elementsEqual(end) }
}
