import CHiredis
import Glibc

/// TLS on the socket of a hiredis context, whose reader gets what comes.
///
/// The socket does not block; where OpenSSL has to wait, poll(2) does, and ends as a blocking read would: by what comes, by
/// the time-out, or by shutdown(2) from another thread.
final class TLSStream {
  private let session: OpaquePointer
  /// Belongs to the ``RedisStream``, and lives longer.
  private let context: UnsafeMutablePointer<redisContext>
  private let descriptor: Int32
  private let tls: RedisTLS
  /// What the server's certificate is to have.
  private let name: String
  private var output: [UInt8] = []
  /// How long the stream waits for an answer now.
  var patience = Duration.zero
  /// In TLS 1.3 the server says of our certificate what it has to say behind the handshake.
  private var hasAnswered = false

  /// - Parameter host: as in the URL.
  init(
    _ tls: RedisTLS,
    _ shared: TLSContext,
    host: String,
    over context: UnsafeMutablePointer<redisContext>
  ) throws(RedisError) {
    self.tls = tls
    self.context = context
    descriptor = chiredis_descriptor(context)
    // The dot at its end means that it is whole; no certificate has it.
    let full = tls.serverName ?? host
    name = full.hasSuffix(".") ? String(full.dropLast()) : full
    // OpenSSL takes an empty name for none, and one that begins with a dot for all below it.
    guard RedisTLS.isServerName(name) else {
      throw RedisError(.wrongHost, "'\(name)' is no name that a certificate can have")
    }
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    guard let session = chiredis_tls_new(shared.pointer, descriptor, name, RedisTLS.isAddress(name)) else {
      throw RedisError(.other, "TLS cannot be set up for '\(name)'")
    }
    self.session = session
  }

  deinit { chiredis_tls_free(session) }

  /// - Throws: ``RedisError`` where the two sides do not agree, or not in time.
  func shakeHands(within timeout: Duration) throws(RedisError) {
    let end = ContinuousClock.now + timeout
    while true {
      let result = chiredis_tls_handshake(session)
      if result > 0 { return }
      guard Self.isWaiting(result) else { throw error(result, isHandshake: true) }
      guard isReady(result, until: end) else {
        throw RedisError(
          code: .timedOut,
          message: "no TLS handshake in time; a port that speaks no TLS keeps silent like that",
          hiredisCode: REDIS_ERR_IO
        )
      }
    }
  }

  /// Of the server's certificate.
  var span: CertificateSpan {
    let peer = chiredis_tls_peer(session)
    return CertificateSpan(begin: peer.begin, end: peer.end)
  }

  func append(_ bytes: [UInt8]) { output += bytes }

  func flush() throws(RedisError) {
    var sent = 0
    while sent < output.count {
      let result = output.withUnsafeBytes { chiredis_tls_write(session, $0.baseAddress! + sent, $0.count - sent) }
      if result > 0 {
        sent += Int(result)
      } else if Self.isWaiting(result) {
        try wait(result)
      } else {
        throw lastAlert() ?? error(result)
      }
    }
    output.removeAll(keepingCapacity: output.capacity <= Self.keptCapacity)
  }

  /// What a pipeline of a thousand messages takes is not kept for each connection.
  private static let keptCapacity = 64 * 1024

  /// Feeds the reader with more, and waits until there is some.
  func read() throws(RedisError) {
    while try !readIfHere() { try wait(CHIREDIS_TLS_WANTS_READ) }
  }

  /// Feeds the reader with what is here.
  ///
  /// - Returns: whether there was anything.
  func readIfHere() throws(RedisError) -> Bool {
    let result = chiredis_tls_read(session, context)
    if result > 0 {
      hasAnswered = true
      return true
    }
    if Self.isWaiting(result) { return false }
    throw error(result)
  }

  // MARK: Waiting

  private static func isWaiting(_ result: Int32) -> Bool {
    result == CHIREDIS_TLS_WANTS_READ || result == CHIREDIS_TLS_WANTS_WRITE
  }

  private func wait(_ wanted: Int32) throws(RedisError) {
    guard isReady(wanted, until: .now + patience) else {
      throw RedisError(code: .timedOut, message: "no answer in time", hiredisCode: REDIS_ERR_IO)
    }
  }

  /// - Returns: false when the time is over.
  private func isReady(_ wanted: Int32, until end: ContinuousClock.Instant) -> Bool {
    let events = wanted == CHIREDIS_TLS_WANTS_READ ? POLLIN : POLLOUT
    while true {
      var request = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      let left = max(.zero, end - .now)
      // Up, so that it does not spin for the last part of a millisecond.
      let count = poll(&request, 1, Int32(clamping: Int64((left / .milliseconds(1)).rounded(.up))))
      if count > 0 || count < 0 && errno != EINTR { return true }
      if count == 0 && left == .zero { return false }
    }
  }

  // MARK: What goes wrong

  /// What the server had said before it hung up, and we failed to write.
  private func lastAlert() -> RedisError? {
    while true {
      let result = chiredis_tls_read(session, context)
      if result > 0 { continue }
      guard result == CHIREDIS_TLS_FAILED, chiredis_tls_last_failure(session).fault != CHIREDIS_TLS_SYSTEM else {
        return nil
      }
      return error(result)
    }
  }

  private func error(_ result: Int32, isHandshake: Bool = false) -> RedisError {
    let failure = chiredis_tls_last_failure(session)
    if result == CHIREDIS_TLS_END {
      return lost("Server closed the connection", REDIS_ERR_EOF, isHandshake: isHandshake)
    }
    if failure.fault == CHIREDIS_TLS_SYSTEM {
      if failure.system == ETIMEDOUT {
        return RedisError(code: .timedOut, message: "no answer in time", hiredisCode: REDIS_ERR_IO)
      }
      return lost(String(cString: strerror(failure.system)), REDIS_ERR_IO, isHandshake: isHandshake)
    }
    // Before TLS 1.3 a server has no word of its own for a certificate that it misses.
    let isRefusal = [CHIREDIS_TLS_NOTHING_IN_COMMON, CHIREDIS_TLS_CERTIFICATE_REFUSED].contains(failure.fault)
    if isRefusal, !hasAnswered, chiredis_tls_was_asked(session) {
      return RedisError(.certificateWanted, "the server asks for a client certificate")
    }
    return error(of: failure)
  }

  private func lost(_ words: String, _ code: Int32, isHandshake: Bool) -> RedisError {
    if isHandshake { return RedisError(.hungUp, "no TLS handshake: \(words)") }
    return RedisError(code: .disconnected, message: words, hiredisCode: code)
  }

  private func error(of failure: chiredis_tls_failure) -> RedisError {
    let peer = chiredis_tls_peer(session)
    let whose =
      peer.depth == 0 ? "the server's certificate" : "'\(String(cString: peer.subject))', which the server's stands on,"
    let words = String(cString: failure.words)
    switch failure.fault {
    case CHIREDIS_TLS_EXPIRED: return RedisError(.expired, "\(whose) expired on \(String(cString: peer.not_after))")
    case CHIREDIS_TLS_NOT_YET_VALID:
      return RedisError(.notYetValid, "\(whose) is valid from \(String(cString: peer.not_before)) on, which is to come")
    case CHIREDIS_TLS_UNKNOWN_ISSUER:
      return RedisError(
        .unknownIssuer,
        "the server's certificate is of '\(String(cString: peer.issuer))', which is not known here"
      )
    case CHIREDIS_TLS_SELF_SIGNED: return RedisError(.selfSigned, "the server's certificate is signed by itself alone")
    case CHIREDIS_TLS_WRONG_HOST:
      let names = String(cString: peer.names)
      let found = names.isEmpty ? "has no name at all (subjectAltName)" : "is for \(names)"
      return RedisError(.wrongHost, "the server's certificate is not for \(name): it \(found)")
    case CHIREDIS_TLS_WEAK: return RedisError(.weak, "\(whose) is too weak (\(words))")
    case CHIREDIS_TLS_UNFIT: return RedisError(.unfit, "\(whose) is not fit for that (\(words))")
    case CHIREDIS_TLS_CERTIFICATE_WANTED:
      return RedisError(.certificateWanted, "the server asks for a client certificate")
    case CHIREDIS_TLS_CERTIFICATE_REFUSED:
      return RedisError(.certificateRefused, "the server refuses the client certificate (\(words))")
    case CHIREDIS_TLS_NOTHING_IN_COMMON:
      return RedisError(.nothingInCommon, "no version or cipher of TLS in common with the server (\(words))")
    case CHIREDIS_TLS_NO_TLS: return RedisError(.noTLS, "what answers there is no TLS")
    default: return RedisError(.other, "TLS with the server failed (\(words))")
    }
  }
}
