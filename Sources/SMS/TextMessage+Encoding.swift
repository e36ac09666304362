extension TextMessage {
  /// The payload that ``decode(payload:assignedID:defaultCountryCode:)`` reads: one JSON object on one line, in UTF-8,
  /// with `id`, `to`, `text`, and `from`, `expires_at`, `queued_at` where there are any.
  package func encoded() -> [UInt8] {
    var json = JSONObjectWriter(reserving: text.utf8.count + 192)
    json.write("id", id)
    json.write("to", to.e164)
    json.write("text", text)
    if let from { json.write("from", from) }
    if let expiresAt { json.write("expires_at", Timestamp.rfc3339(expiresAt)) }
    if let queuedAt { json.write("queued_at", Timestamp.rfc3339(queuedAt)) }
    return json.finished()
  }
}

/// Writes an object of strings byte by byte: the payload is our wire format, and its bytes are for us to choose.
private struct JSONObjectWriter {
  private var bytes: [UInt8] = []

  init(reserving capacity: Int) { bytes.reserveCapacity(capacity) }

  mutating func write(_ key: StaticString, _ value: String) {
    bytes.append(UInt8(ascii: bytes.isEmpty ? "{" : ","))
    bytes.append(UInt8(ascii: "\""))
    key.withUTF8Buffer { bytes.append(contentsOf: $0) }
    bytes.append(contentsOf: "\":\"".utf8)
    if value.utf8.allSatisfy({ !Self.isEscaped($0) }) {
      bytes.append(contentsOf: value.utf8)
    } else {
      writeEscaped(value)
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private static func isEscaped(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  private mutating func writeEscaped(_ value: String) {
    for byte in value.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(byte)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
      case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
      case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
      // RFC 8259: the other control characters below U+0020 have to be escaped, and nothing above does.
      case 0..<0x20:
        bytes.append(contentsOf: "\\u00".utf8)
        bytes.append(Self.hexDigit(byte >> 4))
        bytes.append(Self.hexDigit(byte & 15))
      default: bytes.append(byte)
      }
    }
  }

  consuming func finished() -> [UInt8] {
    bytes.append(UInt8(ascii: "}"))
    return bytes
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }
}
