import MessageQueue

/// One message as a list, hash or sorted set of the simulated Redis holds it: an ``Element`` in its parts, so that nothing is
/// encoded or decoded on the way.
package struct SimulatedElement: Equatable, Sendable {
  /// What the header line says; nil where there is none: a payload as its producer wrote it.
  package let history: MessageHistory?
  /// Why it is among the dead letters; nil elsewhere.
  package let reason: String?
  package let payload: [UInt8]
  /// How many bytes the real element has.
  package let byteCount: Int

  /// A payload without a header.
  package init(payload: [UInt8]) {
    history = nil
    reason = nil
    self.payload = payload
    byteCount = payload.count
  }

  /// A payload behind a header.
  package init(history: MessageHistory, reason: String? = nil, payload: [UInt8]) {
    self.history = history
    self.reason = reason
    self.payload = payload
    byteCount = Self.headerSize(history, reason) + payload.count
  }

  /// What a producer pushes: a payload, or an element with a header as we write it.
  package init(pushed bytes: [UInt8]) {
    guard bytes.starts(with: Self.mark) else {
      self.init(payload: bytes)
      return
    }
    let element = Element(bytes)
    if element.sealed == bytes {
      self.init(history: element.history, reason: element.reason, payload: element.payload)
    } else {
      // The scripts look for a mark and a line; what is in it is for a worker to read.
      precondition(element.payload == bytes, "a header that we would write in another way")
      self.init(payload: bytes)
    }
  }

  /// The bytes of the real element.
  package var sealed: [UInt8] {
    guard let history else { return payload }
    guard Self.isPlain(history.id), Self.isPlain(reason) else {
      return Element(history: history, reason: reason, payload: payload).sealed
    }
    var bytes = [UInt8]()
    bytes.reserveCapacity(byteCount)
    bytes += Self.beginning(history).utf8
    bytes += String(history.crashes).utf8
    bytes += Self.failures.utf8
    bytes += String(history.failures).utf8
    for (field, value) in [(Self.id, history.id), (Self.reason, reason)] {
      guard let value else { continue }
      bytes += field.utf8
      bytes += value.utf8
      bytes.append(UInt8(ascii: "\""))
    }
    bytes += Self.end.utf8
    return bytes + payload
  }

  /// Whether it stands before another one of the same score in a sorted set.
  package func precedes(_ other: SimulatedElement) -> Bool { sealed.lexicographicallyPrecedes(other.sealed) }

  func isSuspect(after crashes: Int) -> Bool { history.map { $0.crashes >= crashes } ?? false }

  /// What a script hands out of it.
  ///
  /// - Parameter claimedAt: of this claim, where that is noted.
  func claimed(as claimID: String, of queue: String, maxPayload: Int, claimedAt: Int64? = nil) -> ClaimedMessage {
    ClaimedMessage(
      queue: queue,
      claimID: claimID,
      history: (history ?? MessageHistory()).claimed(at: claimedAt),
      payload: byteCount - lineSize > maxPayload ? [] : payload,
      payloadSize: payload.count
    )
  }

  /// As a claim keeps it that notes its time.
  func stamped(_ now: Int64) -> SimulatedElement {
    // What begins as a header would is left alone, be it one or not.
    if history != nil || payload.first == UInt8(ascii: "s") { return self }
    return SimulatedElement(history: MessageHistory(claimedAt: now), payload: payload)
  }

  /// How many bytes the scripts take for a header line, which no payload is withheld for.
  private var lineSize: Int {
    if history != nil { return byteCount - payload.count }
    guard payload.starts(with: Self.mark) else { return 0 }
    return payload.prefix(8192).firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
  }

  // A header is `smsq1 {"claimed_at":1800000000000,"crashes":0,"failures":1,"id":"...","reason":"..."}` and the end of the line.
  private static let mark = Array("smsq1 {".utf8)
  private static func beginning(_ history: MessageHistory) -> String {
    guard let time = history.claimedAt else { return "smsq1 {\"crashes\":" }
    return "smsq1 {\"claimed_at\":\(time),\"crashes\":"
  }
  private static let failures = ",\"failures\":"
  private static let id = ",\"id\":\""
  private static let reason = ",\"reason\":\""
  private static let end = "}\n"

  private static func headerSize(_ history: MessageHistory, _ reason: String?) -> Int {
    guard isPlain(history.id), isPlain(reason) else {
      return Element(history: history, reason: reason, payload: []).sealed.count
    }
    var size = beginning(history).utf8.count + digits(history.crashes) + failures.utf8.count + digits(history.failures)
    if let id = history.id { size += Self.id.utf8.count + id.utf8.count + 1 }
    if let reason { size += Self.reason.utf8.count + reason.utf8.count + 1 }
    return size + end.utf8.count
  }

  private static func digits(_ number: Int) -> Int {
    var (digits, rest) = (1, number)
    while rest >= 10 { (digits, rest) = (digits + 1, rest / 10) }
    return digits
  }

  /// Whether JSON has the text as it is.
  private static func isPlain(_ text: String?) -> Bool {
    guard let text else { return true }
    return text.utf8.allSatisfy { (0x20...0x7e).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
  }
}

/// A sorted set of messages: by score, and by their bytes where scores are equal.
package struct SimulatedSortedSet: Equatable, Sendable {
  package struct Member: Equatable, Sendable {
    package let element: SimulatedElement
    /// Unix ms.
    package let score: Int64
  }

  package private(set) var members: [Member] = []

  package init() {}

  package var count: Int { members.count }
  package var first: Member? { members.first }

  /// How many have at most this score.
  package func count(upTo score: Int64) -> Int { members.firstIndex { $0.score > score } ?? members.count }

  /// ZADD: one that is there gets the new score.
  package mutating func add(_ element: SimulatedElement, score: Int64) {
    remove(element)
    // Most are later than all others.
    var index = members.count
    while index > 0 {
      let other = members[index - 1]
      if other.score < score || other.score == score && other.element.precedes(element) { break }
      index -= 1
    }
    members.insert(Member(element: element, score: score), at: index)
  }

  @discardableResult
  package mutating func remove(_ element: SimulatedElement) -> Bool {
    guard let index = members.firstIndex(where: { $0.element == element }) else { return false }
    members.remove(at: index)
    return true
  }

  package mutating func remove(at index: Int) { members.remove(at: index) }

  package mutating func removeFirst(_ count: Int) { members.removeFirst(count) }

  /// Where the element with these bytes stands.
  package func index(ofSealed bytes: [UInt8]) -> Int? {
    members.firstIndex { $0.element.byteCount == bytes.count && $0.element.sealed == bytes }
  }
}
