import CHiredis
import Glibc
import Synchronization

/// One connection to Redis on a thread of its own.
///
/// Connects when it is first used and again after it broke: an error of treatment ``RedisError/Treatment/reconnect``
/// closes the connection, and the next call makes a new one. It never retries by itself, because only the caller knows
/// whether a command whose answer was lost may be repeated.
///
/// One actor call is one whole exchange, with no `await` between a command and its answer: calls cannot interleave.
/// Cancelling a task does not cut a call short; ``interrupt()`` does.
package actor RedisConnection {
  package struct Options: Sendable {
    /// Shown by CLIENT LIST, and as the thread's name.
    package var name: String
    /// For the TCP or Unix connect; DNS look-ups have the resolver's own limit. Default 5 s.
    package var connectTimeout: Duration
    /// How long to wait for an answer, besides the time for which a command blocks. Default 10 s.
    package var replyTimeout: Duration

    package init(
      name: String,
      connectTimeout: Duration = .seconds(5),
      replyTimeout: Duration = .seconds(10)
    ) {
      self.name = name
      self.connectTimeout = connectTimeout
      self.replyTimeout = replyTimeout
    }
  }

  package nonisolated let endpoint: RedisEndpoint
  private let options: Options
  private let executor: ConnectionThread
  /// Whose thread this is, if it is another connection's: it must not stop before this one is gone.
  private let owner: RedisConnection?
  private var context: UnsafeMutablePointer<redisContext>?
  /// How long the connection waits for an answer now.
  private var patience = Duration.zero
  private let socket = GuardedSocket()
  /// What was sent by ``send(_:blocking:)`` and is not answered yet.
  private var unanswered: Unanswered?
  /// A script's SHA-1 as the server computed it; the same on every server, so it outlives a connection. Tests put that of a
  /// script with a clock of their own here.
  var shas: [String: RedisReply] = [:]

  package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
  /// For a task of an actor that shares this connection's executor, and so its thread.
  package nonisolated var taskExecutor: any TaskExecutor { executor }

  package init(to endpoint: RedisEndpoint, options: Options) {
    self.endpoint = endpoint
    self.options = options
    executor = ConnectionThread(name: options.name)
    owner = nil
  }

  /// Connects to where another connection does, and shares its thread: while a call to one is under way, so is none to the
  /// other.
  package init(besides other: RedisConnection, options: Options) {
    endpoint = other.endpoint
    self.options = options
    executor = other.executor
    owner = other
  }

  isolated deinit {
    close()
    if owner == nil { executor.stop() }
  }

  /// Runs one command and returns its reply.
  ///
  /// - Parameter blocking: for how long Redis may keep the answer back because it was asked to.
  /// - Throws: ``RedisError``, for an error reply too.
  package func run(_ command: RedisCommand, blocking: Duration = .zero) throws(RedisError) -> RedisReply {
    let reply = try run([command], blocking: blocking)[0]
    if case .error(let error) = reply { throw error }
    return reply
  }

  /// Runs commands in one round trip and returns their replies, error replies in their places.
  ///
  /// - Parameter blocking: for how long Redis may keep the answers back because it was asked to.
  /// - Throws: ``RedisError`` when the exchange as a whole failed; any of the commands may have been carried out then.
  package func run(_ pipeline: [RedisCommand], blocking: Duration = .zero) throws(RedisError) -> [RedisReply] {
    try exchange(blocking: blocking) { context throws(RedisError) in
      for command in pipeline { try Self.append(command, to: context) }
      return try Self.replies(pipeline.count, from: context)
    }
  }

  /// Sends commands and returns without their replies, which ``arrived(within:)`` has when they are here: a connection on which
  /// that is done is used for nothing else.
  ///
  /// - Parameter blocking: for how long Redis may keep the answers back because it was asked to.
  /// - Throws: ``RedisError``; any of the commands may have been carried out then.
  package func send(_ pipeline: [RedisCommand], blocking: Duration = .zero) throws(RedisError) {
    precondition(unanswered == nil, "the last ones were not answered")
    _ = try exchange { context throws(RedisError) in
      for command in pipeline { try Self.append(command, to: context) }
      try Self.flush(context)
      return []
    }
    unanswered = Unanswered(count: pipeline.count, until: .now + blocking + options.replyTimeout)
  }

  /// Reads what is here of the replies to ``send(_:blocking:)``.
  ///
  /// - Parameter patience: how long to wait where nothing more is here; whole milliseconds count.
  /// - Returns: all of them, error replies in their places, or nil while some are missing. Empty when none are expected.
  /// - Throws: ``RedisError`` when the connection is lost, or an answer overdue; any of the commands may have been carried out.
  package func arrived(within patience: Duration = .zero) throws(RedisError) -> [RedisReply]? {
    guard let context, var unanswered else { return [] }
    do throws(RedisError) {
      while unanswered.replies.count < unanswered.count {
        var raw: UnsafeMutableRawPointer?
        guard redisGetReplyFromReader(context, &raw) == REDIS_OK else { throw RedisError(failed: context) }
        if let raw {
          unanswered.replies.append(RedisReply(raw.assumingMemoryBound(to: redisReply.self)))
          freeReplyObject(raw)
        } else if GuardedSocket.isReadable(chiredis_descriptor(context), within: patience) {
          guard redisBufferRead(context) == REDIS_OK else { throw RedisError(failed: context) }
        } else if ContinuousClock.now > unanswered.until {
          throw RedisError(code: .timedOut, message: "no answer in time", hiredisCode: REDIS_ERR_IO)
        } else {
          self.unanswered = unanswered
          return nil
        }
      }
    } catch {
      throw closed(by: error)
    }
    self.unanswered = nil
    for case .error(let error) in unanswered.replies where error.treatment == .reconnect { close() }
    return unanswered.replies
  }

  private struct Unanswered {
    /// How many replies there are to be.
    let count: Int
    /// After this they are overdue.
    let until: ContinuousClock.Instant
    var replies: [RedisReply] = []
  }

  /// Whether there is a connection, as far as is known without asking.
  package var isOpen: Bool { context != nil }

  /// Calls scripts in one round trip and returns their replies, error replies in their places.
  ///
  /// A script that the server does not know (restart, failover, SCRIPT FLUSH) is sent whole, after the others: calls of
  /// one pipeline must not depend on each other's order.
  ///
  /// - Throws: ``RedisError`` when the exchange as a whole failed; any of the calls may have been carried out then.
  package func call(_ calls: [ScriptCall]) throws(RedisError) -> [RedisReply] {
    try call(calls, behind: nil)
  }

  /// Runs a command and calls a script in one round trip; returns both replies, error replies in their places.
  ///
  /// The script runs when the command is over, however that ended. Where the command blocks, Redis keeps the call until then.
  ///
  /// - Parameter blocking: for how long Redis may keep the answers back because it was asked to.
  /// - Throws: ``RedisError`` when the exchange as a whole failed; both may have been carried out then.
  package func run(
    _ command: RedisCommand,
    blocking: Duration = .zero,
    then call: ScriptCall
  ) throws(RedisError) -> (RedisReply, RedisReply) {
    let replies = try self.call([call], behind: command, blocking: blocking)
    return (replies[0], replies[1])
  }

  private func call(
    _ calls: [ScriptCall],
    behind command: RedisCommand?,
    blocking: Duration = .zero
  ) throws(RedisError) -> [RedisReply] {
    for call in calls where shas[call.script.name] == nil {
      var load = RedisCommand("SCRIPT", "LOAD")
      load.append(call.script.source)
      shas[call.script.name] = try run(load)
    }
    let shas = shas
    return try exchange(blocking: blocking) { context throws(RedisError) in
      if let command { try Self.append(command, to: context) }
      for call in calls {
        let evalsha = RedisCommand("EVALSHA", shas[call.script.name]!.string ?? "")
        try Self.append(evalsha, call.operands, call.lastArguments, to: context)
        // Redis is to begin with a large one while the next is copied; and its copy is not needed any more.
        if call.lastArguments.bytes.count >= Self.largeCall { try Self.flush(context) }
      }
      let first = command == nil ? 0 : 1
      var replies = try Self.replies(first + calls.count, from: context)
      for (index, call) in zip(first..., calls) {
        guard case .error(let error) = replies[index], error.code.rawValue == "NOSCRIPT" else { continue }
        var eval = RedisCommand("EVAL")
        eval.append(call.script.source)
        try Self.append(eval, call.operands, call.lastArguments, to: context)
        replies[index] = try Self.replies(1, from: context)[0]
      }
      return replies
    }
  }

  /// What Redis takes some tenths of a millisecond for, which is much more than a write(2) takes.
  private static let largeCall = 64 * 1024

  /// Calls one script and returns its reply.
  ///
  /// - Throws: ``RedisError``, for an error reply too.
  package func call(_ call: ScriptCall) throws(RedisError) -> RedisReply {
    let reply = try self.call([call])[0]
    if case .error(let error) = reply { throw error }
    return reply
  }

  /// Ends the connection; the next call makes a new one.
  package func close() {
    socket.clear()
    if let context { redisFree(context) }
    context = nil
    unanswered = nil
  }

  /// Cuts a blocking call short from any thread, with ``RedisError/Code/interrupted``, and refuses all later ones.
  package nonisolated func interrupt() {
    socket.interrupt()
  }

  /// Connects if need be, runs `body`, and closes the connection if it can no longer be trusted: after a time-out the
  /// late answer would be taken for the next command's.
  private func exchange(
    blocking: Duration = .zero,
    _ body: (UnsafeMutablePointer<redisContext>) throws(RedisError) -> [RedisReply]
  ) throws(RedisError) -> [RedisReply] {
    do throws(RedisError) {
      let context = try connected()
      setPatience(options.replyTimeout + blocking, on: context)
      let replies = try body(context)
      for case .error(let error) in replies {
        if Self.isSentinel(context, thatAnswered: error) { throw Self.sentinel }
        if error.treatment == .reconnect {
          close()
          break
        }
      }
      return replies
    } catch {
      throw closed(by: error)
    }
  }

  /// Ends a connection that can no longer be trusted.
  ///
  /// - Returns: what is to be said of it.
  private func closed(by error: RedisError) -> RedisError {
    close()
    if socket.isInterrupted {
      return RedisError(code: .interrupted, message: "the connection was closed on purpose")
    }
    return RedisError(code: error.code, message: "\(endpoint): \(error.message)", hiredisCode: error.hiredisCode)
  }

  private func setPatience(_ patience: Duration, on context: UnsafeMutablePointer<redisContext>) {
    if patience == self.patience { return }
    self.patience = patience
    redisSetTimeout(context, timeval(patience))
  }

  private func connected() throws(RedisError) -> UnsafeMutablePointer<redisContext> {
    if let context { return context }
    let context = try Self.open(endpoint.address, timeout: options.connectTimeout)
    self.context = context
    let descriptor = chiredis_descriptor(context)
    guard socket.set(descriptor) else {
      throw RedisError(code: .interrupted, message: "the connection was closed on purpose")
    }
    SocketOptions.apply(to: descriptor, unansweredAfter: options.replyTimeout)
    patience = .zero
    setPatience(options.replyTimeout, on: context)

    for command in greeting {
      try Self.append(command, to: context)
    }
    let replies: [RedisReply]
    do throws(RedisError) {
      replies = try Self.replies(greeting.count, from: context)
    } catch {
      guard error.code == .disconnected else { throw error }
      throw Self.lastWords(descriptor)
        ?? RedisError(code: .hungUp, message: error.message, hiredisCode: error.hiredisCode)
    }
    for case .error(let error) in replies {
      // An old server or a strict ACL may refuse CLIENT SETNAME: a name is not worth failing for.
      if error.message.contains("SETNAME") || error.message.contains("client|setname") { continue }
      throw Self.isSentinel(context, thatAnswered: error) ? Self.sentinel : error
    }
    return context
  }

  private static let sentinel = RedisError(code: .sentinel, message: "this is a Sentinel and no Redis server")

  /// Whether the other side is a Sentinel. It answers most commands as a server answers one that it does not know, so it has
  /// to be asked what it is.
  private static func isSentinel(_ context: UnsafeMutablePointer<redisContext>, thatAnswered error: RedisError) -> Bool
  {
    guard error.cause == .unknownCommand, (try? append(RedisCommand("INFO", "server"), to: context)) != nil else {
      return false
    }
    return (try? replies(1, from: context))?[0].string?.contains("redis_mode:sentinel") == true
  }

  /// What the other side had said before it hung up: Redis tells a client that is one too many, and does not wait for its
  /// greeting, so that we fail to write before we have read.
  private static func lastWords(_ descriptor: Int32) -> RedisError? {
    var buffer = [UInt8](repeating: 0, count: 512)
    let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    guard count > 0, buffer[0] == UInt8(ascii: "-") else { return nil }
    let line = buffer[1..<count].prefix { $0 != UInt8(ascii: "\r") }
    return RedisError(serverMessage: String(decoding: line, as: UTF8.self))
  }

  /// What is said first on a new connection: who we are, and which database we mean.
  private var greeting: [RedisCommand] {
    var commands: [RedisCommand] = []
    if let password = endpoint.password {
      commands.append(
        endpoint.user.map { RedisCommand("AUTH", $0, password) } ?? RedisCommand("AUTH", password)
      )
    }
    if endpoint.database != 0 { commands.append(RedisCommand("SELECT", String(endpoint.database))) }
    commands.append(RedisCommand("CLIENT", "SETNAME", options.name.filter { $0 > " " && $0 < "\u{7F}" }))
    return commands
  }

  private static func open(
    _ address: RedisEndpoint.Address,
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

  /// Appends a command to the output buffer. It may come in parts, which hiredis copies one behind the other: the long one
  /// of a thousand messages is not to be copied only to get its beginning in front.
  private static func append(
    _ parts: RedisCommand...,
    to context: UnsafeMutablePointer<redisContext>
  ) throws(RedisError) {
    let header = RedisCommand.header(parts.reduce(0) { $0 + $1.count })
    for piece in [header] + parts.map(\.bytes) {
      let code = piece.withUnsafeBytes { bytes in
        redisAppendFormattedCommand(context, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
      }
      if code != REDIS_OK { throw RedisError(failed: context) }
    }
  }

  /// Sends what was appended.
  private static func flush(_ context: UnsafeMutablePointer<redisContext>) throws(RedisError) {
    var isDone: Int32 = 0
    repeat {
      guard redisBufferWrite(context, &isDone) == REDIS_OK else { throw RedisError(failed: context) }
    } while isDone == 0
  }

  private static func replies(
    _ count: Int,
    from context: UnsafeMutablePointer<redisContext>
  ) throws(RedisError) -> [RedisReply] {
    var replies: [RedisReply] = []
    replies.reserveCapacity(count)
    for _ in 0..<count {
      var raw: UnsafeMutableRawPointer?
      guard redisGetReply(context, &raw) == REDIS_OK, let raw else { throw RedisError(failed: context) }
      replies.append(RedisReply(raw.assumingMemoryBound(to: redisReply.self)))
      freeReplyObject(raw)
    }
    return replies
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
