import Foundation
import RedisClient
import Synchronization

/// An authority (CA) of a test's own, and the certificates that it issues, made by the openssl program.
package final class TestAuthority: Sendable {
  /// The files of a certificate and its key, in PEM.
  package struct Identity: Sendable {
    package let certificateFile: String
    package let keyFile: String
    /// Whose folder they are in: that goes with it.
    let authority: TestAuthority
  }

  package let folder: String
  package var caFile: String { folder + "/ca.pem" }
  package let name: String

  /// One for all tests that need no other.
  package static func shared() async throws -> TestAuthority { try await sharedAuthority.value }

  private static let sharedAuthority = Task {
    let authority = try await TestAuthority()
    sharedFolder.withLock { $0 = authority.folder }
    // Nothing else ends what is shared.
    atexit { TestAuthority.sharedFolder.withLock { try? FileManager.default.removeItem(atPath: $0) } }
    return authority
  }

  private static let sharedFolder = Mutex("")

  package init(name: String = "smsq test CA") async throws {
    self.name = name
    folder = NSTemporaryDirectory() + "/smsq-ca-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try await Self.openssl(
      ["req", "-x509", "-keyout", folder + "/ca.key", "-out", caFile, "-days", "30", "-subj", "/CN=\(name)"]
        + Self.newKey("ec")
    )
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// Issues a certificate.
  ///
  /// - Parameters:
  ///   - names: its subjectAltName; nil for none.
  ///   - dates: from and to, as in `20200101000000Z`; nil for 30 days from now.
  ///   - key: `ec`, or `rsa:1024`.
  ///   - extension: another one, as in `extendedKeyUsage=clientAuth`.
  package func issue(
    _ name: String = "server",
    names: String? = "DNS:localhost,IP:127.0.0.1",
    dates: (String, String)? = nil,
    key: String = "ec",
    extension other: String? = nil
  ) async throws -> Identity {
    let stem = folder + "/" + UUID().uuidString
    let identity = Identity(certificateFile: stem + ".pem", keyFile: stem + ".key", authority: self)
    let extensions = [names.map { "subjectAltName=\($0)" }, other].compactMap { $0 }.flatMap { ["-addext", $0] }
    let request = ["req", "-new", "-keyout", identity.keyFile, "-out", stem + ".csr", "-subj", "/CN=\(name)"]
    try await Self.openssl(request + Self.newKey(key) + extensions)
    // The books of this one alone: several may be made at once.
    let configuration = """
      [ca]
      default_ca = own
      [own]
      database = \(stem).txt
      new_certs_dir = \(folder)
      rand_serial = yes
      default_md = sha256
      default_days = 30
      copy_extensions = copy
      policy = any
      [any]
      commonName = optional
      """
    try configuration.write(toFile: stem + ".conf", atomically: false, encoding: .utf8)
    try "".write(toFile: stem + ".txt", atomically: false, encoding: .utf8)
    let span = dates.map { ["-startdate", $0.0, "-enddate", $0.1] } ?? []
    try await Self.openssl(
      ["ca", "-batch", "-notext", "-config", stem + ".conf", "-cert", caFile, "-keyfile", folder + "/ca.key"]
        + ["-in", stem + ".csr", "-out", identity.certificateFile] + span
    )
    return identity
  }

  /// A certificate that is its own authority.
  package func selfSigned() async throws -> Identity {
    let stem = folder + "/" + UUID().uuidString
    try await Self.openssl(
      ["req", "-x509", "-keyout", stem + ".key", "-out", stem + ".pem", "-days", "30", "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"] + Self.newKey("ec")
    )
    return Identity(certificateFile: stem + ".pem", keyFile: stem + ".key", authority: self)
  }

  private static func newKey(_ kind: String) -> [String] {
    kind == "ec"
      ? ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"] : ["-newkey", kind, "-nodes"]
  }

  package static func openssl(_ arguments: [String]) async throws {
    let result = try await ChildProcess("openssl", arguments).end()
    guard result.code == 0 else { throw NeverHappened(description: "openssl \(arguments): \(result)") }
  }
}

/// How a test's server speaks TLS, and how its clients do.
package struct TestTLS: Sendable {
  package var server: TestAuthority.Identity
  /// Those whose client certificates it takes.
  package var clientAuthority: String
  package var asksForCertificate = false
  package var client = RedisTLS()

  package init(server: TestAuthority.Identity, authority: TestAuthority) {
    self.server = server
    clientAuthority = authority.caFile
    client.caFile = authority.caFile
  }

  /// All in order.
  package static func standard() async throws -> TestTLS {
    let authority = try await TestAuthority.shared()
    return TestTLS(server: try await standardIdentity.value, authority: authority)
  }

  /// Whether the whole run is to be over TLS: `SMSQ_TEST_TLS=1`.
  package static let isForAll = ProcessInfo.processInfo.environment["SMSQ_TEST_TLS"] == "1"

  /// What a server has where the whole run is over TLS; else nil.
  ///
  /// - Parameter host: its address, where that is not the loopback's.
  static func forAll(host: String = "127.0.0.1") async throws -> TestTLS? {
    guard isForAll else { return nil }
    var tls = try await standard()
    if host != "127.0.0.1" { tls.server = try await TestAuthority.shared().issue(names: "IP:\(host)") }
    caOfAll.withLock { $0 = tls.client.caFile }
    return tls
  }

  /// Who issued the certificates of all servers; nil before the first of them, and where they speak no TLS.
  package static var caFileOfAll: String? { caOfAll.withLock { $0 } }

  private static let caOfAll = Mutex<String?>(nil)

  private static let standardIdentity = Task { try await TestAuthority.shared().issue() }

  /// redis-server's own options.
  var arguments: [String] {
    [
      "--tls-cert-file", server.certificateFile, "--tls-key-file", server.keyFile,
      "--tls-ca-cert-file", clientAuthority, "--tls-auth-clients", asksForCertificate ? "yes" : "no",
    ]
  }
}
