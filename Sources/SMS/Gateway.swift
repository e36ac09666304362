import Worker

/// A way to send text messages: the simulator, or a provider.
package protocol Gateway: Sendable {
  /// The name that logs show, such as `simulator`.
  var name: String { get }

  /// Hands one message over. Called many at a time.
  ///
  /// A gateway that lets messages wait before it hands them over asks ``Attempt/mayBegin(_:)`` as the last thing before it
  /// does.
  ///
  /// - Throws: ``NotHandedOver`` when that said no; `CancellationError` when the task was cancelled before the answer came;
  ///   any other error means that the message may have been sent, or not, as ``GatewayAnswer/unknown(code:reason:)`` does.
  func send(_ message: TextMessage, attempt: Attempt) async throws -> GatewayAnswer

  /// Ends what the gateway has running, within a bounded time. Nothing is sent afterwards.
  func stop() async
}

extension Gateway {
  package func stop() async {}
}

/// One try at handing a message over.
package struct Attempt: Sendable {
  /// From 1.
  package let number: Int
  private let tenure: Tenure

  package init(_ number: Int, during tenure: Tenure = .unlimited) {
    self.number = number
    self.tenure = tenure
  }

  /// Whether the message may still be handed over: it is still ours, and has not expired while it waited.
  package func mayBegin(_ message: TextMessage) -> Bool { tenure.holds() && !message.hasExpired(at: tenure.now) }
}

/// The message was not handed over, because ``Attempt/mayBegin(_:)`` said no: it was surely not sent.
package struct NotHandedOver: Error {
  package init() {}
}

package enum GatewayAnswer: Sendable, Equatable {
  /// Taken. `providerID` is the provider's name for the message, `segments` what it will bill.
  case accepted(providerID: String, segments: Int)
  /// Not taken, because too many came: slow down. No fault of the message's. `retryAfter` where the provider named a time.
  case throttled(code: String, reason: String, retryAfter: Duration?)
  /// Not now, and not sent: a system error. `retryAfter` where the provider named a time.
  case temporaryFailure(code: String, reason: String, retryAfter: Duration?)
  /// Never: invalid number, landline, opted out.
  case permanentFailure(code: String, reason: String)
  /// It may have been sent, or not: a time-out, a connection that broke behind the request.
  case unknown(code: String, reason: String)
}
