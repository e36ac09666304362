import CHiredis

/// What Redis answered (RESP2).
package enum RedisReply: Sendable, Equatable {
  case null
  case integer(Int64)
  /// A simple string, such as `OK`.
  case status(String)
  /// A bulk string: bytes of any kind.
  case bulk([UInt8])
  case array([RedisReply])
  case error(RedisError)

  /// The integer, where it is one, also where it is written as a string.
  package var integer: Int64? {
    switch self {
    case .integer(let value): value
    case .bulk, .status: string.flatMap { Int64($0) }
    default: nil
    }
  }

  /// The text, with invalid UTF-8 repaired. For names and settings; payloads are ``bytes``.
  package var string: String? {
    switch self {
    case .status(let text): text
    case .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
    default: nil
    }
  }

  package var bytes: [UInt8]? {
    if case .bulk(let bytes) = self { bytes } else { nil }
  }

  package var array: [RedisReply]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  /// What kind of reply it is, for errors: what stands in it may be somebody's message.
  package var shape: String {
    switch self {
    case .null: "nothing"
    case .integer: "a number"
    case .status(let text): "'\(RedisError.line(text))'"
    case .bulk(let bytes): "\(bytes.count) bytes"
    case .array(let elements): "a list of \(elements.count)"
    case .error(let error): "\(error)"
    }
  }

  /// Copies a reply of hiredis. The caller keeps and frees the original.
  init(_ reply: UnsafePointer<redisReply>) {
    switch reply.pointee.type {
    case REDIS_REPLY_INTEGER:
      self = .integer(reply.pointee.integer)
    case REDIS_REPLY_STRING:
      self = .bulk([UInt8](Self.text(of: reply)))
    case REDIS_REPLY_STATUS:
      self = .status(String(decoding: Self.text(of: reply), as: UTF8.self))
    case REDIS_REPLY_ARRAY:
      var elements: [RedisReply] = []
      elements.reserveCapacity(reply.pointee.elements)
      for index in 0..<reply.pointee.elements {
        elements.append(RedisReply(reply.pointee.element[index]!))
      }
      self = .array(elements)
    case REDIS_REPLY_ERROR:
      self = .error(RedisError(serverMessage: String(decoding: Self.text(of: reply), as: UTF8.self)))
    default:
      self = .null
    }
  }

  private static func text(of reply: UnsafePointer<redisReply>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: reply.pointee.str, count: reply.pointee.len)
  }
}
