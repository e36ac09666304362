import Foundation
import RedisClient

/// The few socket calls that ``FaultyProxy`` is made of.
enum Sockets {
  private static let stream = Int32(SOCK_STREAM.rawValue)

  /// - Returns: a socket that listens on a free port of 127.0.0.1, and the port.
  static func listen() throws -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, stream | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(descriptor, pointer, length) == 0 && Foundation.listen(descriptor, 64) == 0
          && getsockname(descriptor, pointer, &length) == 0
      }
    }
    guard code else { throw CocoaError(.fileReadUnknown) }
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }

  /// Whether a server could listen at this port of 127.0.0.1 now.
  static func isFree(_ port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, stream | Int32(SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    var address = loopback(port: port)
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  /// Waits for a client, and looks at `hasEnded` now and then; nil when it is time to end.
  static func accept(_ listener: Int32, unless hasEnded: () -> Bool) -> Int32? {
    while !hasEnded() {
      guard poll(listener, -1).0 else { continue }
      let client = Foundation.accept(listener, nil, nil)
      guard client >= 0 else { continue }
      _ = fcntl(client, F_SETFD, FD_CLOEXEC)
      return client
    }
    return nil
  }

  static func connect(to address: RedisEndpoint.Address) -> Int32? {
    switch address {
    case .tcp(_, let port):
      var address = loopback(port: UInt16(port))
      return connect(AF_INET, &address, MemoryLayout<sockaddr_in>.size)
    case .unix(let path):
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8.prefix(107)) + [0]) }
      return connect(AF_UNIX, &address, MemoryLayout<sockaddr_un>.size)
    }
  }

  private static func connect<Address>(_ family: Int32, _ address: inout Address, _ length: Int) -> Int32? {
    let descriptor = socket(family, stream | Int32(SOCK_CLOEXEC.rawValue), 0)
    let code = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Foundation.connect(descriptor, $0, socklen_t(length))
      }
    }
    if code == 0 { return descriptor }
    close(descriptor)
    return nil
  }

  private static func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    address.sin_port = port.bigEndian
    return address
  }

  /// Waits until one of two can be read, for 10 ms at most; a negative one is left out.
  static func poll(_ first: Int32, _ second: Int32) -> (Bool, Bool) {
    var descriptors = [
      pollfd(fd: first, events: Int16(POLLIN), revents: 0), pollfd(fd: second, events: Int16(POLLIN), revents: 0),
    ]
    guard Foundation.poll(&descriptors, 2, 10) > 0 else { return (false, false) }
    return (descriptors[0].revents != 0, descriptors[1].revents != 0)
  }

  /// Nil at the end.
  static func read(_ descriptor: Int32) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = Foundation.read(descriptor, &buffer, buffer.count)
    return count > 0 ? Array(buffer[..<count]) : nil
  }

  /// - Returns: false when the other side is gone.
  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if written <= 0 { return false }
      rest = rest.dropFirst(written)
    }
    return true
  }

  /// Makes close(2) send a RST.
  static func resetOnClose(_ descriptor: Int32) {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }
}
