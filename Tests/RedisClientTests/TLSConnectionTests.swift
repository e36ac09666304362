import Foundation
import RedisClient
import TestSupport
import Testing

/// What differs under TLS. The suites of plain connections run over it as well: see `make test-tls`.
@Suite("Connections over TLS", .timeLimit(.minutes(3)))
struct TLSConnectionTests {
  private func server(_ more: String...) async throws -> RedisServer {
    try await RedisServer(tls: TestTLS.standard(), more)
  }

  private func connection(
    to endpoint: RedisEndpoint,
    connectTimeout: Duration = .seconds(10),
    replyTimeout: Duration = .seconds(30)
  ) -> RedisConnection {
    RedisConnection(
      to: endpoint,
      options: .init(name: "test", connectTimeout: connectTimeout, replyTimeout: replyTimeout)
    )
  }

  @Test("TLS 1.2 and 1.3 are spoken, with a login and a database", arguments: ["TLSv1.2", "TLSv1.3"])
  func versions(version: String) async throws {
    let tls = try await TestTLS.standard()
    let server = try await RedisServer(password: "secret", tls: tls, "--tls-protocols", version)
    var endpoint = try RedisEndpoint(server.url.dropLast() + "3")
    endpoint.tls = tls.client
    let redis = connection(to: endpoint)
    _ = try await redis.run(RedisCommand("SET", "a", "b"))
    #expect(
      try await server.plainConnection().run(RedisCommand("INFO", "keyspace")).string?.contains("db3:keys=1") == true
    )
    #expect("\(endpoint)".hasPrefix("rediss://:***@127.0.0.1:"))
  }

  @Test("A hundred megabytes go both ways, as one value and as a pipeline")
  func large() async throws {
    let server = try await server()
    let redis = server.connection()
    var value = [UInt8](repeating: 0, count: 100 << 20)
    for index in stride(from: 0, to: value.count, by: 997) { value[index] = UInt8(truncatingIfNeeded: index) }
    var set = RedisCommand("SET", "large")
    set.append(value)
    #expect(try await redis.run(set) == .status("OK"))
    let got = try await redis.run(RedisCommand("GET", "large"))
    #expect(Self.isSame(got, value))

    let piece = [UInt8](value[..<(100 << 10)])
    var echo = RedisCommand("ECHO")
    echo.append(piece)
    let replies = try await redis.run([RedisCommand](repeating: echo, count: 1_000))
    #expect(replies.count == 1_000 && replies.allSatisfy { Self.isSame($0, piece) })
  }

  /// Without Swift's == of arrays, which takes seconds for that much where it is not optimized.
  private static func isSame(_ reply: RedisReply, _ bytes: [UInt8]) -> Bool {
    guard case .bulk(let got) = reply, got.count == bytes.count else { return false }
    return memcmp(got, bytes, got.count) == 0
  }

  /// The error that a command fails with; nil where it succeeds.
  private func failure(of redis: RedisConnection, _ command: RedisCommand) async -> RedisError? {
    do throws(RedisError) {
      _ = try await redis.run(command)
      return nil
    } catch {
      return error
    }
  }

  // MARK: Ends

  @Test("A handshake that gets no answer ends in time, and at once when it is interrupted")
  func handshake() async throws {
    let silent = try StubServer(banner: "", answer: "")
    var endpoint = try RedisEndpoint("rediss://127.0.0.1:\(silent.port)")
    endpoint.tls?.caFile = try await TestAuthority.shared().caFile
    let hasty = connection(to: endpoint, connectTimeout: .milliseconds(200))
    let error = await #expect(throws: RedisError.self) { try await hasty.run(RedisCommand("PING")) }
    #expect(error?.code == .timedOut)

    let patient = connection(to: endpoint, connectTimeout: .seconds(600))
    async let end = failure(of: patient, RedisCommand("PING"))
    try await eventually("it is in the handshake") { silent.clients >= 2 }
    patient.interrupt()
    #expect(await end?.code == .interrupted)
  }

  @Test("A server that stands still costs no more than the time-out, in the handshake and behind it")
  func stopped() async throws {
    let server = try await server()
    let redis = connection(to: server.endpoint, connectTimeout: .milliseconds(300), replyTimeout: .milliseconds(300))
    _ = try? await redis.run(RedisCommand("PING"))
    let other = connection(to: server.endpoint, replyTimeout: .milliseconds(300))
    try await eventually("it is connected") { (try? await other.run(RedisCommand("PING"))) != nil }
    server.kill(SIGSTOP)
    for _ in 0..<2 { #expect(await failure(of: redis, RedisCommand("PING"))?.code == .timedOut) }
    // More than the way can hold: this one does not even get it written.
    var large = RedisCommand("SET", "large")
    large.append([UInt8](repeating: 7, count: 64 << 20))
    #expect(await failure(of: other, large)?.code == .timedOut)
    server.kill(SIGCONT)
    for redis in [redis, other] {
      try await eventually("it answers") { (try? await redis.run(RedisCommand("PING"))) != nil }
    }
  }

  @Test("A connection on which nothing comes through any more is given up in time, and the next one is whole")
  func halfDead() async throws {
    let server = try await server()
    for fault in [FaultyProxy.Fault.swallow, .swallowReplies] {
      let proxy = try FaultyProxy(to: server.endpoint)
      let redis = connection(to: proxy.endpoint, connectTimeout: .milliseconds(300), replyTimeout: .milliseconds(300))
      try await eventually("it is connected") { (try? await redis.run(RedisCommand("PING"))) != nil }
      proxy.arm(fault)
      // The open one, and the handshake of the next.
      for _ in 0..<2 { #expect(await failure(of: redis, RedisCommand("PING"))?.code == .timedOut) }
      proxy.heal()
      try await eventually("it answers") { (try? await redis.run(RedisCommand("PING"))) != nil }
    }
  }

  @Test(
    "A connection may be cut at any byte of what the server sends; the next one is whole",
    arguments: [true, false]
  )
  func cuts(isReset: Bool) async throws {
    let server = try await server()
    let proxy = try FaultyProxy(to: server.endpoint)
    let value = String(repeating: "x", count: 40_000)
    let get = RedisCommand("GET", "value")
    _ = try await server.connection().run(RedisCommand("SET", "value", value))

    proxy.heal()
    #expect(try await connection(to: proxy.endpoint).run(get).string == value)
    let whole = proxy.replyBytes
    #expect(whole > value.utf8.count)
    // The handshake is in the first of them.
    let positions = Array(stride(from: 0, to: 3_000, by: 90)) + stride(from: 3_000, to: whole, by: 4_001)
    for position in positions {
      let redis = connection(to: proxy.endpoint)
      proxy.arm(isReset ? .reset : .cut, afterReplyBytes: position)
      do throws(RedisError) {
        // A version of TLS may need some bytes less another time.
        let reply = try await redis.run(get)
        #expect(reply.string == value, "at \(position)")
      } catch {
        #expect(error.treatment == .reconnect, "at \(position): \(error)")
      }
      proxy.heal()
      #expect(try await redis.run(get).string == value, "at \(position)")
    }
  }

  @Test("A server that is killed in the middle of a reply is an end of the connection, and no reply")
  func killed() async throws {
    let server = try await server()
    let proxy = try FaultyProxy(to: server.endpoint)
    let redis = connection(to: proxy.endpoint)
    // More than all buffers on the way can hold.
    _ = try await redis.run(RedisCommand("SETRANGE", "large", "100000000", "x"))
    proxy.arm(.stall, afterReplyBytes: 1_000_000)
    async let end = failure(of: redis, RedisCommand("GET", "large"))
    try await eventually("it is in the middle") { proxy.hasStruck }
    try await server.stop()
    proxy.heal()
    #expect(await end?.code == .disconnected)
  }

  @Test("What came together is read together, and what is to come is not waited for")
  func unawaited() async throws {
    let server = try await server()
    let redis = server.connection()
    // Many small ones are in one record of TLS; a large one is in many.
    var large = RedisCommand("ECHO")
    large.append([UInt8](repeating: 7, count: 1 << 20))
    let pings = [RedisCommand](repeating: RedisCommand("PING"), count: 500)
    for _ in 0..<3 {
      try await redis.send(pings + [large] + pings + [RedisCommand("BLPOP", "list", "100")], blocking: .seconds(100))
      for _ in 0..<50 { #expect(try await redis.arrived(within: .milliseconds(1)) == nil) }
      _ = try await server.plainConnection().run(RedisCommand("LPUSH", "list", "x"))
      var replies: [RedisReply]?
      try await eventually("all are here") {
        replies = try await redis.arrived()
        return replies != nil
      }
      #expect(replies?.count == 1_002)
      #expect(replies?.last?.array?.count == 2)
    }
  }

  // MARK: Renewal

  @Test("Files that were renewed on disk are used by the next connection")
  func renewed() async throws {
    let first = try await TestAuthority(name: "first CA")
    let second = try await TestAuthority(name: "second CA")
    let folder = try TemporaryFolder()
    func install(_ authority: TestAuthority, _ identity: TestAuthority.Identity) throws {
      for (from, to) in [
        (authority.caFile, "ca"), (identity.certificateFile, "certificate"), (identity.keyFile, "key"),
      ] {
        // As renewers do it: never half a file.
        try FileManager.default.copyItem(atPath: from, toPath: folder.path + "/new")
        try #require(rename(folder.path + "/new", folder.path + "/\(to).pem") == 0)
      }
    }
    try install(first, try await first.issue("smsq"))
    var tls = TestTLS(server: try await first.issue(), authority: first)
    tls.asksForCertificate = true
    tls.client.caFile = folder.path + "/ca.pem"
    tls.client.certificateFile = folder.path + "/certificate.pem"
    tls.client.keyFile = folder.path + "/key.pem"
    let server = try await RedisServer(tls: tls)
    let redis = server.connection()
    #expect(try await redis.run(RedisCommand("PING")) == .status("PONG"))

    let next = try await second.issue()
    let settings = RedisCommand(
      "CONFIG",
      "SET",
      "tls-cert-file",
      next.certificateFile,
      "tls-key-file",
      next.keyFile,
      "tls-ca-cert-file",
      second.caFile
    )
    #expect(try await server.plainConnection().run(settings) == .status("OK"))
    // One that is open stays so.
    #expect(try await redis.run(RedisCommand("PING")) == .status("PONG"))
    await redis.close()
    let error = await #expect(throws: RedisError.self) { try await redis.run(RedisCommand("PING")) }
    #expect(error?.cause == .tls(.unknownIssuer))
    try install(second, try await second.issue("smsq"))
    #expect(try await redis.run(RedisCommand("PING")) == .status("PONG"))
    // A file that is gone is said, and does not go on with what it had.
    try FileManager.default.removeItem(atPath: folder.path + "/key.pem")
    await redis.close()
    let gone = await #expect(throws: RedisError.self) { try await redis.run(RedisCommand("PING")) }
    #expect(gone?.cause == .tls(.missingFile))
  }
}

private final class TemporaryFolder: Sendable {
  let path = NSTemporaryDirectory() + "/smsq-folder-\(UUID().uuidString)"

  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
