import Wire

/// What a listing can show of any payload, one that is no valid message included: it may lie among the dead letters for just
/// that reason.
package struct PayloadGlimpse: Sendable, Equatable {
  /// Nil where the payload has none, or is not readable.
  package let id: String?
  /// The number as its producer wrote it.
  package let to: String?
  /// Unix milliseconds.
  package let queuedAt: Int64?

  package init(_ payload: [UInt8]) {
    if let fields = try? MessageFields(payload: payload) {
      (id, to) = (fields.value(of: fields.id), fields.value(of: fields.to))
      queuedAt = fields.value(of: fields.queuedAt).flatMap { Timestamp.milliseconds($0) }
    } else {
      (id, to, queuedAt) = (nil, nil, nil)
    }
  }

  /// The id, if a push can have been accepted under it.
  package var callerID: String? { id.flatMap { (try? TextMessage.check(id: $0.utf8Span)) == nil ? nil : $0 } }

  /// The number with its middle hidden.
  package var maskedTo: String? { to.map(Redacted.number) }
}
