import Testing

@testable import Gateways

@Suite struct GatewayURLTests {
  @Test(
    "A gateway's URL has a host, and logs show that alone",
    arguments: [
      ("https://hooks.example.com/sms", "hooks.example.com", true),
      ("http://127.0.0.1:8080/x?a=b", "127.0.0.1:8080", false),
      ("HTTPS://user:secret@a.example:8443/", "a.example:8443", true), ("https://a.example", "a.example", true),
      ("https://[::1]:8443/x", "[::1]:8443", true), ("https://a.example?x=1", "a.example", true),
      ("https://u:p@ss@a.example/", "a.example", true),
    ]
  )
  func accepted(text: String, host: String, isSecure: Bool) throws {
    let url = try GatewayURL(text)
    #expect(url.host == host)
    #expect(url.isSecure == isSecure)
    #expect(url.text == text)
  }

  @Test(
    "What libcurl could not send to is refused, without a word of what it holds",
    arguments: [
      ("ftp://secret.example/", "does not begin"), ("https://", "no host"), ("https:///secret", "no host"),
      ("https://:443/secret", "no host"), ("https://secret.example:0/", "port"),
      ("https://secret.example:65536/", "port"),
      ("https://secret.example:+80/", "port"), ("https://secret.example:/", "port"), ("https://a b/secret", "a space"),
      ("https://secret.example/\n", "character"), ("https://秘密.example/secret", "beyond ASCII"),
      ("https://secret.example/{id}", "'{'"), ("https://secret.example/#part", "fragment"),
      ("https://[::1/secret", "lacks"),
      ("https://[::1]x/secret", "port"), ("https://user:secret@/", "no host"),
    ]
  )
  func refused(text: String, reason: String) {
    do {
      _ = try GatewayURL(text)
      Issue.record("accepted")
    } catch {
      #expect("\(error)".contains(reason), "\(error)")
      #expect(!"\(error)".contains("secret"), "\(error)")
    }
  }
}
