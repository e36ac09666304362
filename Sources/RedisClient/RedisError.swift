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
    /// The other side hung up before it had answered anything.
    package static let hungUp = Code(rawValue: "hung-up")
    /// The answer is not RESP.
    package static let notRedis = Code(rawValue: "not-redis")
    /// The other side is a Sentinel.
    package static let sentinel = Code(rawValue: "sentinel")
    /// The other side is no Sentinel, where one was expected.
    package static let notSentinel = Code(rawValue: "not-sentinel")
    /// The sentinels have no master of that name.
    package static let unknownMaster = Code(rawValue: "unknown-master")
    /// The sentinels do not let us ask.
    package static let sentinelRefused = Code(rawValue: "sentinel-refused")
    /// The server that sentinels, or the nodes of a cluster, name does not serve.
    package static let noMaster = Code(rawValue: "no-master")
    /// The slot of a key is on its way from one node of a cluster to another. Nothing was done.
    package static let moving = Code(rawValue: "slot-moving")
    /// The answer has not the shape that the command promises.
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
    /// A person must act (NOAUTH, WRONGPASS, NOPERM, a database that is not there): retry slowly.
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
    // Redis adds where in which script it happened, or with which arguments: these may be a script's text or a message's.
    let ends = [" script: ", ", with args beginning with:"].compactMap { serverMessage.firstRange(of: $0)?.lowerBound }
    var message = serverMessage[..<(ends.min() ?? serverMessage.endIndex)]
    // More is said behind it.
    if message.last == "." { message.removeLast() }
    self.init(code: Code(rawValue: String(word.prefix(Self.longest))), message: Self.line(String(message)))
  }

  /// The most characters that another program can have us say on one line. Redis' own errors are shorter.
  private static let longest = 300

  /// What another program has sent, as part of one line.
  static func line(_ text: String) -> String {
    var line = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(longest) {
      line.append(scalar.properties.generalCategory == .control ? " " : scalar)
    }
    return String(line)
  }

  /// What was wrong, and what to do where Redis' own words do not tell.
  package var description: String { cause.remedy.map { "\(message); \($0)" } ?? message }

  package var treatment: Treatment { cause.treatment }
}
