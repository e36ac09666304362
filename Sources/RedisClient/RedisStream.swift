import CHiredis
import Glibc

/// One open connection, over hiredis' buffers and reader: what is sent to Redis, and what it answers. With TLS the socket is
/// that of a ``TLSStream``, and the reader stays hiredis'.
///
/// It belongs to one thread. After an error of its own it can no longer be trusted: after a time-out the late answer would be
/// taken for the next command's.
final class RedisStream {
  private let context: UnsafeMutablePointer<redisContext>
  /// What another thread may shut down.
  private let socket: GuardedSocket
  /// How long the stream waits for an answer now.
  private var patience = Duration.zero
  private var tls: TLSStream?
  private var isClosed = false

  deinit { close() }

  /// Connects, and nothing is said yet.
  ///
  /// - Parameters:
  ///   - timeout: for the TCP or Unix connect, and for the TLS handshake behind it; DNS look-ups have the resolver's own limit.
  ///   - unansweredAfter: see ``SocketOptions``.
  ///   - socket: gets the descriptor for as long as the stream is open.
  static func open(
    _ address: RedisEndpoint.Address,
    tls: RedisTLS?,
    timeout: Duration,
    unansweredAfter: Duration,
    socket: GuardedSocket
  ) throws(RedisError) -> RedisStream {
    let connected = { () throws(RedisError) in
      try RedisStream(connect(to: address, timeout: timeout), unansweredAfter: unansweredAfter, socket: socket)
    }
    guard let tls else { return try connected() }
    let shared = try TLSContext.current(for: tls)
    do throws(RedisError) {
      let stream = try connected()
      try stream.secure(tls, shared, to: address, within: timeout)
      return stream
    } catch {
      guard !shared.isWhole, error.code.tlsFault == .unknownIssuer || error.code.tlsFault == .selfSigned else {
        throw error
      }
    }
    let stream = try connected()
    try stream.secure(tls, TLSContext.current(for: tls, whole: true), to: address, within: timeout)
    return stream
  }

  private init(
    _ context: UnsafeMutablePointer<redisContext>,
    unansweredAfter: Duration,
    socket: GuardedSocket
  ) throws(RedisError) {
    self.context = context
    self.socket = socket
    guard socket.set(chiredis_descriptor(context)) else {
      throw RedisError(code: .interrupted, message: "the connection was closed on purpose")
    }
    SocketOptions.apply(to: chiredis_descriptor(context), unansweredAfter: unansweredAfter)
  }

  private func secure(
    _ tls: RedisTLS,
    _ shared: TLSContext,
    to address: RedisEndpoint.Address,
    within timeout: Duration
  ) throws(RedisError) {
    let host =
      switch address {
      case .tcp(let host, _): host
      case .unix: "localhost"
      }
    do throws(RedisError) {
      let stream = try TLSStream(tls, shared, host: host, over: context)
      try stream.shakeHands(within: timeout)
      self.tls = stream
    } catch {
      close()
      throw error
    }
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

  /// Of the server's certificate; nil without TLS.
  var certificateSpan: CertificateSpan? { tls?.span }

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
    if let tls {
      tls.patience = patience
    } else {
      redisSetTimeout(context, timeval(patience))
    }
  }

  /// Appends a command to the output buffer. It may come in parts, which hiredis copies one behind the other: the long one
  /// of a thousand messages is not to be copied only to get its beginning in front.
  func append(_ parts: RedisCommand...) throws(RedisError) {
    let header = RedisCommand.header(parts.reduce(0) { $0 + $1.count })
    if let tls {
      for piece in [header] + parts.map(\.bytes) { tls.append(piece) }
      return
    }
    for piece in [header] + parts.map(\.bytes) {
      let code = piece.withUnsafeBytes { bytes in
        redisAppendFormattedCommand(context, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
      }
      if code != REDIS_OK { throw RedisError(failed: context) }
    }
  }

  /// Sends what was appended.
  func flush() throws(RedisError) {
    if let tls { return try tls.flush() }
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
      if let tls {
        replies.append(try reply(over: tls))
        continue
      }
      var raw: UnsafeMutableRawPointer?
      guard redisGetReply(context, &raw) == REDIS_OK, let raw else { throw RedisError(failed: context) }
      replies.append(Self.taken(raw))
    }
    return replies
  }

  private func reply(over tls: TLSStream) throws(RedisError) -> RedisReply {
    while true {
      if let reply = try replyOfReader() { return reply }
      try tls.flush()
      try tls.read()
    }
  }

  private func replyOfReader() throws(RedisError) -> RedisReply? {
    var raw: UnsafeMutableRawPointer?
    guard redisGetReplyFromReader(context, &raw) == REDIS_OK else { throw RedisError(failed: context) }
    return raw.map(Self.taken)
  }

  /// The next reply, or nil where it is not here, or not whole.
  ///
  /// - Parameter patience: how long to wait where nothing more is here; whole milliseconds count.
  func replyIfHere(within patience: Duration) throws(RedisError) -> RedisReply? {
    while true {
      if let reply = try replyOfReader() { return reply }
      // What OpenSSL has read may be here whether or not the socket can be read.
      if let tls, try tls.readIfHere() { continue }
      guard GuardedSocket.isReadable(chiredis_descriptor(context), within: patience) else { return nil }
      if tls != nil { continue }
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
    if tls != nil {
      if case .error(let error)? = try? replyIfHere(within: .zero) { return error }
      return nil
    }
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
