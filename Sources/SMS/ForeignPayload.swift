import Wire

/// What a payload is that cannot be read: producers' libraries pack, compress and encode it by settings that nobody remembers.
/// Looked at only when something is wrong.
enum ForeignPayload {
  /// The error, or one of the same code that names what the payload is instead, and what to do in the producer.
  static func explaining(_ error: MessageError, of payload: [UInt8]) -> MessageError {
    switch error.code {
    case .invalidUTF8, .invalidJSON, .invalidPHP, .notAnObject:
      guard let (what, remedy) = name(of: payload, error.code) else { return error }
      return MessageError(error.code, "the payload is \(what): \(remedy)")
    default:
      return error
    }
  }

  private static let plain = "push the JSON as it is"
  private static let uncompressed = "push it uncompressed (phpredis: OPT_COMPRESSION, COMPRESSION_NONE)"
  private static let asJSON = "push JSON (json_encode, and for phpredis OPT_SERIALIZER, SERIALIZER_NONE)"

  private static let beginnings: [(bytes: [UInt8], what: String, remedy: String)] = [
    ([0xEF, 0xBB, 0xBF], "JSON behind a byte order mark, EF BB BF", "write it in UTF-8 without one"),
    ([0xFF, 0xFE], "in UTF-16", "write it in UTF-8"),
    ([0xFE, 0xFF], "in UTF-16", "write it in UTF-8"),
    ([0x7B, 0x00], "in UTF-16", "write it in UTF-8"),
    ([0x00, 0x7B], "in UTF-16", "write it in UTF-8"),
    ([0x00, 0x00, 0x00, 0x01], "written by igbinary", asJSON),
    ([0x00, 0x00, 0x00, 0x02], "written by igbinary", asJSON),
    ([0x1F, 0x8B], "compressed with gzip", uncompressed),
    ([0x78, 0x01], "compressed with zlib", uncompressed),
    ([0x78, 0x5E], "compressed with zlib", uncompressed),
    ([0x78, 0x9C], "compressed with zlib", uncompressed),
    ([0x78, 0xDA], "compressed with zlib", uncompressed),
    ([0x28, 0xB5, 0x2F, 0xFD], "compressed with zstd", uncompressed),
    ([0x04, 0x22, 0x4D, 0x18], "compressed with lz4", uncompressed),
    ([0x42, 0x5A, 0x68], "compressed with bzip2", uncompressed),
    ([0xAC, 0xED, 0x00, 0x05], "a serialized Java object", "push JSON, as with StringRedisSerializer"),
    ([0x04, 0x08], "written by Ruby's Marshal", "push JSON, with to_json"),
    ([0xD9, 0xD9, 0xF7], "CBOR", "push JSON"),
    (Array("<".utf8), "XML or HTML", "push JSON"),
  ]

  private static func name(of payload: [UInt8], _ code: MessageError.Code) -> (what: String, remedy: String)? {
    for (bytes, what, remedy) in beginnings where payload.starts(with: bytes) { return (what, remedy) }
    // All below is by a byte and what follows: shorter ones say nothing.
    guard payload.count > 8 else { return nil }
    let first = payload[0]
    let text = payload.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
    switch first {
    // Python's pickle, protocols 2 to 5.
    case 0x80 where (2...5).contains(payload[1]): return ("a Python pickle", "push JSON, with json.dumps")
    // A map of up to 15 members, or a longer one; its first name is a string.
    case 0x80...0x8F where (0xA0...0xBF).contains(payload[1]) || payload[1] == 0xD9, 0xDE, 0xDF:
      return ("MessagePack", asJSON)
    // An array; a string that holds what was JSON already.
    case 0x90...0x9F, 0xDC, 0xDD: return ("MessagePack", asJSON)
    case 0xD9 where beginsMessage(payload[2...]), 0xDA where beginsMessage(payload[3...]),
      0xDB where beginsMessage(payload[5...]):
      return ("a string of MessagePack that holds a message", asJSON)
    case 0x78 where beginsMessage(payload[2...]):
      return ("a string of CBOR that holds a message", plain)
    case 0xA1...0xB7 where (0x60...0x77).contains(payload[1]), 0xBF where (0x60...0x77).contains(payload[1]):
      return ("CBOR", "push JSON")
    // LZF has no mark of its own: it begins with how many bytes stand there as they are.
    case 0..<0x20 where beginsMessage(payload[1...]) && !isSpace(first): return ("compressed with LZF", uncompressed)
    case _ where isBSON(payload): return ("BSON", "push JSON")
    // phpredis writes a checksum of a byte and the length in front of it.
    case _ where payload[3] == 0 && payload[4] == 0 && (beginsMessage(payload[6...]) || beginsMessage(payload[7...])):
      return ("compressed with lz4", uncompressed)
    default: break
    }
    switch text.first {
    case UInt8(ascii: "\""):
      return isNested(text.dropFirst())
        ? ("a JSON string that holds JSON, which was encoded twice", "encode the object once")
        : ("a JSON string", "write one JSON object, {\"to\":\"+8613800138000\",\"text\":\"...\"}")
    case UInt8(ascii: "["): return ("a JSON array", "push each of its objects as a message of its own")
    case UInt8(ascii: "{") where code == .invalidPHP:
      return ("JSON", "have the worker take it, with --payload auto or json")
    default: break
    }
    if isSerialized(payload, "a", "{"), code != .invalidPHP {
      return ("written by PHP's serialize", "push JSON, or have the worker take it, with --payload auto or php")
    }
    if isSerialized(payload, "s", "\"{") || isSerialized(payload, "s", "\"a:") {
      return ("a string of PHP's serialize that holds a message, which was encoded twice", asJSON)
    }
    if isSerialized(payload, "s", "\"") { return ("a string of PHP's serialize", asJSON) }
    if isSerialized(payload, "O", "\"") || isSerialized(payload, "C", "\"") {
      return ("a PHP object", "push JSON, or serialize an array, (array) $message")
    }
    if isBase64(payload) { return ("in base64", plain) }
    if isForm(payload) { return ("a form, name=value&...", "push JSON") }
    return nil
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x09 || byte == 0x0A || byte == 0x0D }

  /// Whether a message stands here as smsq would read it.
  private static func beginsMessage(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.starts(with: "{\"".utf8) || bytes.starts(with: "a:".utf8)
  }

  /// Whether what stands in a JSON string is an object, too.
  private static func isNested(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.drop { isSpace($0) || $0 == 0x20 || $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "\"") }
      .starts(with: "{".utf8)
  }

  /// Its length, in four bytes, little-endian, and a NUL at its end.
  private static func isBSON(_ payload: [UInt8]) -> Bool {
    let length = (0..<4).reduce(0) { $0 | Int(payload[$1]) << (8 * $1) }
    return length == payload.count && payload.last == 0
  }

  /// Whether all of it is base64 of an object or a PHP array.
  private static func isBase64(_ payload: [UInt8]) -> Bool {
    (payload.starts(with: "eyJ".utf8) || payload.starts(with: "YTo".utf8))
      && payload.allSatisfy { byte in
        isDigit(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || "+/-_=\r\n".utf8.contains(byte)
      }
  }

  /// Whether it begins as PHP writes a value: a letter, a length, and what comes then.
  private static func isSerialized(_ payload: [UInt8], _ kind: Unicode.Scalar, _ next: String) -> Bool {
    guard payload[0] == UInt8(ascii: kind), payload[1] == UInt8(ascii: ":") else { return false }
    let rest = payload[2...].drop(while: isDigit)
    return rest.startIndex > 2 && rest.first == UInt8(ascii: ":") && rest.dropFirst().starts(with: next.utf8)
  }

  private static func isForm(_ payload: [UInt8]) -> Bool {
    let name = payload.prefix { (0x61...0x7A).contains($0 | 0x20) || $0 == UInt8(ascii: "_") }
    return !name.isEmpty && payload[name.endIndex...].first == UInt8(ascii: "=") && payload.contains(UInt8(ascii: "&"))
      && !payload.contains(UInt8(ascii: "{"))
  }

  // MARK: Other members than ours

  private static let ours: Set<String> = [
    "to", "text", "template", "template_params", "sign", "from", "id", "expires_at", "queued_at", "user_id",
  ]

  private static let jobs: [(members: Set<String>, of: String)] = [
    (["body", "headers", "properties"], "Celery"),
    (["task", "args", "kwargs"], "Celery"),
    (["class", "args", "jid"], "Sidekiq"),
    (["class", "args"], "Resque"),
    (["job", "data", "displayName"], "Laravel"),
  ]

  /// What stands there instead of the members that are missing; empty where there is nothing to say.
  static func envelope(_ payload: [UInt8]) -> String {
    guard var reader = try? JSONReader(payload) else { return "" }
    var names: [String] = []
    while names.count < 64, let name = (try? reader.nextName())??.text(in: payload) {
      names.append(name)
      guard (try? reader.skipValue()) != nil else { return "" }
    }
    for (members, library) in jobs where members.isSubset(of: names) {
      return "; it looks like a job of \(library), which nobody unpacks here: push the message itself with LPUSH"
    }
    let others = names.filter { !ours.contains($0) }
    if others.isEmpty { return "" }
    let shown = others.prefix(8).map { "'\(Redacted.name($0))'" }.joined(separator: ", ")
    return "; it has \(shown)\(others.count > 8 ? ", ..." : "")"
  }
}
