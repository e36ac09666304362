import CHiredis

/// Whatever went wrong between us and Redis.
package struct RedisError: Error, Sendable, Equatable, CustomStringConvertible {
  /// An open set: the server's own first word (`LOADING`, `OOM`), or one of ours for what happens before it answers.
  package struct Code: RawRepresentable, Hashable, Sendable {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    /// No connection could be made, or it broke.
    package static let disconnected = Code(rawValue: "disconnected")
    /// No answer came in time.
    package static let timedOut = Code(rawValue: "timed-out")
    /// Cut short by ``RedisConnection/interrupt()``.
    package static let interrupted = Code(rawValue: "interrupted")
    /// The answer is not RESP, or not the shape that the command promises.
    package static let unexpectedReply = Code(rawValue: "unexpected-reply")
  }

  /// What to do about it. The words of each case follow the table of errors in docs/operations.md.
  package enum Treatment: Sendable, Equatable {
    /// Redis is busy with itself (LOADING, BUSY, CLUSTERDOWN, ...): wait, keep the connection.
    case wait
    /// The connection is of no use any more (lost, READONLY, UNBLOCKED): make a new one.
    case reconnect
    /// Redis is full: a producer fails, a worker goes on draining.
    case full
    /// Redis takes no writes (MISCONF, NOREPLICAS): results cannot be recorded.
    case unwritable
    /// Redis does not let us (NOAUTH, WRONGPASS, NOPERM): a person must act; retry slowly.
    case denied
    /// The command itself was refused: a key of the wrong type, a bug.
    case refused
  }

  package let code: Code
  /// What was wrong, in words that name the server, key or file.
  package let message: String
  /// hiredis' REDIS_ERR_*, or 0 where hiredis is not the source.
  package let hiredisCode: Int32

  package init(code: Code, message: String, hiredisCode: Int32 = 0) {
    self.code = code
    self.message = message
    self.hiredisCode = hiredisCode
  }

  /// An error reply: its first word is its code.
  init(serverMessage: String) {
    let word = serverMessage.prefix { $0 != " " }
    // Redis adds where in which script it happened, which says nothing to those who read it.
    let end = serverMessage.firstRange(of: " script: ")?.lowerBound ?? serverMessage.endIndex
    self.init(code: Code(rawValue: String(word)), message: String(serverMessage[..<end]))
  }

  package var description: String { message }

  package var treatment: Treatment {
    switch code.rawValue {
    case "LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN": .wait
    case "disconnected", "timed-out", "interrupted", "READONLY", "UNBLOCKED": .reconnect
    case "OOM": .full
    case "MISCONF", "NOREPLICAS": .unwritable
    case "NOAUTH", "WRONGPASS", "NOPERM": .denied
    default: .refused
    }
  }
}
