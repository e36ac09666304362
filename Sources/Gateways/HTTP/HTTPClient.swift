import CHTTP
import CLinux
import Glibc
import Synchronization

// Posts to one server, many requests in flight, by libcurl's curl_multi on one thread:
//
//     post --submit--> inbox --thread--> libcurl --> server
//       <--completion------------------- <--answer--
//
// libcurl never runs under the lock. What it was not given the last byte of, the server cannot have: so a request was surely not
// sent until then, and from then on it may have been, whatever the error is called
// (docs/decisions/0038-http-by-libcurl.md).

/// A gateway over HTTP cannot be set up, and what to do about it.
package struct HTTPSetupError: Error, CustomStringConvertible {
  package let description: String
}

final class HTTPClient: Sendable {
  struct Options: Sendable {
    var url: String
    var login: (user: String, password: String)?
    /// Certificates of authorities in PEM; nil for the system's.
    var caFile: String?
    var userAgent: String
    /// From the beginning of a request to the end of its answer.
    var timeout: Duration

    /// Ours: leaves two thirds for the answer, and what has no connection by then was surely not sent.
    var connectTimeout: Duration { timeout / 3 }
  }

  /// One request on its way.
  ///
  /// `@unchecked Sendable` because ``handle`` is the thread's alone.
  final class Transfer: @unchecked Sendable {
    let request: HTTPRequest
    let mayBegin: @Sendable () -> Bool
    let completion: @Sendable (Result<HTTPOutcome, any Error>) -> Void
    /// libcurl's, while it is in flight.
    var handle: OpaquePointer?

    init(
      _ request: HTTPRequest,
      mayBegin: @escaping @Sendable () -> Bool,
      completion: @escaping @Sendable (Result<HTTPOutcome, any Error>) -> Void
    ) {
      self.request = request
      self.mayBegin = mayBegin
      self.completion = completion
    }
  }

  /// What there is for the thread to do.
  struct Orders: Sendable {
    var begin: [Transfer] = []
    var giveUp: [Transfer] = []
    var isStopping = false
  }

  /// `@unchecked Sendable` because ``set`` is libcurl's, and under the lock: it is replaced while other threads wake it.
  private struct State: @unchecked Sendable {
    var orders = Orders()
    /// The thread has been woken and has not noticed yet: to wake it again would add nothing.
    var isWoken = false
    var hasEnded = false
    var whenEnded: [CheckedContinuation<Void, Never>] = []
    var set: OpaquePointer
  }

  let options: Options
  private let state: Mutex<State>

  /// Loads libcurl and starts the thread.
  init(_ options: Options) throws(HTTPSetupError) {
    if let absence = chttp_load() {
      throw HTTPSetupError(
        description: "libcurl cannot be loaded (\(String(cString: absence))): install it (Debian and Ubuntu: libcurl4)"
      )
    }
    if options.url.prefix(6).lowercased() == "https:" { try HTTPAuthorities.check(options.caFile) }
    guard let set = chttp_set_new() else { throw HTTPSetupError(description: "memory is out") }
    self.options = options
    state = Mutex(State(set: set))
    try startThread()
  }

  /// Posts, and waits for the answer.
  ///
  /// - Parameter mayBegin: asked as the last thing before the request's body is written.
  /// - Throws: ``NotHandedOver`` when that said no, or when the task was cancelled before; `CancellationError` when it was
  ///   cancelled later: the server may have the request.
  func post(_ request: HTTPRequest, mayBegin: @escaping @Sendable () -> Bool) async throws -> HTTPOutcome {
    // Made by whichever of the two comes first, and known to both.
    let cancellation = Mutex<(transfer: Transfer?, isCancelled: Bool)>((nil, false))
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let transfer = Transfer(request, mayBegin: mayBegin) { continuation.resume(with: $0) }
        let isTaken = state.withLock { state in
          if state.orders.isStopping || state.hasEnded { return false }
          state.orders.begin.append(transfer)
          wakeThread(&state)
          return true
        }
        guard isTaken else { return transfer.completion(.success(.notSent("the gateway is being stopped"))) }
        let isCancelled = cancellation.withLock { cancellation in
          cancellation.transfer = transfer
          return cancellation.isCancelled
        }
        if isCancelled { giveUp(transfer) }
      }
    } onCancel: {
      let transfer = cancellation.withLock { cancellation in
        cancellation.isCancelled = true
        return cancellation.transfer
      }
      if let transfer { giveUp(transfer) }
    }
  }

  /// Gives up what is in flight, and closes the connections.
  func stop() async {
    await withCheckedContinuation { continuation in
      let hasEnded = state.withLock { state in
        if state.hasEnded { return true }
        state.whenEnded.append(continuation)
        state.orders.isStopping = true
        wakeThread(&state)
        return false
      }
      if hasEnded { continuation.resume() }
    }
  }

  private func giveUp(_ transfer: Transfer) {
    state.withLock { state in
      state.orders.giveUp.append(transfer)
      wakeThread(&state)
    }
  }

  private func wakeThread(_ state: inout State) {
    if state.isWoken || state.hasEnded { return }
    state.isWoken = true
    chttp_set_wake(state.set)
  }

  // --- For the thread ---

  func takeOrders() -> Orders {
    state.withLock { state in
      state.isWoken = false
      let orders = state.orders
      state.orders = Orders(isStopping: orders.isStopping)
      return orders
    }
  }

  /// Replaces libcurl's set by a new one.
  func replace(_ set: OpaquePointer) {
    state.withLock { state in
      state.set = set
      if state.isWoken { chttp_set_wake(set) }
    }
  }

  func ended() {
    let waiting = state.withLock { state in
      state.hasEnded = true
      defer { state.whenEnded = [] }
      return state.whenEnded
    }
    for continuation in waiting { continuation.resume() }
  }

  private func startThread() throws(HTTPSetupError) {
    final class Entry {
      let client: HTTPClient
      let set: OpaquePointer

      init(_ client: HTTPClient, _ set: OpaquePointer) {
        self.client = client
        self.set = set
      }
    }
    let set = state.withLock { $0.set }
    let entry = Unmanaged.passRetained(Entry(self, set))
    let code = clinux_start_thread(
      "http",
      { argument in
        let entry = Unmanaged<Entry>.fromOpaque(argument!).takeRetainedValue()
        var loop = HTTPLoop(for: entry.client, entry.set)
        loop.run()
      },
      entry.toOpaque()
    )
    guard code == 0 else {
      entry.release()
      chttp_set_free(set)
      throw HTTPSetupError(description: "the system refused a thread (\(code)): raise the process limit (ulimit -u)")
    }
  }
}
