import Synchronization

@testable import SMS

extension Gateway {
  /// A try that nothing ends.
  func send(_ message: TextMessage, attempt: Int) async throws -> GatewayAnswer {
    try await send(message, attempt: Attempt(attempt))
  }
}

extension TextMessage {
  static func sample(
    to: String = "+8613800138000",
    text: String = "Your code is 123456",
    from: String? = nil,
    id: String = "m-1",
    expiresAt: Int64? = nil
  ) throws -> TextMessage {
    try TextMessage(
      to: PhoneNumber(to, defaultCountryCode: nil),
      text: text,
      from: from,
      id: id,
      expiresAt: expiresAt
    )
  }
}

/// The code of the error that `body` throws, nil when it throws none.
func code<Value>(of body: () throws(MessageError) -> Value) -> String? {
  do {
    _ = try body()
    return nil
  } catch {
    return error.code.rawValue
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
