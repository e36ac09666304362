#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// What a list, hash or sorted set of the queue holds for one message: the payload as its producer wrote it, or, once the
/// message has come back from a worker, the payload behind a header line:
///
///     smsq1 {"crashes":0,"failures":1,"id":"..."}
///     {"to":"+8613800138000","text":"hi"}
///
/// The header is in front and not inside because a payload is kept byte for byte, readable or not: adding fields to JSON
/// that somebody else wrote would change numbers, key order and whatever is wrong with it.
package struct Element: Sendable, Equatable {
  package var history: MessageHistory
  /// Why it is among the dead letters; nil elsewhere.
  package var reason: String?
  package var payload: [UInt8]

  package init(history: MessageHistory, reason: String? = nil, payload: [UInt8]) {
    self.history = history
    self.reason = reason
    self.payload = payload
  }

  private struct Header: Codable {
    var id: String?
    var failures: Int?
    var crashes: Int?
    var reason: String?
    var claimedAt: Int64?

    private enum CodingKeys: String, CodingKey {
      case id, failures, crashes, reason
      // Stands first in a header, and has 13 digits until the year 2286: messages that are due at the same time come in the
      // order of their first claims.
      case claimedAt = "claimed_at"
    }
  }

  private static let mark = [UInt8]("smsq1 {".utf8)
  private static let newline = UInt8(ascii: "\n")

  /// Reads an element. Never fails: what is no header is payload, and a payload that is not readable is for the handler
  /// to refuse.
  package init(_ bytes: [UInt8]) {
    guard bytes.starts(with: Self.mark), let end = bytes.firstIndex(of: Self.newline),
      let header = try? JSONDecoder().decode(Header.self, from: Data(bytes[(Self.mark.count - 1)..<end]))
    else {
      self.init(history: MessageHistory(), payload: bytes)
      return
    }
    self.init(
      history: MessageHistory(
        id: header.id,
        // Anybody may write a header: a negative count must not make a message immortal, nor a huge one overflow.
        failures: min(max(0, header.failures ?? 0), 1_000_000),
        crashes: min(max(0, header.crashes ?? 0), 1_000_000),
        claimedAt: header.claimedAt.map { min(max(0, $0), 253_402_300_799_999) }
      ),
      reason: header.reason,
      payload: [UInt8](bytes[(end + 1)...])
    )
  }

  /// The bytes with the header.
  package var sealed: [UInt8] { Self.header(history, reason) + payload }

  /// The line to put in front of a payload.
  fileprivate static func header(_ history: MessageHistory, _ reason: String?) -> [UInt8] {
    let header = Header(
      id: history.id,
      failures: history.failures,
      crashes: history.crashes,
      reason: reason,
      claimedAt: history.claimedAt
    )
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // A flat object of strings and integers: the encoder has no reason to fail, and if it did, the payload alone is the
    // part that must not be lost.
    guard let json = try? encoder.encode(header) else { return [] }
    return [UInt8](mark.dropLast()) + json + [newline]
  }
}

/// How a claimed message is stored when it leaves its worker's hand: what is new about it, in front of its payload, which
/// stays in Redis all the while.
package struct Envelope: Sendable, Equatable {
  package var history: MessageHistory
  /// Why it is among the dead letters; nil elsewhere.
  package var reason: String?
  /// How many bytes the payload has: the last ones of what was claimed.
  package let payloadSize: Int

  package init(history: MessageHistory, reason: String? = nil, payloadSize: Int) {
    self.history = history
    self.reason = reason
    self.payloadSize = payloadSize
  }

  /// The line in front of the payload.
  var header: [UInt8] { Element.header(history, reason) }
}

extension ClaimedMessage {
  /// The message as it goes back to the queue or to the dead letters: with what has happened to it so far.
  package func element(failures: Int = 0, crashes: Int = 0, reason: String? = nil) -> Envelope {
    let history = MessageHistory(
      id: assignedID,
      failures: self.history.failures + failures,
      crashes: self.history.crashes + crashes,
      // One that is dead begins anew when it is put back.
      claimedAt: reason == nil ? self.history.claimedAt : nil
    )
    return Envelope(history: history, reason: reason, payloadSize: payloadSize)
  }
}
