/// What a provider says of one message, in its own words: with its codes, its name for the message, and its bill.
///
/// What becomes of the message is another question, which the worker's `Outcome` answers: that knows of messages which no
/// gateway ever saw, and nothing of providers or segments.
package enum GatewayAnswer: Sendable, Equatable {
  /// Taken. `providerID` is the provider's name for the message, `segments` what it will bill; nil where nobody has counted.
  case accepted(providerID: String, segments: Int?)
  /// Not taken, because too many came: slow down. No fault of the message's. `retryAfter` where the provider named a time.
  case throttled(code: String, reason: String, retryAfter: Duration?)
  /// Not now, and not sent: a system error. `retryAfter` where the provider named a time.
  case temporaryFailure(code: String, reason: String, retryAfter: Duration?)
  /// Never: invalid number, landline, opted out.
  case permanentFailure(code: String, reason: String)
  /// It may have been sent, or not: a time-out, a connection that broke behind the request.
  case unknown(code: String, reason: String)
}
