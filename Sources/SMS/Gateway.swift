/// A way to send text messages: the simulator, or a provider.
package protocol Gateway: Sendable {
  /// The name that logs show, such as `simulator`.
  var name: String { get }

  /// Hands one message over. Called many at a time.
  ///
  /// - Parameter attempt: this try's number, from 1.
  /// - Throws: `CancellationError` when the task was cancelled before the answer came; any other error counts as a
  ///   temporary failure whose outcome is not known.
  func send(_ message: TextMessage, attempt: Int) async throws -> GatewayAnswer

  /// Ends what the gateway has running, within a bounded time. Nothing is sent afterwards.
  func stop() async
}

extension Gateway {
  package func stop() async {}
}

package enum GatewayAnswer: Sendable, Equatable {
  /// Taken. `providerID` is the provider's name for the message, `segments` what it will bill.
  case accepted(providerID: String, segments: Int)
  /// Not now: throttled, queue full, system error, time-out. `retryAfter` where the provider named a time.
  case temporaryFailure(code: String, reason: String, retryAfter: Duration?)
  /// Never: invalid number, landline, opted out.
  case permanentFailure(code: String, reason: String)
}
