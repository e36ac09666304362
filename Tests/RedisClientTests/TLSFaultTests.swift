import Foundation
import RedisClient
import TestSupport
import Testing

/// What can be wrong with certificates: a real redis-server shows each, and what is said of it names the fault.
@Suite("Faults of TLS", .timeLimit(.minutes(2)))
struct TLSFaultTests {
  /// A server whose certificate, and clients whose options, a test changes.
  private struct Bench {
    let authority: TestAuthority
    let server: RedisServer

    init(_ adjust: (inout TestTLS) -> Void = { _ in }, _ more: String...) async throws {
      authority = try await .shared()
      var tls = try await TestTLS.standard()
      adjust(&tls)
      server = try await RedisServer(tls: tls, more)
    }

    /// The error of a new connection; nil where there is none.
    func error(
      timeout: Duration = .seconds(10),
      _ adjust: (inout RedisTLS) -> Void = { _ in }
    ) async throws -> RedisError? {
      var endpoint = server.endpoint
      var tls = try #require(endpoint.tls)
      adjust(&tls)
      endpoint.tls = tls
      return await failure(of: endpoint, timeout: timeout)
    }
  }

  private static func expect(
    _ error: RedisError?,
    _ fault: TLSFault,
    _ words: String...,
    at: SourceLocation = #_sourceLocation
  ) {
    #expect(error?.cause == .tls(fault), "\(String(describing: error))", sourceLocation: at)
    #expect(error?.treatment == fault.treatment, sourceLocation: at)
    for word in words {
      #expect(error?.description.contains(word) == true, "\(String(describing: error))", sourceLocation: at)
    }
  }

  // MARK: The server's certificate

  @Test("A certificate that is in order lets one in, by name and by address")
  func inOrder() async throws {
    let bench = try await Bench()
    #expect(try await bench.error() == nil)
    #expect(try await bench.error { $0.serverName = "localhost" } == nil)
    #expect(try await bench.error { $0.serverName = "LOCALHOST." } == nil)
  }

  @Test("Expired and not yet valid: the dates are said")
  func dates() async throws {
    let bench = try await Bench()
    try await bench.server.show(bench.authority.issue(dates: ("20200101000000Z", "20200203040506Z")))
    Self.expect(try await bench.error(), .expired, "the server's certificate expired on 2020-02-03T04:05:06Z")
    try await bench.server.show(bench.authority.issue(dates: ("20450102030405Z", "20460101000000Z")))
    Self.expect(try await bench.error(), .notYetValid, "from 2045-01-02T03:04:05Z on", "clock")
  }

  @Test("An authority that is not known, and none at all: what to give with --redis-ca")
  func issuers() async throws {
    let bench = try await Bench()
    let other = try await TestAuthority(name: "another CA")
    try await bench.server.show(other.issue())
    Self.expect(try await bench.error(), .unknownIssuer, "another CA", "--redis-ca")
    // Nor does the system know it.
    Self.expect(try await bench.error { $0.caFile = nil }, .unknownIssuer, "another CA")
    #expect(try await bench.error { $0.caFile = other.caFile } == nil)

    let alone = try await other.selfSigned()
    try await bench.server.show(alone)
    Self.expect(try await bench.error(), .selfSigned, "--redis-ca")
    Self.expect(try await bench.error { $0.caFile = nil }, .selfSigned)
    #expect(try await bench.error { $0.caFile = alone.certificateFile } == nil)
  }

  @Test("Another host's certificate: the names that it has are said, and which was looked for")
  func otherHost() async throws {
    let bench = try await Bench()
    try await bench.server.show(bench.authority.issue(names: "DNS:redis.example,DNS:*.shop.example,IP:10.0.0.7"))
    Self.expect(
      try await bench.error(),
      .wrongHost,
      "DNS:redis.example, DNS:*.shop.example, IP Address:10.0.0.7",
      "is not for 127.0.0.1: it is for DNS:",
      "--redis-server-name"
    )
    for (name, fits) in [
      ("redis.example", true), ("REDIS.example", true), ("redis.example.", true), ("a.shop.example", true),
      ("10.0.0.7", true),
      ("shop.example", false), ("a.b.shop.example", false), ("redis.example.org", false), ("xredis.example", false),
      ("10.0.0.8", false), ("localhost", false), ("::1", false),
    ] {
      let error = try await bench.error { $0.serverName = name }
      if fits { #expect(error == nil, "\(name)") } else { Self.expect(error, .wrongHost) }
    }
    // Part of a label.
    try await bench.server.show(bench.authority.issue(names: "DNS:redis*.example,DNS:*"))
    for name in ["redis1.example", "example"] {
      Self.expect(try await bench.error { $0.serverName = name }, .wrongHost)
    }
  }

  @Test("A name in the subject alone is none")
  func commonName() async throws {
    let bench = try await Bench()
    try await bench.server.show(bench.authority.issue("localhost", names: nil))
    Self.expect(
      try await bench.error { $0.serverName = "localhost" },
      .wrongHost,
      "has no name at all (subjectAltName)"
    )
    try await bench.server.show(bench.authority.issue("127.0.0.1", names: nil))
    Self.expect(try await bench.error(), .wrongHost, "has no name at all (subjectAltName)")
    // An address that is written as a name is none, either.
    try await bench.server.show(bench.authority.issue(names: "DNS:127.0.0.1"))
    Self.expect(try await bench.error(), .wrongHost)
  }

  @Test("A certificate for clients does not do for a server")
  func purpose() async throws {
    let bench = try await Bench()
    try await bench.server.show(bench.authority.issue(extension: "extendedKeyUsage=clientAuth"))
    Self.expect(try await bench.error(), .unfit, "purpose")
  }

  @Test("A key that is too short is refused, whatever the server thinks of it")
  func weakKey() async throws {
    let authority = try await TestAuthority.shared()
    let weak = try await authority.issue(key: "rsa:1024")
    let port = try FreePort.take()
    let server = try ChildProcess(
      "openssl",
      ["s_server", "-accept", "127.0.0.1:\(port)", "-cert", weak.certificateFile, "-key", weak.keyFile]
        + ["-cipher", "DEFAULT:@SECLEVEL=0", "-quiet"]
    )
    var endpoint = try RedisEndpoint("rediss://127.0.0.1:\(port)")
    endpoint.tls?.caFile = authority.caFile
    var error: RedisError?
    try await eventually("it answers") { [endpoint] in
      error = await failure(of: endpoint)
      return error?.code != .disconnected
    }
    Self.expect(error, .weak, "2048")
    server.send(SIGKILL)
  }

  @Test("--redis-insecure lets one in whatever the certificate says")
  func insecure() async throws {
    let bench = try await Bench()
    for identity in [
      try await bench.authority.issue(dates: ("20200101000000Z", "20200102000000Z")),
      try await bench.authority.issue("x", names: nil), try await bench.authority.selfSigned(),
    ] {
      try await bench.server.show(identity)
      #expect(try await bench.error() != nil)
      #expect(try await bench.error { $0.isInsecure = true } == nil)
      #expect(try await bench.error { ($0.isInsecure, $0.caFile) = (true, nil) } == nil)
    }
  }

  // MARK: Ours

  @Test(
    "A server that asks for a certificate gets one, or says what is wrong with it",
    arguments: ["TLSv1.2", "TLSv1.3"]
  )
  func clientCertificates(version: String) async throws {
    let bench = try await Bench({ $0.asksForCertificate = true }, "--tls-protocols", version)
    Self.expect(try await bench.error(), .certificateWanted, "--redis-cert")
    let good = try await bench.authority.issue("smsq", names: nil)
    #expect(try await bench.error { $0.use(good) } == nil)
    let stranger = try await TestAuthority(name: "another CA").issue("smsq")
    Self.expect(try await bench.error { $0.use(stranger) }, .certificateRefused, "tls-ca-cert-file")
    let old = try await bench.authority.issue("smsq", dates: ("20200101000000Z", "20200102000000Z"))
    Self.expect(try await bench.error { $0.use(old) }, .certificateRefused, "expired")
    let server = try await bench.authority.issue("smsq", extension: "extendedKeyUsage=serverAuth")
    Self.expect(try await bench.error { $0.use(server) }, .certificateRefused)
  }

  @Test("Files that cannot be used are named, and nobody is asked for a password")
  func files() async throws {
    let bench = try await Bench()
    let folder = bench.authority.folder
    let (one, two) = (try await bench.authority.issue(), try await bench.authority.issue(key: "rsa:2048"))
    let another = try await bench.authority.issue()
    let encrypted = folder + "/encrypted.key"
    try await TestAuthority.openssl(
      ["pkey", "-in", one.keyFile, "-out", encrypted, "-aes-256-cbc", "-passout", "pass:secret"]
    )
    let traditional = folder + "/traditional.key"
    try await TestAuthority.openssl(
      ["rsa", "-in", two.keyFile, "-traditional", "-out", traditional, "-aes128", "-passout", "pass:secret"]
    )
    let der = folder + "/der.pem"
    try await TestAuthority.openssl(["x509", "-in", one.certificateFile, "-outform", "DER", "-out", der])
    let none = folder + "/none.pem"

    Self.expect(try await bench.error { $0.caFile = none }, .missingFile, "CA file '\(none)'", "No such file")
    Self.expect(try await bench.error { $0.caFile = folder }, .missingFile, "a folder")
    Self.expect(try await bench.error { $0.caFile = one.keyFile }, .badFile, "CA file", "no certificate")
    Self.expect(try await bench.error { $0.caFile = der }, .badFile, "CA file", "PEM")
    Self.expect(try await bench.error { $0.caFile = "/dev/null" }, .badFile, "CA file")
    let faults: [(certificate: String, key: String, TLSFault, String)] = [
      (none, one.keyFile, .missingFile, "certificate file '\(none)'"),
      (one.certificateFile, none, .missingFile, "key file '\(none)'"),
      (one.keyFile, one.keyFile, .badFile, "certificate file"),
      (one.certificateFile, one.certificateFile, .badFile, "key file"),
      (one.certificateFile, "/dev/null", .badFile, "key file"),
      (one.certificateFile, encrypted, .encryptedKey, "openssl pkey"),
      (two.certificateFile, traditional, .encryptedKey, "is encrypted"),
      (one.certificateFile, another.keyFile, .keyMismatch, "renewed"),
      (one.certificateFile, two.keyFile, .keyMismatch, "is not that of"),
      (two.certificateFile, one.keyFile, .keyMismatch, "is not that of"),
    ]
    for (certificate, key, fault, word) in faults {
      let error = try await bench.error {
        $0.certificateFile = certificate
        $0.keyFile = key
      }
      Self.expect(error, fault, word)
    }
    // Both in one file.
    let both =
      try String(contentsOfFile: one.certificateFile, encoding: .utf8)
      + String(contentsOfFile: one.keyFile, encoding: .utf8)
    try both.write(toFile: folder + "/both.pem", atomically: false, encoding: .utf8)
    #expect(
      try await bench.error {
        $0.certificateFile = folder + "/both.pem"
        $0.keyFile = folder + "/both.pem"
      } == nil
    )
  }

  // MARK: What the server speaks

  @Test("No cipher in common")
  func nothingInCommon() async throws {
    // These are for certificates with an RSA key.
    let bench = try await Bench({ _ in }, "--tls-protocols", "TLSv1.2", "--tls-ciphers", "ECDHE-RSA-AES128-GCM-SHA256")
    Self.expect(try await bench.error(), .nothingInCommon, "tls-ciphers")
  }

  @Test("A plain port keeps silent, answers in its own words, or hangs up", arguments: [true, false])
  func plainPort(isInsecure: Bool) async throws {
    let silent = try await RedisServer(tcp: true)
    var error = await failure(of: try tls(silent.url, isInsecure), timeout: .milliseconds(300))
    // Redis may take the handshake for a command.
    if error?.cause != .tls(.noTLS) {
      #expect(error?.code == .timedOut && error?.treatment == .reconnect)
      #expect(error?.message.contains("a port that speaks no TLS") == true, "\(String(describing: error))")
    }
    for stub in [
      try StubServer(banner: "220 mail.example ESMTP\r\n", answer: nil),
      try StubServer(answer: "HTTP/1.1 400 Bad Request\r\n\r\n"),
      try StubServer(answer: "-ERR unknown command\r\n"),
      try StubServer(banner: "-DENIED protected mode\r\n", answer: nil),
    ] {
      error = await failure(of: try tls(stub.url, isInsecure))
      Self.expect(error, .noTLS, "redis://")
    }
    let closing = try StubServer(answer: nil)
    error = await failure(of: try tls(closing.url, isInsecure))
    Self.expect(error, .hungUp)
  }

  private func tls(_ url: String, _ isInsecure: Bool) throws -> RedisEndpoint {
    var endpoint = try RedisEndpoint(url.replacing("redis://", with: "rediss://"))
    endpoint.tls?.isInsecure = isInsecure
    return endpoint
  }
}

extension RedisTLS {
  mutating func use(_ identity: TestAuthority.Identity) {
    certificateFile = identity.certificateFile
    keyFile = identity.keyFile
  }
}

/// The error of a new connection; nil where there is none.
private func failure(of endpoint: RedisEndpoint, timeout: Duration = .seconds(10)) async -> RedisError? {
  let redis = RedisConnection(
    to: endpoint,
    options: .init(name: "test", connectTimeout: timeout, replyTimeout: .seconds(10))
  )
  do throws(RedisError) {
    _ = try await redis.run(RedisCommand("PING"))
    return nil
  } catch {
    return error
  }
}
