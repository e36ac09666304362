extension RedisConnection {
  /// The open connection; a new one if need be.
  func connected() throws(RedisError) -> RedisStream {
    if let stream { return stream }
    let stream = try RedisStream.open(
      endpoint.address,
      tls: endpoint.tls,
      timeout: options.connectTimeout,
      unansweredAfter: options.replyTimeout,
      socket: socket
    )
    self.stream = stream
    stream.setPatience(options.replyTimeout)

    for command in greeting { try stream.append(command) }
    let replies: [RedisReply]
    do throws(RedisError) {
      replies = try stream.replies(greeting.count)
    } catch {
      guard error.code == .disconnected else { throw error }
      throw stream.lastWords() ?? RedisError(code: .hungUp, message: error.message, hiredisCode: error.hiredisCode)
    }
    for case .error(let error) in replies {
      // An old server or a strict ACL may refuse CLIENT SETNAME: a name is not worth failing for.
      if error.message.contains("SETNAME") || error.message.contains("client|setname") { continue }
      throw Self.isSentinel(stream, thatAnswered: error) ? Self.sentinel : error
    }
    return stream
  }

  static let sentinel = RedisError(code: .sentinel, message: "this is a Sentinel and no Redis server")

  /// Whether the other side is a Sentinel. It answers most commands as a server answers one that it does not know, so it has
  /// to be asked what it is.
  static func isSentinel(_ stream: RedisStream, thatAnswered error: RedisError) -> Bool {
    guard error.cause == .unknownCommand, (try? stream.append(RedisCommand("INFO", "server"))) != nil else {
      return false
    }
    return (try? stream.replies(1))?[0].string?.contains("redis_mode:sentinel") == true
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
}
