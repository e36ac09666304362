import Synchronization

/// What one process knows of where its Redis is: nothing where that is one server, else what sentinels or the nodes of a
/// cluster have told. All its connections share that.
package final class RedisResolver: Sendable {
  package let endpoint: RedisEndpoint
  private let state: Mutex<State>

  private struct State {
    /// Sentinels, or nodes: the one that answered last comes first.
    var order: [RedisEndpoint.Address]

    /// The master, while a watcher sees to it that it is.
    var master: RedisEndpoint.Address?
    /// The master that the last connection was made to.
    var reached: RedisEndpoint.Address?
    /// How often the master has changed.
    var changes = 0
    /// The change that no connection has followed yet.
    var change: (from: RedisEndpoint.Address, since: ContinuousClock.Instant)?
    var onFailover: (@Sendable (Failover) -> Void)?
    /// When connections began to fail that had not been made anew since.
    var lostAt: ContinuousClock.Instant?
    /// The connections to be cut when the master is another one.
    var sockets: [ObjectIdentifier: GuardedSocket] = [:]

    /// By a key of the slot: the node that had it when it was last asked.
    var nodes: [String: RedisEndpoint.Address] = [:]

    mutating func move(toFront address: RedisEndpoint.Address) {
      if order.first == address { return }
      if let place = order.firstIndex(of: address) { order.remove(at: place) }
      order.insert(address, at: 0)
    }
  }

  /// The master has changed, and the new one is at work.
  package struct Failover: Sendable, Equatable {
    package let from: RedisEndpoint.Address
    package let to: RedisEndpoint.Address
    /// From the first sign that the old one was lost, as far as there was one, to the first connection to the new one.
    package let duration: Duration
  }

  /// How many nodes of a cluster are kept in mind: those of the URL, and what they have pointed to.
  private static let mostNodes = 64

  package init(_ endpoint: RedisEndpoint) {
    self.endpoint = endpoint
    let order =
      switch endpoint.place {
      case .server: [] as [RedisEndpoint.Address]
      case .sentinels(let addresses, _), .cluster(let addresses): addresses
      }
    state = Mutex(State(order: order))
  }

  /// - Parameter key: of the slot that the connection is for, the list of a queue. A server that is none of a cluster has all.
  package func route(for key: String) -> RedisRoute { RedisRoute(resolver: self, key: key) }

  // MARK: Sentinels

  /// - Returns: also a number for ``reached(_:changes:)``.
  func masterSearch(_ name: String) -> (SentinelSearch, changes: Int) {
    state.withLock { (SentinelSearch(name, sentinels: $0.order, known: $0.master), $0.changes) }
  }

  func answered(_ address: RedisEndpoint.Address) {
    state.withLock { $0.move(toFront: address) }
  }

  /// A connection to the master is open.
  ///
  /// - Returns: false where the master became another one since the search began: the connection is of no use.
  func reached(_ address: RedisEndpoint.Address, changes: Int) -> Bool {
    let (isMaster, failover, tell) = state.withLock { state -> (Bool, Failover?, (@Sendable (Failover) -> Void)?) in
      guard state.changes == changes else { return (false, nil, nil) }
      defer { (state.change, state.lostAt, state.reached) = (nil, nil, address) }
      let failover = state.change.map { from, since in
        Failover(from: from, to: address, duration: .now - min(since, state.lostAt ?? since))
      }
      return (true, failover, state.onFailover)
    }
    if let failover { tell?(failover) }
    return isMaster
  }

  /// A connection failed.
  ///
  /// - Parameter start: when the call was made that got no answer.
  func lost(since start: ContinuousClock.Instant) {
    state.withLock { $0.lostAt = min($0.lostAt ?? start, start) }
  }

  func add(_ socket: GuardedSocket) {
    state.withLock { $0.sockets[ObjectIdentifier(socket)] = socket }
  }

  func remove(_ socket: GuardedSocket) {
    _ = state.withLock { $0.sockets.removeValue(forKey: ObjectIdentifier(socket)) }
  }

  /// From now on somebody keeps watch: ``elected(_:)``.
  func watch(_ onFailover: @escaping @Sendable (Failover) -> Void) {
    state.withLock { $0.onFailover = onFailover }
  }

  func unwatch() {
    state.withLock { state in
      state.onFailover = nil
      state.master = nil
    }
  }

  /// The sentinels agree on a master. Where it is another one than before, all connections are cut: a call that is under way
  /// fails as if the server were gone, which it may not be: an old master that lives takes writes until it is demoted.
  func elected(_ address: RedisEndpoint.Address) {
    let sockets: [GuardedSocket] = state.withLock { state in
      guard state.onFailover != nil else { return [] }
      let old = state.master ?? state.reached
      state.master = address
      if old == address { return [] }
      if let old { state.change = state.change ?? (from: old, since: state.lostAt ?? .now) }
      // Back at the one that all were connected to, before any has followed.
      if state.change?.from == address { state.change = nil }
      state.changes += 1
      return Array(state.sockets.values)
    }
    for socket in sockets { socket.reset() }
  }

  /// Whether connections have failed, and none was made since.
  var isLost: Bool { state.withLock { $0.lostAt != nil || $0.change != nil } }

  // MARK: Cluster

  func nodeSearch(for key: String) -> ClusterSearch {
    state.withLock { ClusterSearch(known: $0.nodes[key], others: $0.order) }
  }

  /// The node has the key, or another one says so.
  func learned(_ node: RedisEndpoint.Address, has key: String) {
    state.withLock { state in
      state.nodes[key] = node
      state.move(toFront: node)
      // The seeds stay however many others there are: they are what a person has written.
      if state.order.count > Self.mostNodes, case .cluster(let seeds) = endpoint.place,
        let last = state.order.lastIndex(where: { !seeds.contains($0) })
      {
        state.order.remove(at: last)
      }
    }
  }

  /// A connection to the node that had the key failed: the others are to be asked first.
  func forget(_ node: RedisEndpoint.Address, has key: String) {
    state.withLock { state in
      if state.nodes[key] == node { state.nodes[key] = nil }
      guard let place = state.order.firstIndex(of: node) else { return }
      state.order.append(state.order.remove(at: place))
    }
  }
}

/// The way to the server that has a key, which is found anew with each connection.
package struct RedisRoute: Sendable {
  let resolver: RedisResolver
  let key: String
  /// Whether it leads to one server for ever.
  let isFixed: Bool

  package var endpoint: RedisEndpoint { resolver.endpoint }

  init(resolver: RedisResolver, key: String) {
    self.resolver = resolver
    self.key = key
    if case .server = resolver.endpoint.place { isFixed = true } else { isFixed = false }
  }

  /// What an error reply says of the way, and not of what was asked for. Nothing was done then.
  enum Refusal {
    /// Another server has it: the next connection finds it.
    case elsewhere
    /// Nobody has it whole at this moment.
    case moving
  }

  func refusal(_ error: RedisError) -> Refusal? {
    switch (endpoint.place, error.code.rawValue) {
    case (.server, _): nil
    case (.sentinels, "READONLY"), (.cluster, "MOVED"), (.cluster, "READONLY"): .elsewhere
    case (.cluster, "ASK"), (.cluster, "TRYAGAIN"), (.cluster, "CLUSTERDOWN"): .moving
    case (.cluster, "ERR") where error.message.contains("non local key"): .moving
    default: nil
    }
  }
}
