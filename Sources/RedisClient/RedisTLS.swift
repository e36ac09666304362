import Glibc

/// How to speak TLS to a server: what is asked of its certificate, and what is shown of ours.
package struct RedisTLS: Sendable, Hashable {
  /// A PEM file of the authorities that may have signed the server's certificate; without one the system's.
  package var caFile: String?
  /// A PEM file of our certificate, and of those between it and its authority.
  package var certificateFile: String?
  /// A PEM file of the key of our certificate.
  package var keyFile: String?
  /// The name or address that the server's certificate is to have, where it is not the URL's host.
  package var serverName: String?
  /// Whether the server's certificate is not looked at.
  package var isInsecure = false

  package init() {}

  /// Whether a certificate can have this name.
  package static func isServerName(_ text: String) -> Bool {
    (1...253).contains(text.utf8.count) && !text.hasPrefix(".")
      && (isAddress(text) || text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-._".contains($0)) })
  }

  static func isAddress(_ text: String) -> Bool {
    var address = in6_addr()
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1
  }

  /// Reads the files.
  ///
  /// - Throws: ``RedisError`` for what cannot be read or used, and where OpenSSL is not installed.
  package func check() throws(RedisError) { _ = try TLSContext.current(for: self) }
}

/// For how long the certificate of a server is good, Unix s.
package struct CertificateSpan: Sendable, Equatable {
  package let begin: Int64
  package let end: Int64

  package init(begin: Int64, end: Int64) {
    self.begin = begin
    self.end = end
  }
}
