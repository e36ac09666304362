import MessageQueue
import SMS

/// Which of the messages of a queue are meant. Nothing given means all.
package struct MessageFilter: Sendable, Equatable {
  /// A telephone number, as it is written in E.164.
  package var recipient: String?
  /// Where a number without `+` is dialled, see ``PhoneNumber/init(_:defaultCountryCode:)``.
  package var defaultCountryCode: String?
  /// A part of the payload, letter by letter.
  package var text: String?
  /// Due before this, and after that, Unix ms.
  package var before: Int64?
  package var after: Int64?

  package init(
    recipient: String? = nil,
    defaultCountryCode: String? = nil,
    text: String? = nil,
    before: Int64? = nil,
    after: Int64? = nil
  ) {
    self.recipient = recipient
    self.defaultCountryCode = defaultCountryCode
    self.text = text
    self.before = before
    self.after = after
  }

  /// What a message that is meant has in it: others need not come from Redis to be looked at.
  package var texts: [String] { [text ?? ""] }

  package var isEmpty: Bool { recipient == nil && text == nil && before == nil && after == nil }

  package func matches(_ message: FoundElement) -> Bool {
    if let before, let time = message.time, time >= before { return false }
    if let after, let time = message.time, time <= after { return false }
    if let text, !String(decoding: message.element.payload, as: UTF8.self).contains(text) { return false }
    if let recipient {
      guard let to = PayloadGlimpse(message.element.payload).to else { return false }
      return (try? PhoneNumber(to, defaultCountryCode: defaultCountryCode))?.e164 == recipient
    }
    return !StandIn.isOne(message.element)
  }
}

/// Finds the messages of one shard that are meant, and knows them again.
package struct MessageSelection: Sendable {
  package let filter: MessageFilter
  private let place: MessagePages.Place
  /// Of those that were counted, by what they are: what comes in after the question was asked is not what the answer was about.
  private var counted: Set<Int> = []

  package init(_ filter: MessageFilter, at place: MessagePages.Place) {
    self.filter = filter
    self.place = place
  }

  /// How many were counted.
  package private(set) var count = 0

  /// Those that are meant now, without what they are.
  package mutating func count(in shard: MessageQueue) async throws {
    var pages = MessagePages(of: place, in: shard, having: filter.texts)
    while let page = try await pages.next() {
      for message in page.found where filter.matches(message) {
        counted.insert(message.stored.hashValue)
        count += 1
      }
    }
  }

  /// Whether it is meant, and was when they were counted.
  package func contains(_ message: FoundElement) -> Bool {
    counted.contains(message.stored.hashValue) && filter.matches(message)
  }
}

extension Taking {
  /// - Parameters:
  ///   - standIn: the text of what may lie in its place; nil for nothing.
  ///   - end: what is to be known of it, under its id.
  package init(_ message: FoundElement, at place: MessagePages.Place, standIn: String? = nil, end: MessageEnd? = nil) {
    self.init(message.stored, at: place == .scheduled ? .later : .list(newer: message.place))
    let glimpse = PayloadGlimpse(message.element.payload)
    callerID = glimpse.callerID
    self.standIn = standIn.flatMap { StandIn.bytes(for: message, text: $0) }
    if let end, let id = glimpse.id ?? message.element.history.id { record = (id, end) }
  }
}

extension MessageEnd {
  /// Of a message that is cancelled: with how often it was tried before.
  package init(cancelled message: FoundElement) {
    self.init(.cancelled, attempts: message.element.history.failures + message.element.history.crashes)
  }
}
