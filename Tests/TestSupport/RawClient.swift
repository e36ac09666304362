import Foundation

/// A connection on which a test says what it likes.
package final class RawClient: Sendable {
  private let descriptor: Int32

  /// - Parameter port: of the loopback.
  package init(port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_port = UInt16(port).bigEndian
    place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    try Self.connect(descriptor, place)
  }

  package init(path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    try Self.connect(descriptor, Self.place(path))
  }

  deinit { close(descriptor) }

  private static func place(_ path: String) -> sockaddr_un {
    var place = sockaddr_un()
    place.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &place.sun_path) { $0.copyBytes(from: path.utf8) }
    return place
  }

  private static func connect<Place>(_ descriptor: Int32, _ place: Place) throws {
    let code = withUnsafePointer(to: place) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Place>.size))
      }
    }
    // A server that says nothing must not hold up all tests.
    var patience = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
  }

  /// Leaves the file of a socket that nobody listens at.
  package static func leftBehind(at path: String) throws -> Bool {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    return withUnsafePointer(to: place(path)) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    } == 0
  }

  /// - Returns: false when the other side has hung up.
  @discardableResult
  package func send(_ text: String) -> Bool {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0 { return false }
      bytes = bytes.dropFirst(count)
    }
    return true
  }

  /// Says that nothing more comes.
  package func hangUp() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Reads until the other side hangs up.
  package func readToEnd() async throws -> String {
    try await withCheckedThrowingContinuation { continuation in
      // A thread of its own: it blocks.
      Thread { [self] in
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
          let count = read(descriptor, &buffer, buffer.count)
          if count < 0 { return continuation.resume(throwing: POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO)) }
          if count == 0 { return continuation.resume(returning: String(decoding: all, as: UTF8.self)) }
          all += buffer[..<count]
        }
      }.start()
    }
  }

  /// Asks for a page over HTTP.
  ///
  /// - Returns: its status and its body.
  package static func get(_ path: String, port: Int) async throws -> (status: Int, body: String) {
    let client = try RawClient(port: port)
    client.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    let answer = try await client.readToEnd()
    guard let head = answer.range(of: "\r\n\r\n"), let status = Int(answer.dropFirst(9).prefix(3)) else {
      throw NeverHappened(description: "no answer: \(answer)")
    }
    return (status, String(answer[head.upperBound...]))
  }
}
