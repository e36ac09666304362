import CHiredis
import Glibc

/// Why there is no TLS with a server, as far as something else must be done about it.
package enum TLSFault: String, Sendable, CaseIterable {
  // The server's certificate.
  case expired, notYetValid, unknownIssuer, selfSigned, wrongHost, weak, unfit
  // Ours, in the server's eyes.
  case certificateWanted, certificateRefused
  // What the server speaks.
  case nothingInCommon, noTLS, hungUp, other
  // This side: what stands in our files, whether they can be read, and OpenSSL's library.
  case badFile, encryptedKey, keyMismatch, missingFile, unreadableFile, noLibrary

  package var treatment: RedisError.Treatment {
    switch self {
    // As with other servers that are not what was meant: it may be the address that changes.
    case .noTLS, .hungUp, .other: .reconnect
    default: .denied
    }
  }

  /// What to do; it is said wherever the error is.
  package var remedy: String? {
    switch self {
    case .expired: "renew it on the server; if the date is not over, set this host's clock right"
    case .notYetValid: "is this host's clock right?"
    case .unknownIssuer:
      "give its authority's certificate with --redis-ca, or let the server send those between it and a known one"
    case .selfSigned: "if it is the right server, give that certificate with --redis-ca"
    case .wrongHost: "write one of its names in the URL, or tell with --redis-server-name which it is to have"
    case .weak: "let it be issued anew with a key of 2048 bits (RSA) or 256 (EC), or more, and SHA-256"
    case .unfit: "let one be issued that is for servers (extendedKeyUsage serverAuth)"
    case .certificateWanted: "give one with --redis-cert and --redis-key"
    case .certificateRefused:
      "--redis-cert is to be of an authority that the server knows (its tls-ca-cert-file), within its dates"
    case .nothingInCommon: "smsq speaks TLS 1.2 and 1.3; see the server's tls-protocols and tls-ciphers"
    case .noTLS: "that port speaks no TLS: give the one that does, or write redis://"
    case .hungUp: nil
    case .other: nil
    case .badFile:
      "it is to be in PEM, with lines as -----BEGIN CERTIFICATE-----; openssl x509 -inform DER makes it of DER"
    case .encryptedKey:
      "there is nobody to ask for its password: openssl pkey -in KEY -out PLAIN, readable by smsq alone"
    case .keyMismatch: "--redis-key is to be the key that --redis-cert was made for; was only one of them renewed?"
    case .missingFile: "see --redis-ca, --redis-cert and --redis-key"
    case .unreadableFile: "let the user read it whom smsq runs as"
    case .noLibrary: "install OpenSSL's shared library, as with apt-get install libssl3"
    }
  }
}

extension RedisError.Code {
  /// An open set: its words begin with `tls-`.
  package static func tls(_ fault: TLSFault) -> Self { Self(rawValue: prefix + fault.rawValue) }

  /// Why there is no TLS; nil for what has nothing to do with it.
  package var tlsFault: TLSFault? {
    rawValue.hasPrefix(Self.prefix) ? TLSFault(rawValue: String(rawValue.dropFirst(Self.prefix.count))) : nil
  }

  private static let prefix = "tls-"
}

extension RedisError {
  init(_ fault: TLSFault, _ message: String) {
    self.init(code: .tls(fault), message: Self.line(message))
  }
}

extension RedisTLS {
  /// What OpenSSL says of our files.
  func error(of failure: chiredis_tls_failure) -> RedisError {
    let words = failure.system == 0 ? String(cString: failure.words) : String(cString: strerror(failure.system))
    let (ca, certificate, key) = (caFile ?? "", certificateFile ?? "", keyFile ?? "")
    switch failure.fault {
    case CHIREDIS_TLS_BAD_CA: return RedisError(.badFile, Self.noPEM("CA file", ca, "certificate", words))
    case CHIREDIS_TLS_BAD_CERTIFICATE:
      return RedisError(.badFile, Self.noPEM("certificate file", certificate, "certificate", words))
    case CHIREDIS_TLS_BAD_KEY: return RedisError(.badFile, Self.noPEM("key file", key, "private key", words))
    case CHIREDIS_TLS_ENCRYPTED_KEY: return RedisError(.encryptedKey, "the key in '\(key)' is encrypted")
    case CHIREDIS_TLS_KEY_MISMATCH:
      return RedisError(.keyMismatch, "the key in '\(key)' is not that of the certificate in '\(certificate)'")
    default: return RedisError(.other, "TLS cannot be set up: \(words)")
    }
  }

  private static func noPEM(_ role: String, _ path: String, _ content: String, _ words: String) -> String {
    "the \(role) '\(path)' has no \(content) in PEM that can be used (\(words))"
  }
}
