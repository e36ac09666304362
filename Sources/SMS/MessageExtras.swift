import Wire

/// What a producer says of a message beyond what smsq itself reads, for a gateway that may know more: a template's name, a
/// signature, a tenant.
///
/// It keeps the payload, and looks for these members only when it is asked: most gateways never do.
package struct MessageExtras: Sendable {
  private enum Source {
    case none
    case json([UInt8])
    case php([UInt8])
  }

  private let source: Source

  package static let none = MessageExtras(source: .none)

  private init(source: Source) { self.source = source }

  /// - Parameter payload: has been read as JSON.
  init(json payload: [UInt8]) { source = .json(payload) }

  /// - Parameter payload: has been read as ``PHPMessage``.
  init(php payload: [UInt8]) { source = .php(payload) }

  /// The members as JSON, `"user_id":17,"template":"T1"`, in their order and byte for byte as they were written; only line
  /// breaks between tokens are spaces, as requests to programs are lines. Empty where there are none.
  ///
  /// `user_id` is among them. The fields that smsq reads are not, nor what has the name of another field of a request: a
  /// producer cannot write these in smsq's place. Of a PHP message it is `user_id` alone: its other values are no JSON.
  package var members: [UInt8] {
    switch source {
    case .none: []
    case .json(let payload): (try? Self.members(of: payload)) ?? []
    case .php(let payload): (try? PHPMessage(payload: payload))?.userIDMember ?? []
    }
  }

  private static func members(of payload: [UInt8]) throws(WireError) -> [UInt8] {
    var members: [UInt8] = []
    var reader = try JSONReader(payload)
    var end = reader.index
    while let name = try reader.nextName() {
      // Between two members is nothing but space and a comma.
      let start = payload[end...].firstIndex(of: UInt8(ascii: "\"")) ?? end
      try reader.skipValue()
      end = reader.index
      if name.withUTF8(in: payload, isOurs) { continue }
      if !members.isEmpty { members.append(UInt8(ascii: ",")) }
      for byte in payload[start..<end] { members.append(byte == 0x0A || byte == 0x0D ? 0x20 : byte) }
    }
    return members
  }

  /// Whether smsq reads the field itself, or writes one of this name into a request.
  private static func isOurs(_ name: UTF8Span) -> Bool {
    switch name {
    case "to", "text", "from", "id", "expires_at", "queued_at", "ref", "attempt", "segments", "encoding": true
    default: false
    }
  }
}

extension MessageExtras: Equatable {
  /// They tell no two messages apart: what is sent, and to whom, is in a message's own fields.
  package static func == (left: Self, right: Self) -> Bool { true }
}
