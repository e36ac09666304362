import Glibc
import Synchronization

/// The descriptor of a connection that another thread may shut down.
///
/// It is cleared before the connection is freed: a descriptor number is reused at once, and shutting down a reused one
/// would cut somebody else's connection.
final class GuardedSocket: Sendable {
  private struct State {
    var descriptor: Int32?
    var interrupted = false
  }

  private let state = Mutex(State())

  var isInterrupted: Bool { state.withLock { $0.interrupted } }

  /// - Returns: false when ``interrupt()`` came first: the connection must not be used.
  func set(_ descriptor: Int32) -> Bool {
    state.withLock { state in
      state.descriptor = state.interrupted ? nil : descriptor
      return !state.interrupted
    }
  }

  func clear() {
    state.withLock { $0.descriptor = nil }
  }

  /// Whether a read would not block: something has come, or the connection is at its end.
  ///
  /// - Parameter patience: how long to wait for that; whole milliseconds count.
  static func isReadable(_ descriptor: Int32, within patience: Duration) -> Bool {
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&request, 1, Int32(clamping: Int64(patience / .milliseconds(1)))) > 0
  }

  /// Does nothing for so long, in steps: an interrupt is to be noticed.
  ///
  /// - Returns: false when ``interrupt()`` came.
  func rest(_ duration: Duration) -> Bool {
    let end = ContinuousClock.now + duration
    while !isInterrupted {
      let left = end - .now
      if left <= .zero { return true }
      // Polled: it is done only while a server is looked for, and a signal for it would cost each connection descriptors.
      usleep(UInt32(min(left, .milliseconds(20)) / .microseconds(1)))
    }
    return false
  }

  /// Wakes a blocked read at once; it sees the end of the stream.
  func interrupt() {
    state.withLock { state in
      state.interrupted = true
      if let descriptor = state.descriptor { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }

  /// Cuts the connection, as if the other side had: a blocked read sees the end of the stream, and the next connection may be
  /// used.
  func reset() {
    state.withLock { state in
      if let descriptor = state.descriptor { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }
}

/// What hiredis leaves to its caller.
enum SocketOptions {
  /// - Parameter unansweredAfter: how long sent bytes may stay unacknowledged by the peer's kernel before the connection
  ///   counts as dead (TCP_USER_TIMEOUT); a peer that vanished without a FIN is noticed by this, not by keepalive alone.
  static func apply(to descriptor: Int32, unansweredAfter: Duration) {
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    // These fail on a Unix socket, which needs none of them.
    set(SOL_SOCKET, SO_KEEPALIVE, 1, on: descriptor)
    set(Int32(IPPROTO_TCP), TCP_NODELAY, 1, on: descriptor)
    set(Int32(IPPROTO_TCP), TCP_KEEPIDLE, 15, on: descriptor)
    set(Int32(IPPROTO_TCP), TCP_KEEPINTVL, 5, on: descriptor)
    set(Int32(IPPROTO_TCP), TCP_KEEPCNT, 3, on: descriptor)
    let milliseconds = Int64(unansweredAfter / .milliseconds(1))
    set(Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Int32(clamping: milliseconds), on: descriptor)
  }

  private static func set(_ level: Int32, _ option: Int32, _ value: Int32, on descriptor: Int32) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }
}
