import RedisClient
import Wire

/// What there is to say of TLS with a server that lets us in.
enum TLSCheck {
  /// - Parameters:
  ///   - span: of the server's certificate; nil where it is not known.
  ///   - now: Unix ms.
  static func finding(_ tls: RedisTLS, _ span: CertificateSpan?, now: Int64) -> Finding {
    if tls.isInsecure {
      let hint = "whoever is on the way can read and change everything: leave out --redis-insecure, see --redis-ca"
      return Finding("tls", .warning, "any certificate is accepted", hint: hint)
    }
    guard let span else { return Finding("tls", .ok, "the server's certificate is accepted") }
    let found = "the server's certificate is good until \(Timestamp.rfc3339(span.end * 1000))"
    // Whoever renews does so before this, also of those that live for a day only.
    let late = min(14 * 86_400, (span.end - span.begin) / 10)
    if span.end - now / 1000 > late { return Finding("tls", .ok, found) }
    return Finding("tls", .warning, found, hint: "renew it in time: nothing is sent without it")
  }
}
