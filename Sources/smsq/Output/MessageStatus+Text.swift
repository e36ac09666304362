import Reports
import Wire

extension MessageStatus {
  /// One line.
  var line: String {
    let fields: [(String, String?)] = [
      ("shard", shard), ("ahead", ahead.map { "\($0)" }), ("due_at", dueAt), ("to", to), ("worker", worker),
      (
        "lease",
        leaseLeftMs.map { $0 < 0 ? "ended" : "for:" + Duration.milliseconds($0).notation }
      ),
      ("sent_at", sentAt), ("expired_at", expiredAt), ("cancelled_at", cancelledAt), ("died_at", diedAt),
      ("failures", failures.map { "\($0)" }), ("crashes", crashes.map { "\($0)" }),
      ("attempts", attempts.map { "\($0)" }), ("parts", parts.map { "\($0)" }), ("provider_id", providerId),
      ("accepted_at", acceptedAt), ("id_taken_until", idTakenUntil), ("reason", reason),
    ]
    let shown = fields.compactMap { name, value in value.map { " \(name)=\($0)" } }.joined()
    return "id=\(id) state=\(state.rawValue)\(shown)".printable
  }
}
