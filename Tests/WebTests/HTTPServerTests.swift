import Foundation
import TestSupport
import Testing

@testable import Web

/// A real socket and a real libmicrohttpd.
@Suite("HTTPServer")
struct HTTPServerTests {
  private func server(on address: String = "127.0.0.1:0") throws -> HTTPServer {
    try HTTPServer(on: #require(ListenAddress(address)), thread: "test") { request in
      request.path == "/large" ? Page(200, String(repeating: "x", count: 3_000_000)) : Page(200, request.path)
    }
  }

  private func client(of server: HTTPServer) throws -> RawClient {
    switch server.address {
    case .tcp(_, let port): try RawClient(port: port)
    case .unix(let path): try RawClient(path: path)
    }
  }

  /// Sends something as it is, and reads until the other side hangs up.
  private func talk(_ server: HTTPServer, _ text: String) async throws -> String {
    let client = try self.client(of: server)
    client.send(text)
    return try await client.readToEnd()
  }

  @Test("GET and HEAD are answered, whatever the path, and nothing else is")
  func methods() async throws {
    let server = try server()
    let got = try await talk(server, "GET /a/b?c=d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(got.hasPrefix("HTTP/1.1 200 OK\r\n") && got.hasSuffix("\r\n\r\n/a/b"))
    let head = try await talk(server, "HEAD /abc HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(head.hasPrefix("HTTP/1.1 200 OK\r\n") && head.contains("Content-Length: 4") && head.hasSuffix("\r\n\r\n"))
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
      let body = method == "POST" ? "Content-Length: 5\r\n\r\nhello" : "\r\n"
      let refused = try await talk(server, "\(method) / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(body)")
      #expect(refused.hasPrefix("HTTP/1.1 405 "), "\(method): \(refused)")
    }
    let large = try await talk(server, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(large.utf8.count > 3_000_000)
  }

  @Test("What is no request ends the connection, and the next one is answered")
  func garbage() async throws {
    let server = try server()
    let long = String(repeating: "x", count: 100_000)
    for text in [
      "\r\n\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\(long) HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nLong: \(long)\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}",
      "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ] {
      let client = try self.client(of: server)
      client.send(text)
      client.hangUp()
      _ = try? await client.readToEnd()
    }
    let got = try await talk(server, "GET /still HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(got.hasSuffix("/still"))
  }

  @Test("Who drips a request, or says nothing, is cut off, and others are answered meanwhile")
  func slow() async throws {
    let server = try server()
    let silent = try client(of: server)
    let dripping = try client(of: server)
    let drip = Task {
      dripping.send("GET / HTTP/1.1\r\nHost: x\r\nX: ")
      while !Task.isCancelled, dripping.send("x") { try await Task.sleep(for: .milliseconds(200)) }
    }
    let got = try await talk(server, "GET /quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(got.hasSuffix("/quick"))
    _ = try? await silent.readToEnd()
    try await drip.value
  }

  @Test("Hundreds of connections that say nothing take no more than their share")
  func many() async throws {
    let server = try server()
    var clients: [RawClient] = []
    for _ in 0..<300 { clients.append(try client(of: server)) }
    clients = []
    try await eventually("it answers again") {
      let got = try? await talk(server, "GET /there HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      return got?.hasSuffix("/there") == true
    }
  }

  @Test(
    "An address that is taken, or not ours, is refused with the reason; a file left behind by a crash is not in the way"
  )
  func addresses() async throws {
    let server = try server()
    #expect(throws: ListenError.self) { try self.server(on: "\(server.address)") }
    #expect(throws: ListenError.self) { try self.server(on: "192.0.2.1:80") }
    #expect(throws: ListenError.self) { try self.server(on: "no.such.host.invalid:80") }

    let path = NSTemporaryDirectory() + "/smsq-web-\(UUID().uuidString)"
    var first: HTTPServer? = try self.server(on: "unix:\(path)")
    #expect(throws: ListenError.self) { try self.server(on: "unix:\(path)") }
    let got = try await talk(try #require(first), "GET /unix HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(got.hasSuffix("/unix"))
    first = nil
    #expect(!FileManager.default.fileExists(atPath: path))

    let left = try RawClient.leftBehind(at: path)
    #expect(left)
    _ = try self.server(on: "unix:\(path)")
    let file = path + ".txt"
    try "kept".write(toFile: file, atomically: true, encoding: .utf8)
    #expect(throws: ListenError.self) { try self.server(on: "unix:\(file)") }
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "kept")
    try FileManager.default.removeItem(atPath: file)
  }
}
