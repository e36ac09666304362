import SMS

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
  private let holder: (any MessageHolder)?

  /// - Parameter holder: nil for a message that nobody else can have, and that never expires.
  package init(_ number: Int, for holder: (any MessageHolder)? = nil) {
    self.number = number
    self.holder = holder
  }

  /// Whether the message may still be handed over: it is still its holder's, and has not expired while it waited.
  package func mayBegin(_ message: TextMessage) -> Bool {
    guard let holder else { return true }
    return holder.holds() && !message.hasExpired(at: holder.now)
  }
}

/// Who has a message in hand while it is tried. An object, because each message carries it along.
package protocol MessageHolder: AnyObject, Sendable {
  /// False once the message may be in another's hands.
  var holds: @Sendable () -> Bool { get }
  /// The present by the clock that decides what has expired, in Unix milliseconds.
  var now: @Sendable () -> Int64 { get }
}

/// The message was not handed over, because ``Attempt/mayBegin(_:)`` said no: it was surely not sent.
package struct NotHandedOver: Error {
  package init() {}
}
