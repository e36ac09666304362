import Gateways
import SMS
import Synchronization

extension Gateway {
  /// A try that nothing ends.
  func send(_ message: TextMessage, attempt: Int) async throws -> GatewayAnswer {
    try await send(message, attempt: Attempt(attempt))
  }
}

/// A clock that stands still until it is advanced. Its sleeps end at once, and are remembered.
final class TestClock: Clock, Sendable {
  struct Instant: InstantProtocol {
    var offset: Duration
    func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
    func duration(to other: Instant) -> Duration { other.offset - offset }
    static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
  }

  private let state = Mutex((now: Instant(offset: .zero), slept: [Duration]()))

  var now: Instant { state.withLock { $0.now } }
  var minimumResolution: Duration { .zero }
  var slept: [Duration] { state.withLock { $0.slept } }

  func advance(by duration: Duration) { state.withLock { $0.now = $0.now.advanced(by: duration) } }

  func sleep(until deadline: Instant, tolerance: Duration?) async throws {
    state.withLock {
      $0.slept.append($0.now.duration(to: deadline))
      $0.now = max($0.now, deadline)
    }
  }
}
