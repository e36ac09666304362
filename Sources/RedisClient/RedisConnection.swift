import CHiredis

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
    /// How long to try again, within one call, where a server is found by sentinels or is one of a cluster, and cannot be
    /// found or takes nothing for the moment. Only what was surely not carried out is tried again. Default 0.
    package var settleTimeout: Duration

    package init(
      name: String,
      connectTimeout: Duration = .seconds(5),
      replyTimeout: Duration = .seconds(10),
      settleTimeout: Duration = .zero
    ) {
      self.name = name
      self.connectTimeout = connectTimeout
      self.replyTimeout = replyTimeout
      self.settleTimeout = settleTimeout
    }
  }

  package nonisolated let route: RedisRoute
  package nonisolated var endpoint: RedisEndpoint { route.endpoint }
  let options: Options
  private let executor: ConnectionThread
  /// Whose thread this is, if it is another connection's: it must not stop before this one is gone.
  private let owner: RedisConnection?
  var stream: RedisStream?
  /// Where the last stream led to; nil before it was found.
  var address: RedisEndpoint.Address?
  let socket = GuardedSocket()
  /// What was sent by ``send(_:blocking:)`` and is not answered yet.
  private var unanswered: Unanswered?
  /// A script's SHA-1 as the server computed it; the same on every server, so it outlives a connection. Tests put that of a
  /// script with a clock of their own here.
  var shas: [String: RedisReply] = [:]

  package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
  /// For a task of an actor that shares this connection's executor, and so its thread.
  package nonisolated var taskExecutor: any TaskExecutor { executor }

  package init(to route: RedisRoute, options: Options) {
    self.route = route
    self.options = options
    executor = ConnectionThread(name: options.name)
    owner = nil
    if !route.isFixed { route.resolver.add(socket) }
  }

  package init(to endpoint: RedisEndpoint, options: Options) {
    self.init(to: RedisResolver(endpoint).route(for: ""), options: options)
  }

  /// Connects to where another connection does, and shares its thread: while a call to one is under way, so is none to the
  /// other.
  package init(besides other: RedisConnection, options: Options) {
    route = other.route
    self.options = options
    executor = other.executor
    owner = other
    if !route.isFixed { route.resolver.add(socket) }
  }

  isolated deinit {
    close()
    if !route.isFixed { route.resolver.remove(socket) }
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
    try followed { refused throws(RedisError) in
      try exchange(blocking: blocking) { stream throws(RedisError) in
        let commands = refused.map { $0.map { pipeline[$0] } } ?? pipeline
        for command in commands { try stream.append(command) }
        return try stream.replies(commands.count)
      }
    }
  }

  /// Sends commands and returns without their replies, which ``arrived(within:)`` has when they are here: a connection on which
  /// that is done is used for nothing else.
  ///
  /// - Parameter blocking: for how long Redis may keep the answers back because it was asked to.
  /// - Throws: ``RedisError``; any of the commands may have been carried out then.
  package func send(_ pipeline: [RedisCommand], blocking: Duration = .zero) throws(RedisError) {
    precondition(unanswered == nil, "the last ones were not answered")
    _ = try exchange { stream throws(RedisError) in
      for command in pipeline { try stream.append(command) }
      try stream.flush()
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
    guard let stream, var unanswered else { return [] }
    do throws(RedisError) {
      while unanswered.replies.count < unanswered.count {
        if let reply = try stream.replyIfHere(within: patience) {
          unanswered.replies.append(reply)
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
    for case .error(let error) in unanswered.replies { take(error) }
    return inWords(unanswered.replies)
  }

  private struct Unanswered {
    /// How many replies there are to be.
    let count: Int
    /// After this they are overdue.
    let until: ContinuousClock.Instant
    var replies: [RedisReply] = []
  }

  /// Whether there is a connection, as far as is known without asking.
  package var isOpen: Bool { stream != nil }

  /// Of the server's certificate; nil without TLS, and without a connection.
  package var certificateSpan: CertificateSpan? { stream?.certificateSpan }

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
    return try followed { refused throws(RedisError) in
      guard let refused else { return try exchange(calls, behind: command, blocking: blocking) }
      let first = command == nil ? 0 : 1
      return try exchange(
        refused.filter { $0 >= first }.map { calls[$0 - first] },
        behind: refused.first == 0 ? command : nil,
        blocking: blocking
      )
    }
  }

  private func exchange(
    _ calls: [ScriptCall],
    behind command: RedisCommand?,
    blocking: Duration
  ) throws(RedisError) -> [RedisReply] {
    let shas = shas
    return try exchange(blocking: blocking) { stream throws(RedisError) in
      if let command { try stream.append(command) }
      for call in calls {
        let evalsha = RedisCommand("EVALSHA", shas[call.script.name]!.string ?? "")
        try stream.append(evalsha, call.operands, call.lastArguments)
        // Redis is to begin with a large one while the next is copied; and its copy is not needed any more.
        if call.lastArguments.bytes.count >= Self.largeCall { try stream.flush() }
      }
      let first = command == nil ? 0 : 1
      var replies = try stream.replies(first + calls.count)
      for (index, call) in zip(first..., calls) {
        guard case .error(let error) = replies[index], error.code.rawValue == "NOSCRIPT" else { continue }
        var eval = RedisCommand("EVAL")
        eval.append(call.script.source)
        try stream.append(eval, call.operands, call.lastArguments)
        replies[index] = try stream.replies(1)[0]
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

  /// Connects if need be, and does not wait for a server that is not there yet, as other calls do.
  package func connect() throws(RedisError) {
    do throws(RedisError) {
      _ = try connected(isPatient: false)
    } catch {
      lost(since: .now)
      throw closed(by: error)
    }
  }

  /// Ends the connection; the next call makes a new one.
  package func close() {
    stream?.close()
    stream = nil
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
    _ body: (RedisStream) throws(RedisError) -> [RedisReply]
  ) throws(RedisError) -> [RedisReply] {
    // Nothing asks for the time where there is but one server.
    let start = route.isFixed ? nil : ContinuousClock.now
    do throws(RedisError) {
      let stream = try connected()
      stream.setPatience(options.replyTimeout + blocking)
      let replies = try body(stream)
      for case .error(let error) in replies {
        if Self.isSentinel(stream, thatAnswered: error) { throw Self.sentinel }
        take(error)
      }
      return replies
    } catch {
      if let start { lost(since: start) }
      throw closed(by: error)
    }
  }

  /// Ends the connection after an error reply that says it is of no use.
  private func take(_ error: RedisError) {
    if !route.isFixed { follow(error) }
    if error.treatment == .reconnect { close() }
  }

  /// Ends a connection that can no longer be trusted.
  ///
  /// - Returns: what is to be said of it.
  private func closed(by error: RedisError) -> RedisError {
    close()
    if socket.isInterrupted {
      return RedisError(code: .interrupted, message: "the connection was closed on purpose")
    }
    let place = route.isFixed ? "\(endpoint)" : address.map { "\($0) of \(endpoint)" } ?? "\(endpoint)"
    return RedisError(code: error.code, message: "\(place): \(error.message)", hiredisCode: error.hiredisCode)
  }
}
