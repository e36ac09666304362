import CHiredis
import Glibc

/// One open connection, over hiredis' buffers and reader: what is sent to Redis, and what it answers.
///
/// It belongs to one thread. After an error of its own it can no longer be trusted: after a time-out the late answer would be
/// taken for the next command's.
final class RedisStream {
  private let context: UnsafeMutablePointer<redisContext>
  /// What another thread may shut down.
  private let socket: GuardedSocket
  /// How long the stream waits for an answer now.
  private var patience = Duration.zero
  private var isClosed = false

  private init(_ context: UnsafeMutablePointer<redisContext>, socket: GuardedSocket) {
    self.context = context
    self.socket = socket
  }

  deinit { close() }

  /// Connects, and nothing is said yet.
  ///
  /// - Parameters:
  ///   - timeout: for the TCP or Unix connect; DNS look-ups have the resolver's own limit.
  ///   - unansweredAfter: see ``SocketOptions``.
  ///   - socket: gets the descriptor for as long as the stream is open.
  static func open(
    _ address: RedisEndpoint.Address,
    tls: RedisTLS?,
    timeout: Duration,
    unansweredAfter: Duration,
    socket: GuardedSocket
  ) throws(RedisError) -> RedisStream {
    if tls != nil { throw RedisError(code: .disconnected, message: "TLS is not supported yet") }
    let context = try connect(to: address, timeout: timeout)
    let descriptor = chiredis_descriptor(context)
    guard socket.set(descriptor) else {
      redisFree(context)
      throw RedisError(code: .interrupted, message: "the connection was closed on purpose")
    }
    SocketOptions.apply(to: descriptor, unansweredAfter: unansweredAfter)
    return RedisStream(context, socket: socket)
  }

  private static func connect(
    to address: RedisEndpoint.Address,
    timeout: Duration
  ) throws(RedisError) -> UnsafeMutablePointer<redisContext> {
    while true {
      let opened =
        switch address {
        case .tcp(let host, let port): redisConnectWithTimeout(host, Int32(port), timeval(timeout))
        case .unix(let path): redisConnectUnixWithTimeout(path, timeval(timeout))
        }
      guard let context = opened else {
        throw RedisError(code: .disconnected, message: "out of memory", hiredisCode: REDIS_ERR_OOM)
      }
      if chiredis_error(context) == 0 { return context }
      let interruptedBySignal = errno == EINTR && chiredis_error(context) == REDIS_ERR_IO
      let error = RedisError(failed: context)
      redisFree(context)
      // hiredis reports a signal during its poll(2) as a failure; it is none.
      if !interruptedBySignal { throw error }
    }
  }

  /// Ends the connection; the stream must not be used any more.
  func close() {
    if isClosed { return }
    isClosed = true
    socket.clear()
    redisFree(context)
  }

  /// Sets how long an answer may take from now on.
  func setPatience(_ patience: Duration) {
    if patience == self.patience { return }
    self.patience = patience
    redisSetTimeout(context, timeval(patience))
  }

  /// Appends a command to the output buffer. It may come in parts, which hiredis copies one behind the other: the long one
  /// of a thousand messages is not to be copied only to get its beginning in front.
  func append(_ parts: RedisCommand...) throws(RedisError) {
    let header = RedisCommand.header(parts.reduce(0) { $0 + $1.count })
    for piece in [header] + parts.map(\.bytes) {
      let code = piece.withUnsafeBytes { bytes in
        redisAppendFormattedCommand(context, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
      }
      if code != REDIS_OK { throw RedisError(failed: context) }
    }
  }

  /// Sends what was appended.
  func flush() throws(RedisError) {
    var isDone: Int32 = 0
    repeat {
      guard redisBufferWrite(context, &isDone) == REDIS_OK else { throw RedisError(failed: context) }
    } while isDone == 0
  }

  /// Sends what was appended, and waits for so many replies.
  func replies(_ count: Int) throws(RedisError) -> [RedisReply] {
    var replies: [RedisReply] = []
    replies.reserveCapacity(count)
    for _ in 0..<count {
      var raw: UnsafeMutableRawPointer?
      guard redisGetReply(context, &raw) == REDIS_OK, let raw else { throw RedisError(failed: context) }
      replies.append(Self.taken(raw))
    }
    return replies
  }

  /// The next reply, or nil where it is not here, or not whole.
  ///
  /// - Parameter patience: how long to wait where nothing more is here; whole milliseconds count.
  func replyIfHere(within patience: Duration) throws(RedisError) -> RedisReply? {
    while true {
      var raw: UnsafeMutableRawPointer?
      guard redisGetReplyFromReader(context, &raw) == REDIS_OK else { throw RedisError(failed: context) }
      if let raw { return Self.taken(raw) }
      guard GuardedSocket.isReadable(chiredis_descriptor(context), within: patience) else { return nil }
      guard redisBufferRead(context) == REDIS_OK else { throw RedisError(failed: context) }
    }
  }

  private static func taken(_ raw: UnsafeMutableRawPointer) -> RedisReply {
    defer { freeReplyObject(raw) }
    return RedisReply(raw.assumingMemoryBound(to: redisReply.self))
  }

  /// What the other side had said before it hung up: Redis tells a client that is one too many, and does not wait for its
  /// greeting, so that we fail to write before we have read.
  func lastWords() -> RedisError? {
    var buffer = [UInt8](repeating: 0, count: 512)
    let count = recv(chiredis_descriptor(context), &buffer, buffer.count, Int32(MSG_DONTWAIT))
    guard count > 0, buffer[0] == UInt8(ascii: "-") else { return nil }
    let line = buffer[1..<count].prefix { $0 != UInt8(ascii: "\r") }
    return RedisError(serverMessage: String(decoding: line, as: UTF8.self))
  }
}

extension RedisError {
  /// Reads what hiredis says went wrong.
  fileprivate init(failed context: UnsafePointer<redisContext>) {
    let code = chiredis_error(context)
    let text = String(cString: chiredis_error_text(context))
    switch code {
    case REDIS_ERR_PROTOCOL:
      self.init(
        code: .notRedis,
        message: "what answers there is no Redis (\(text))",
        hiredisCode: code
      )
    case REDIS_ERR_IO where errno == EAGAIN || errno == ETIMEDOUT:
      self.init(code: .timedOut, message: "no answer in time", hiredisCode: code)
    default:
      self.init(code: .disconnected, message: text.isEmpty ? "connection lost" : text, hiredisCode: code)
    }
  }
}

extension timeval {
  init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    self.init(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
  }
}
