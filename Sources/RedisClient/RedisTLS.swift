/// How to speak TLS to a server: what is asked of its certificate, and what is shown of ours.
package struct RedisTLS: Sendable, Equatable {
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
}
