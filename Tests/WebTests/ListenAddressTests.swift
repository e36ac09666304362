import Testing

@testable import Web

@Suite("Where to listen")
struct ListenAddressTests {
  @Test(
    "A host and a port, or a path",
    arguments: [
      ("127.0.0.1:9464", ListenAddress.tcp(host: "127.0.0.1", port: 9464)),
      ("[::1]:0", .tcp(host: "::1", port: 0)), ("localhost:80", .tcp(host: "localhost", port: 80)),
      ("unix:/run/smsq.sock", .unix(path: "/run/smsq.sock")),
    ]
  )
  func read(text: String, address: ListenAddress) {
    #expect(ListenAddress(text) == address)
    #expect("\(address)" == text)
  }

  @Test(
    "Nothing is guessed",
    arguments: [
      "", "9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:x", "::1:80",
      "[::1]",
      "[]:80", "unix:", "unix:/", "unix:run/smsq.sock", "unix:/" + String(repeating: "x", count: 107),
    ]
  )
  func refused(text: String) { #expect(ListenAddress(text) == nil) }
}
