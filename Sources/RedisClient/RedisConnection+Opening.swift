// How a connection is made: where to, and what is said first. What to do next where a server is to be found is decided by
// `SentinelSearch` and `ClusterSearch`; this carries it out.
extension RedisConnection {
  /// The open connection; a new one if need be.
  ///
  /// - Parameter isPatient: to try for a while where a server is to be found that is not there yet.
  func connected(isPatient: Bool = true) throws(RedisError) -> RedisStream {
    if let stream { return stream }
    address = nil
    let stream: RedisStream
    switch endpoint.place {
    case .server(let address):
      stream = try open(address, timeout: options.connectTimeout, patience: options.replyTimeout).stream
    case .sentinels(_, let master):
      stream = try patiently(isPatient) { () throws(RedisError) in try openMaster(master) }
    case .cluster: stream = try patiently(isPatient, openNode)
    }
    self.stream = stream
    return stream
  }

  // MARK: One server

  /// Connects to one server and greets it.
  ///
  /// - Parameters:
  ///   - timeout: for the connect.
  ///   - patience: for its answer to the greeting.
  ///   - probe: what else is sent with that.
  /// - Returns: also the reply to the probe, which may be an error.
  private func open(
    _ address: RedisEndpoint.Address,
    timeout: Duration,
    patience: Duration,
    probe: RedisCommand? = nil
  ) throws(RedisError) -> (stream: RedisStream, probed: RedisReply) {
    let stream = try RedisStream.open(
      address,
      tls: endpoint.tls,
      timeout: timeout,
      unansweredAfter: options.replyTimeout,
      socket: socket
    )
    stream.setPatience(patience)

    let greeting = greeting
    for command in greeting { try stream.append(command) }
    if let probe { try stream.append(probe) }
    var replies: [RedisReply]
    do throws(RedisError) {
      replies = try stream.replies(greeting.count + (probe == nil ? 0 : 1))
    } catch {
      guard error.code == .disconnected else { throw error }
      throw stream.lastWords() ?? RedisError(code: .hungUp, message: error.message, hiredisCode: error.hiredisCode)
    }
    let probed = probe == nil ? .null : replies.removeLast()
    for case .error(let error) in replies {
      // An old server or a strict ACL may refuse CLIENT SETNAME: a name is not worth failing for.
      if error.message.contains("SETNAME") || error.message.contains("client|setname") { continue }
      throw Self.isSentinel(stream, thatAnswered: error) ? Self.sentinel : error
    }
    return (stream, probed)
  }

  static let sentinel = RedisError(code: .sentinel, message: "this is a Sentinel and no Redis server")

  /// Whether the other side is a Sentinel. It answers most commands as a server answers one that it does not know, so it has
  /// to be asked what it is.
  static func isSentinel(_ stream: RedisStream, thatAnswered error: RedisError) -> Bool {
    guard error.cause == .unknownCommand, (try? stream.append(RedisCommand("INFO", "server"))) != nil else {
      return false
    }
    // Valkey calls it server_mode.
    return (try? stream.replies(1))?[0].string?.contains("_mode:sentinel") == true
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

  // MARK: Sentinels

  /// How long a server that was found may take to connect, and to answer the greeting: one that hangs, or whose host is gone, is
  /// to be left for another.
  private static let longestOpening = Duration.seconds(2)

  private func open(
    found address: RedisEndpoint.Address,
    probe: RedisCommand?
  ) throws(RedisError) -> (stream: RedisStream, probed: RedisReply) {
    try open(
      address,
      timeout: min(options.connectTimeout, Self.longestOpening),
      patience: min(options.replyTimeout, Self.longestOpening),
      probe: probe
    )
  }

  private func openMaster(_ name: String) throws(RedisError) -> RedisStream {
    var (search, changes) = route.resolver.masterSearch(name)
    while true {
      switch search.next() {
      case .ask(let sentinel):
        let answer = try SentinelLine.ask(sentinel, of: endpoint, for: name, as: options.name, socket: socket)
        if case .failed = answer {} else { route.resolver.answered(sentinel) }
        search.got(answer, from: sentinel)
      case .connect(let address):
        do throws(RedisError) {
          let stream = try openMaster(at: address)
          if route.resolver.reached(address, changes: changes) {
            self.address = address
            return stream
          }
          stream.close()
          (search, changes) = route.resolver.masterSearch(name)
        } catch {
          if error.code == .interrupted { throw error }
          search.got(error, of: address)
        }
      case .give(let error): throw error
      }
    }
  }

  private func openMaster(at address: RedisEndpoint.Address) throws(RedisError) -> RedisStream {
    let (stream, role) = try open(found: address, probe: RedisCommand("ROLE"))
    switch role {
    case .error(let error):
      // Whoever may not ask has to believe the sentinels: a replica refuses what it is told.
      if error.cause != .noRight { throw error }
    default:
      let word = role.array?.first?.string ?? ""
      if word != "master" {
        throw RedisError(code: .noMaster, message: "it says that it is a \(word == "slave" ? "replica" : word)")
      }
    }
    return stream
  }

  // MARK: Cluster

  private func openNode() throws(RedisError) -> RedisStream {
    var search = route.resolver.nodeSearch(for: route.key)
    while true {
      switch search.next() {
      case .connect(let address):
        do throws(RedisError) {
          // Any command with the key shows a wrong node in the greeting's own round trip. This one is allowed to all who work
          // with a queue.
          let probe = route.key.isEmpty ? nil : RedisCommand("LLEN", route.key)
          let (stream, probed) = try open(found: address, probe: probe)
          if case .error(let error) = probed {
            if error.code.rawValue == "MOVED" {
              stream.close()
              search.moved(to: Redirection.address(in: error.message, from: address))
              continue
            }
            if error.treatment == .wait || error.treatment == .reconnect { throw error }
          }
          route.resolver.learned(address, has: route.key)
          self.address = address
          return stream
        } catch {
          if error.code == .interrupted { throw error }
          search.failed(error)
        }
      case .give(let error): throw error
      }
    }
  }

  // MARK: Another way

  /// Takes in what an error reply says of the way.
  func follow(_ error: RedisError) {
    if error.code.rawValue == "MOVED", let address, case .cluster = endpoint.place {
      if let node = Redirection.address(in: error.message, from: address) {
        route.resolver.learned(node, has: route.key)
      }
      close()
    } else if error.code.rawValue == "NOREPLICAS", case .sentinels = endpoint.place {
      // It may be an old master, which its replicas have left.
      route.resolver.lost(since: .now)
      close()
    }
  }

  /// Has the way found anew after a connection was lost.
  func lost(since start: ContinuousClock.Instant) {
    switch endpoint.place {
    case .server: break
    case .sentinels: route.resolver.lost(since: start)
    case .cluster: if let address { route.resolver.forget(address, has: route.key) }
    }
  }

  /// Runs `body`, and runs it again for those replies that say nothing but that another server has what was asked for, or
  /// none for the moment.
  ///
  /// - Parameter body: gets the places of those that are to be done again, in order; nil for all.
  func followed(_ body: (_ refused: [Int]?) throws(RedisError) -> [RedisReply]) throws(RedisError) -> [RedisReply] {
    var replies = try body(nil)
    if route.isFixed { return replies }
    let deadline = ContinuousClock.now + options.settleTimeout
    var hops = 0
    var refused = refusals(in: replies)
    while !refused.isEmpty {
      let isMoving = refused.contains { $0.refusal == .moving } || hops >= ClusterSearch.mostHops
      if isMoving {
        if ContinuousClock.now >= deadline { break }
        try rest(hops)
      }
      hops += 1
      for (place, reply) in zip(refused.map(\.place), try body(refused.map(\.place))) { replies[place] = reply }
      refused = refusals(in: replies)
    }
    return inWords(replies)
  }

  private func refusals(in replies: [RedisReply]) -> [(place: Int, refusal: RedisRoute.Refusal)] {
    replies.enumerated().compactMap { place, reply in
      guard case .error(let error) = reply, let refusal = route.refusal(error) else { return nil }
      return (place, refusal)
    }
  }

  /// The replies of a cluster whose slot is on its way, as errors that say so: MOVED alone means that smsq is told of one node.
  func inWords(_ replies: [RedisReply]) -> [RedisReply] {
    guard case .cluster = endpoint.place else { return replies }
    return replies.map { reply in
      guard case .error(let error) = reply, route.refusal(error) != nil, error.cause != .noClusterYet else {
        return reply
      }
      let slot = route.key.isEmpty ? "a slot" : "the slot of '\(route.key)'"
      let message = "\(slot) is on its way to another node: \(error.message)"
      return .error(RedisError(code: .moving, message: message))
    }
  }

  /// Tries to open a connection until the time for that is over.
  private func patiently(
    _ isPatient: Bool,
    _ open: () throws(RedisError) -> RedisStream
  ) throws(RedisError) -> RedisStream {
    let deadline = ContinuousClock.now + (isPatient ? options.settleTimeout : .zero)
    var tries = 0
    while true {
      do throws(RedisError) {
        return try open()
      } catch {
        let mayPass = [.noMaster, .slotMoving, .noClusterYet].contains(error.cause)
        guard mayPass, ContinuousClock.now < deadline else { throw error }
        try rest(tries)
        tries += 1
      }
    }
  }

  /// Lets the servers get on: 10 ms, doubled each time up to 160 ms.
  private func rest(_ count: Int) throws(RedisError) {
    if socket.rest(.milliseconds(10 << min(count, 4))) { return }
    throw RedisError(code: .interrupted, message: "the connection was closed on purpose")
  }
}
