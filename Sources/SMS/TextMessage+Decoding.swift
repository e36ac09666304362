#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

extension TextMessage {
  /// No text of ``maximumSegments`` comes near it, so that what is longer is a mistake or an attack: 1 MiB.
  package static let maximumPayloadSize = 1 << 20

  /// Reads a payload: one JSON object such as
  /// `{"to":"+8613800138000","text":"Your code","from":"ACME","id":"...","expires_at":"2026-11-22T12:00:00Z",`
  /// `"queued_at":"..."}`, in UTF-8 without a byte order mark.
  ///
  /// Only `to` and `text` are required, `null` stands for an absent field, and unknown fields are ignored.
  ///
  /// - Parameters:
  ///   - assignedID: the message's id when the payload names none.
  ///   - defaultCountryCode: see ``PhoneNumber/init(_:defaultCountryCode:)``.
  package static func decode(
    payload: [UInt8],
    assignedID: String,
    defaultCountryCode: String?
  ) throws(MessageError) -> TextMessage {
    let fields = try MessageFields(payload: payload)
    guard !fields.to.isEmpty else {
      throw MessageError(.missingField, "'to' is empty: write a telephone number, such as +8613800138000")
    }
    return try TextMessage(
      to: PhoneNumber(fields.to, defaultCountryCode: defaultCountryCode),
      text: fields.text,
      from: fields.from,
      id: fields.id ?? assignedID,
      expiresAt: time(fields.expiresAt, field: "expires_at"),
      queuedAt: time(fields.queuedAt, field: "queued_at")
    )
  }

  private static func time(_ text: String?, field: String) throws(MessageError) -> Int64? {
    guard let text else { return nil }
    guard let milliseconds = Timestamp.milliseconds(text) else {
      throw MessageError(
        .invalidTime,
        "'\(field)' is '\(Redacted.value(text))', which is no time: write it as RFC 3339, such as 2026-11-22T12:00:00Z"
      )
    }
    return milliseconds
  }
}

/// A payload's fields, as they were written.
private struct MessageFields: Decodable {
  let to: String
  let text: String
  let from: String?
  let id: String?
  let expiresAt: String?
  let queuedAt: String?

  private enum CodingKeys: String, CodingKey {
    case to, text, from, id
    case expiresAt = "expires_at"
    case queuedAt = "queued_at"
  }

  private static let decoder = JSONDecoder()

  init(payload: [UInt8]) throws(MessageError) {
    guard payload.count <= TextMessage.maximumPayloadSize else {
      throw MessageError(
        .payloadTooLarge,
        "the payload has \(payload.count) bytes and the most is \(TextMessage.maximumPayloadSize): shorten it"
      )
    }
    // JSONDecoder would also take UTF-16, UTF-32, and UTF-8 with a mark, which other readers of the queue do not.
    guard let byte = payload.first(where: { !Self.isSpace($0) }) else {
      throw MessageError(.invalidJSON, "the payload is empty: write one JSON object with 'to' and 'text'")
    }
    guard String(validating: payload, as: UTF8.self) != nil, !payload.contains(0) else {
      throw MessageError(.invalidUTF8, "the payload is not valid UTF-8: write it in UTF-8")
    }
    guard byte == UInt8(ascii: "{") else {
      throw MessageError(
        .notAnObject,
        "the payload is no JSON object: write {\"to\":\"+8613800138000\",\"text\":\"...\"}"
      )
    }
    do {
      self = try Self.decoder.decode(MessageFields.self, from: Data(payload))
    } catch let error as DecodingError {
      throw MessageError(error)
    } catch {
      throw MessageError(.invalidJSON, "the payload is not valid JSON")
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
}

extension MessageError {
  /// What JSONDecoder says, without its words: they may quote the text.
  fileprivate init(_ error: DecodingError) {
    func name(_ path: [any CodingKey]) -> String { path.last.map { "'\($0.stringValue)'" } ?? "the payload" }
    switch error {
    case .keyNotFound(let key, _):
      self.init(.missingField, "'\(key.stringValue)' is missing: a message needs 'to' and 'text'")
    case .valueNotFound(_, let context):
      self.init(.missingField, "\(name(context.codingPath)) is null: a message needs 'to' and 'text'")
    case .typeMismatch(_, let context):
      self.init(.wrongType, "\(name(context.codingPath)) is no string: write its value in double quotes")
    case .dataCorrupted: fallthrough
    @unknown default:
      self.init(.invalidJSON, "the payload is not valid JSON: write one JSON object with 'to' and 'text'")
    }
  }
}
