import Foundation
import RedisClient
import Synchronization

/// A TCP proxy in front of a Redis, which does to connections what networks do.
///
/// Without a fault it forwards. A fault is armed once; it strikes when so many bytes of replies have gone through since,
/// counted over all connections. What it does to the connection that it strikes lasts as long as that connection; whether
/// later ones suffer as well is the fault's own matter.
package final class FaultyProxy: Sendable {
  package enum Fault: Sendable {
    /// Ends one connection with a FIN, in the middle of a reply if need be.
    case cut
    /// Ends one connection with a RST.
    case reset
    /// Holds one connection's replies back, until ``heal()``.
    case stall
    /// All connections, later ones too, are half dead until ``heal()``: open, and nothing comes through in either
    /// direction; what was sent meanwhile never arrives.
    case swallow
    /// Requests arrive and are carried out, replies do not come back: the other half. Until ``heal()``.
    case swallowReplies
    /// Each piece of a reply is late by so much, until ``heal()``.
    case delay(Duration)
  }

  private let shared: Shared
  package let endpoint: RedisEndpoint
  package let url: String

  /// Starts listening on a free port of 127.0.0.1.
  package init(to server: RedisEndpoint) throws {
    let (listener, port) = try Sockets.listen()
    url = "\(server.tls == nil ? "redis" : "rediss")://127.0.0.1:\(port)/0"
    var endpoint = try RedisEndpoint(url)
    endpoint.tls = server.tls
    self.endpoint = endpoint
    shared = Shared(upstream: server.address)
    Thread.detachNewThread { [shared] in
      while let client = Sockets.accept(listener, unless: { shared.hasEnded }) {
        Thread.detachNewThread { Link(client: client, shared).run() }
      }
      close(listener)
    }
  }

  deinit { shared.end() }

  /// - Parameter bytes: how many bytes of replies still go through before it strikes.
  package func arm(_ fault: Fault, afterReplyBytes bytes: Int = 0) { shared.arm(fault, bytes) }

  /// Forwards again. A connection that swallowed bytes stays dead: what it lost is lost.
  package func heal() { shared.arm(nil, 0) }

  /// Whether the armed fault has struck.
  package var hasStruck: Bool { shared.hasStruck }

  /// How many bytes of replies went through since the last ``arm(_:afterReplyBytes:)`` or ``heal()``.
  package var replyBytes: Int { shared.replyBytes }
}

/// What the links of one proxy have in common.
private final class Shared: Sendable {
  struct State {
    var fault: FaultyProxy.Fault?
    var bytesUntilStrike = 0
    /// It befell the one connection that it was for.
    var isSpent = false
    var replyBytes = 0
    var hasStruck = false
    var hasEnded = false
  }

  let upstream: RedisEndpoint.Address
  private let state = Mutex(State())

  init(upstream: RedisEndpoint.Address) { self.upstream = upstream }

  var hasEnded: Bool { state.withLock { $0.hasEnded } }
  var hasStruck: Bool { state.withLock { $0.hasStruck } }
  var replyBytes: Int { state.withLock { $0.replyBytes } }

  func end() { state.withLock { $0.hasEnded = true } }

  func arm(_ fault: FaultyProxy.Fault?, _ bytes: Int) {
    state.withLock {
      $0 = State(fault: fault, bytesUntilStrike: bytes, hasEnded: $0.hasEnded)
    }
  }

  /// - Returns: how many of these bytes of a reply still go through, and what happens then.
  func strike(_ count: Int) -> (pass: Int, fault: FaultyProxy.Fault?) {
    state.withLock { state in
      guard let fault = state.fault, !state.isSpent else {
        state.replyBytes += count
        return (count, nil)
      }
      let pass = min(count, state.bytesUntilStrike)
      state.replyBytes += pass
      state.bytesUntilStrike -= pass
      // It strikes at the byte after those: until there is one, it waits.
      if pass == count { return (pass, nil) }
      state.hasStruck = true
      switch fault {
      case .cut, .reset, .stall: state.isSpent = true
      case .swallow, .swallowReplies, .delay: break
      }
      return (pass, fault)
    }
  }

  /// Whether requests get nowhere.
  var swallowsRequests: Bool {
    state.withLock { state in
      if case .swallow = state.fault { return state.bytesUntilStrike == 0 }
      return false
    }
  }

  var isHealed: Bool { state.withLock { $0.fault == nil } }
}

/// One connection through the proxy, on a thread of its own.
private final class Link {
  private let client: Int32
  private let shared: Shared
  /// The rest of a reply that stalls.
  private var held: [UInt8] = []
  private var isStalled = false
  /// Has lost bytes, and is dead for ever.
  private var isDead = false

  init(client: Int32, _ shared: Shared) {
    self.client = client
    self.shared = shared
  }

  func run() {
    defer { close(client) }
    guard let server = Sockets.connect(to: shared.upstream) else { return }
    defer { close(server) }
    while !shared.hasEnded {
      if isStalled && shared.isHealed {
        isStalled = false
        if !Sockets.write(held, to: client) { return }
        held = []
      }
      let (fromClient, fromServer) = Sockets.poll(client, isStalled ? -1 : server)
      if fromClient {
        guard let bytes = Sockets.read(client) else { return }
        if shared.swallowsRequests { isDead = true }
        if !isDead && !Sockets.write(bytes, to: server) { return }
      }
      if fromServer {
        guard let bytes = Sockets.read(server) else { return }
        if !isDead && !forward(bytes) { return }
      }
    }
  }

  /// - Returns: false when the connection is over.
  private func forward(_ bytes: [UInt8]) -> Bool {
    let (pass, fault) = shared.strike(bytes.count)
    if case .delay(let time)? = fault {
      usleep(UInt32(time / .microseconds(1)))
      return Sockets.write(bytes, to: client)
    }
    guard Sockets.write(Array(bytes[..<pass]), to: client) else { return false }
    switch fault {
    case nil, .delay: return true
    case .cut: return false
    case .reset:
      Sockets.resetOnClose(client)
      return false
    case .stall:
      held = Array(bytes[pass...])
      isStalled = true
    case .swallow, .swallowReplies:
      isDead = true
    }
    return true
  }
}
