import Foundation
import RedisClient
import TestSupport
import Testing

@Suite("Commands over TLS", .serialized)
struct TLSCommandTests {
  private func expect(_ result: ChildProcess.Result, code: Int32, _ words: [String]) {
    #expect(result.code == code, "\(result)")
    #expect(result.stdout == "")
    for word in words { #expect(result.note.contains(word), "\(result.note)") }
    #expect(result.note.hasPrefix("smsq: ") && result.note.split(separator: "\n").count == 1, "\(result.note)")
  }

  @Test(
    "Every command speaks it, told by options or by variables, with a client certificate",
    arguments: [true, false]
  )
  func commands(byVariable: Bool) async throws {
    let authority = try await TestAuthority.shared()
    var tls = try await TestTLS.standard()
    tls.asksForCertificate = true
    let own = try await authority.issue("smsq")
    tls.client.certificateFile = own.certificateFile
    tls.client.keyFile = own.keyFile
    let bench = try await Bench(on: RedisServer(appendOnly: true, tls: tls))
    let values = [
      "--redis": bench.server.url, "--redis-ca": authority.caFile, "--redis-cert": own.certificateFile,
      "--redis-key": own.keyFile, "--redis-server-name": "localhost", "--queue": bench.queue.name.description,
    ]
    let options = byVariable ? [] : values.flatMap { [$0.key, $0.value] }
    let environment = Dictionary(
      uniqueKeysWithValues: values.map {
        ("SMSQ_" + $0.key.dropFirst(2).uppercased().replacing("-", with: "_"), $0.value)
      }
    )
    func run(_ command: [String]) async throws -> ChildProcess.Result {
      try await Smsq.run(command + options, environment: byVariable ? environment : [:])
    }
    for command in [["push"] + Bench.message, ["push", "--in", "1h"] + Bench.message] + RedisTroubleTests.commands {
      let result = try await run(command)
      #expect(result.code == 0, "\(command): \(result)")
    }
    for command in [["doctor"], ["dead", "list"], ["dead", "retry", "--all", "--yes"]] {
      let result = try await run(command)
      #expect(result.code == 0, "\(command): \(result)")
    }
    #expect(try await run(["doctor"]).stdout.contains("tls: the server's certificate is good until 20"))
    let worker = try ChildProcess(
      Smsq.path,
      ["worker", "--name", bench.workerName] + options,
      environment: byVariable ? environment : [:]
    )
    try await bench.eventually(sent: 2)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
    #expect(worker.log("redis-lost").isEmpty)
    #expect(worker.log("started").first?["redis"]?.hasPrefix("rediss://127.0.0.1:") == true)
    #expect(worker.log("started").first?["tls"] == nil)
  }

  @Test("A fault of a certificate: 77, which one, and what to do; a worker says it once, and goes on when it is mended")
  func faults() async throws {
    let authority = try await TestAuthority.shared()
    let bench = try await Bench(on: RedisServer(tls: TestTLS.standard()))
    let ca = ["--redis-ca", authority.caFile]
    let good = try await authority.issue()
    try await bench.server.show(authority.issue(dates: ("20200101000000Z", "20200203040506Z")))
    expect(
      try await bench.smsq(["push"] + Bench.message + ca),
      code: 77,
      ["expired on 2020-02-03", "renew it", "rediss://"]
    )
    expect(try await bench.smsq("stats"), code: 77, ["--redis-ca", authority.name])
    let doctor = try await bench.smsq(["doctor"] + ca)
    #expect(
      doctor.code == 78 && doctor.stdout.contains("problem  redis: ") && doctor.stdout.contains("expired"),
      "\(doctor)"
    )

    let worker = try ChildProcess(
      Smsq.path,
      ["worker", "--name", bench.workerName, "--queue", bench.queue.name.description],
      environment: ["SMSQ_REDIS": bench.server.url, "SMSQ_REDIS_CA": authority.caFile]
    )
    let lost = try await worker.logs("redis-lost")
    #expect(lost["error"]?.contains("expired on 2020-02-03T04:05:06Z") == true)
    try await bench.server.show(good)
    try await worker.logs("redis-back")
    #expect(worker.log("redis-lost").count == 1)
    #expect(try await bench.smsq(["push"] + Bench.message + ca).code == 0)
    try await bench.eventually(sent: 1)
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
  }

  @Test("Files that cannot be used: 77 or 78, and a worker does not start")
  func files() async throws {
    let authority = try await TestAuthority.shared()
    let (one, other) = (try await authority.issue("smsq"), try await authority.issue("smsq"))
    let encrypted = authority.folder + "/\(UUID().uuidString).key"
    try await TestAuthority.openssl(
      ["pkey", "-in", one.keyFile, "-out", encrypted, "-aes-256-cbc", "-passout", "pass:secret"]
    )
    let bench = try await Bench(on: RedisServer(tls: TestTLS.standard()))
    for (options, code, word) in [
      (["--redis-ca", "/nonexistent.pem"], 78, "CA file '/nonexistent.pem': No such file"),
      (["--redis-ca", one.keyFile], 77, "no certificate"),
      (["--redis-cert", one.certificateFile, "--redis-key", other.keyFile], 77, "is not that of"),
      (["--redis-cert", one.certificateFile, "--redis-key", encrypted], 77, "is encrypted"),
    ] as [([String], Int32, String)] {
      expect(try await bench.smsq(["push"] + Bench.message + options), code: code, [word])
      let worker = try await Smsq.run(["worker", "--redis", bench.server.url] + options)
      expect(worker, code: code, [word])
    }
    #expect(try await bench.queue.run("KEYS *").array?.isEmpty == true)
  }

  @Test("--redis-insecure is said wherever a worker starts, and by the doctor")
  func insecure() async throws {
    let server = try await RedisServer(appendOnly: true, tls: TestTLS.standard())
    try await server.show(TestAuthority.shared().selfSigned())
    let environment = ["SMSQ_REDIS": server.url, "SMSQ_REDIS_INSECURE": "yes"]
    let worker = try ChildProcess(Smsq.path, ["worker"], environment: environment)
    #expect(try await worker.logs("started")["tls"]?.contains("insecure") == true)
    let doctor = try await Smsq.run(["doctor"], environment: environment)
    #expect(doctor.code == 0 && doctor.stdout.contains("warning  tls: any certificate is accepted"), "\(doctor)")
    worker.send(SIGTERM)
    #expect(try await worker.end().code == 0)
  }

  @Test("The system's authorities are found in their folder by name, or in the file that has them all")
  func system() async throws {
    let authority = try await TestAuthority.shared()
    let bench = try await Bench(on: RedisServer(tls: TestTLS.standard()))
    let folder = NSTemporaryDirectory() + "/smsq-certs-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder + "/none", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.copyItem(atPath: authority.caFile, toPath: folder + "/ca.pem")
    try await TestAuthority.openssl(["rehash", folder])
    for (environment, code) in [
      (["SSL_CERT_DIR": folder, "SSL_CERT_FILE": "/dev/null"], 0),
      (["SSL_CERT_DIR": folder + "/none", "SSL_CERT_FILE": authority.caFile], 0),
      (["SSL_CERT_DIR": folder + "/none", "SSL_CERT_FILE": folder + "/none/ca.pem"], 77),
    ] as [([String: String], Int32)] {
      let result = try await bench.smsq(["push"] + Bench.message, environment: environment)
      #expect(result.code == code, "\(environment): \(result)")
    }
  }

  @Test("OpenSSL is needed for TLS alone: where it is not, TLS is 78, and what to install")
  func noLibrary() async throws {
    let folder = NSTemporaryDirectory() + "/smsq-libraries-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    // Found before the system's, and none.
    for name in ["libssl.so.3", "libcrypto.so.3"] {
      try "no library".write(toFile: folder + "/" + name, atomically: false, encoding: .utf8)
    }
    let environment = ["LD_LIBRARY_PATH": folder]
    let plain = try await Bench()
    #expect(try await plain.smsq(["push"] + Bench.message, environment: environment).code == 0)
    let bench = try await Bench(on: RedisServer(tls: TestTLS.standard()))
    let ca = ["--redis-ca", try await TestAuthority.shared().caFile]
    expect(
      try await bench.smsq(["push"] + Bench.message + ca, environment: environment),
      code: 78,
      ["libcrypto.so.3", "libssl3"]
    )
    let worker = try await Smsq.run(["worker", "--redis", bench.server.url] + ca, environment: environment)
    expect(worker, code: 78, ["libssl3"])
  }

  @Test("TLS to a port that speaks none, and the other way round: what to write")
  func otherPort() async throws {
    let mail = try StubServer(banner: "220 mail.example ESMTP\r\n", answer: nil)
    let tls = mail.url.replacing("redis://", with: "rediss://")
    expect(try await Smsq.run(["stats", "--redis", tls]), code: 78, ["speaks no TLS", "redis://"])
    let closing = try StubServer(answer: nil)
    let closed = closing.url.replacing("redis://", with: "rediss://")
    expect(try await Smsq.run(["stats", "--redis", closed]), code: 69, ["speaks no TLS", "redis://"])
    let silent = try StubServer(answer: "")
    let nothing = silent.url.replacing("redis://", with: "rediss://")
    expect(try await Smsq.run(["stats", "--redis", nothing]), code: 69, ["speaks no TLS"])
    let server = try await RedisServer(tls: TestTLS.standard())
    let plain = server.url.replacing("rediss://", with: "redis://")
    expect(try await Smsq.run(["stats", "--redis", plain]), code: 69, ["rediss://"])
  }

  @Test("A worker that is told to stop during a handshake stops, and not only when the server answers")
  func stop() async throws {
    let silent = try StubServer(answer: "")
    let url = silent.url.replacing("redis://", with: "rediss://")
    let worker = try ChildProcess(Smsq.path, ["worker", "--redis", url, "--lease", "10m", "--drain", "1s"])
    try await TestSupport.eventually("it is in the handshake") { silent.clients > 0 }
    worker.send(SIGTERM)
    #expect(try await worker.end(within: .seconds(20)).code == 0)
  }
}
