import ArgumentParser
import Testing

@testable import RedisClient
@testable import smsq

@Suite("Options of TLS")
struct TLSOptionsTests {
  private func endpoint(_ arguments: String...) throws -> RedisEndpoint {
    try RedisOptions.parse(arguments).endpoint
  }

  @Test("They become the endpoint's, and without them all is as it should be")
  func endpoint() throws {
    #expect(try endpoint("--redis", "redis://r").tls == nil)
    #expect(try endpoint("--redis", "unix:///r.sock").tls == nil)
    #expect(try endpoint("--redis", "rediss://r").tls == RedisTLS())
    let all = try endpoint(
      "--redis=rediss://r",
      "--redis-ca=ca.pem",
      "--redis-cert=c.pem",
      "--redis-key=k.pem",
      "--redis-server-name=::1",
      "--redis-insecure"
    )
    var tls = RedisTLS()
    tls.caFile = "ca.pem"
    tls.certificateFile = "c.pem"
    tls.keyFile = "k.pem"
    tls.serverName = "::1"
    tls.isInsecure = true
    #expect(all.tls == tls)
  }

  @Test(
    "What cannot be meant is refused, with the option's name",
    arguments: [
      (["--redis=redis://r", "--redis-ca=ca.pem"], "--redis-ca is about TLS, and --redis is redis://r:6379/0"),
      (["--redis=redis://:s3cret@r", "--redis-cert=c", "--redis-key=k"], "--redis-cert is about TLS"),
      (["--redis=unix:///r.sock", "--redis-server-name=r"], "--redis-server-name is about TLS"),
      (["--redis-insecure"], "--redis-insecure is about TLS, and --redis is redis://127.0.0.1:6379/0"),
      (["--redis=rediss://r", "--redis-cert=c.pem"], "go together"),
      (["--redis=rediss://r", "--redis-key=k.pem"], "go together"),
      (["--redis=rediss://r", "--redis-ca", ""], "--redis-ca is empty"),
      (["--redis=rediss://r", "--redis-server-name", ""], "--redis-server-name is empty"),
      (["--redis=rediss://r", "--redis-server-name=*.example"], "'*.example' is no server name"),
      (["--redis=rediss://r", "--redis-server-name=.example"], "'.example' is no server name"),
      (["--redis=rediss://r", "--redis-server-name=r:6379"], "'r:6379' is no server name"),
    ]
  )
  func refused(arguments: [String], word: String) {
    do {
      _ = try RedisOptions.parse(arguments)
      Issue.record("\(arguments) are taken")
    } catch {
      let message = RedisOptions.fullMessage(for: error)
      #expect(message.contains(word), "\(message)")
      #expect(!message.contains("s3cret"))
      #expect(RedisOptions.exitCode(for: error) == .validationFailure)
    }
  }
}
