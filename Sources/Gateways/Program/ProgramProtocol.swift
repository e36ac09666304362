import SMS
import Wire

// What a program reads and writes, one JSON object a line: docs/gateways.md.

/// One line for the program.
enum ProgramRequest {
  static func line(ref: UInt64, _ message: TextMessage, attempt: Int) -> [UInt8] {
    var line: [UInt8] = []
    line.reserveCapacity(160 + (message.text?.utf8.count ?? 0))
    line += "{\"ref\":\(ref),".utf8
    appendMembers(message, attempt: attempt, to: &line)
    line.append(UInt8(ascii: "\n"))
    return line
  }

  /// The same without a `ref`, and without a line feed.
  static func append(_ message: TextMessage, attempt: Int, to body: inout [UInt8]) {
    body.reserveCapacity(160 + (message.text?.utf8.count ?? 0))
    body.append(UInt8(ascii: "{"))
    appendMembers(message, attempt: attempt, to: &body)
  }

  private static func appendMembers(_ message: TextMessage, attempt: Int, to line: inout [UInt8]) {
    func append(_ name: StaticString, _ value: String) {
      line += ",\"\(name)\":".utf8
      JSONText.append(value, to: &line)
    }
    line += "\"id\":".utf8
    JSONText.append(message.id, to: &line)
    append("to", message.to.e164)
    // A template is among the extra members, with its parameters.
    if let text = message.text { append("text", text) }
    if let from = message.from { append("from", from) }
    line += ",\"attempt\":\(attempt)".utf8
    if let segmentation = message.segmentation {
      line += ",\"segments\":\(segmentation.segments)".utf8
      append("encoding", segmentation.encoding.rawValue)
    }
    if let expiresAt = message.expiresAt { append("expires_at", Timestamp.rfc3339(expiresAt)) }
    let extras = message.extras.members
    if !extras.isEmpty { line += [UInt8(ascii: ",")] + extras }
    line.append(UInt8(ascii: "}"))
  }
}

/// One line of the program, or what a webhook answers, as far as it can be understood.
///
/// Strict about which request is meant and about the outcome, lenient about the rest: to refuse an `accepted` because of
/// its provider id would send the message again.
struct ProgramAnswer {
  let ref: UInt64
  private var outcome: String?
  private var providerID: String?
  private var segments: Int?
  private var code: String?
  private var reason: String?
  private(set) var retryAfter: Duration?

  /// - Parameter isNumbered: false where it needs no `ref`, which then is 0.
  /// - Returns: nil for an object without a `ref`.
  /// - Throws: ``WireError`` for what is no JSON object.
  init?(line: [UInt8], isNumbered: Bool = true) throws(WireError) {
    var reader = try JSONReader(line)
    var ref: UInt64?
    while let name = try reader.nextName()?.text(in: line) {
      let value = try Self.value(&reader, line)
      switch name {
      case "ref": ref = value.flatMap { UInt64($0) }
      case "outcome": outcome = value
      case "provider_id": providerID = value
      case "segments": segments = value.flatMap { Int($0) }
      case "code": code = value
      case "reason": reason = value
      case "retry_after": retryAfter = value.flatMap(Self.duration)
      default: break
      }
    }
    guard let ref = isNumbered ? ref : 0 else { return nil }
    self.ref = ref
  }

  /// What programs call too many messages, that say `retry` where they could say `throttled`: the provider's words and its
  /// number (HTTP's, and Twilio's two).
  private static let throttlingCodes: Set = ["throttled", "too_many_requests", "queue_full", "429", "20429", "21611"]

  /// Nil if the outcome is none of the five.
  ///
  /// - Parameters:
  ///   - ourSegments: what we count, where the program does not say; nil where we cannot.
  ///   - standard: the outcome, where it names none.
  func answer(ourSegments: Int?, unlessSaid standard: String? = nil) -> GatewayAnswer? {
    // They go into logs and dead letters, so they are bounded: to what a provider's ids, codes and sentences need.
    let providerID = Redacted.line(providerID ?? "", limit: 128)
    let code = words.code ?? ""
    let reason = words.reason ?? ""
    switch outcome ?? standard {
    case "accepted":
      let segments = segments.flatMap { (0...10_000).contains($0) ? $0 : nil } ?? ourSegments
      return .accepted(providerID: providerID, segments: segments)
    case "throttled":
      return .throttled(code: code.isEmpty ? "throttled" : code, reason: reason, retryAfter: retryAfter)
    case "retry" where Self.throttlingCodes.contains(code):
      return .throttled(code: code, reason: reason, retryAfter: retryAfter)
    case "retry":
      return .temporaryFailure(code: code.isEmpty ? "retry" : code, reason: reason, retryAfter: retryAfter)
    case "failed":
      return .permanentFailure(code: code.isEmpty ? "failed" : code, reason: reason)
    case "unknown":
      return .unknown(code: code.isEmpty ? "unknown" : code, reason: reason)
    default: return nil
    }
  }

  /// The code and the reason, each where it says one.
  var words: (code: String?, reason: String?) {
    func bounded(_ text: String?, _ limit: Int) -> String? {
      guard let text, !text.isEmpty else { return nil }
      return Redacted.line(text, limit: limit)
    }
    return (bounded(code, 64), bounded(reason, 500))
  }

  /// A string's text, nil for null, and anything else as it is written.
  private static func value(_ reader: inout JSONReader, _ line: [UInt8]) throws(WireError) -> String? {
    let start = reader.index
    if start < line.count, line[start] == UInt8(ascii: "\"") || line[start] == UInt8(ascii: "n") {
      return try reader.stringOrNull()?.text(in: line)
    }
    try reader.skipValue()
    return String(decoding: line[start..<reader.index], as: UTF8.self)
  }

  /// Reads `10s`, `500ms`, `5m`, `2h`, or a number of seconds; a day at most, as the answer may be nonsense.
  private static func duration(_ text: String) -> Duration? {
    let units = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("", 1)]
    guard let (unit, factor) = units.first(where: { text.hasSuffix($0.0) }),
      let number = Double(text.dropLast(unit.count)), number.isFinite, number >= 0
    else { return nil }
    return .seconds(min(number * factor, 86_400))
  }
}
