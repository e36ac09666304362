import Glibc

/// Where to listen: `host:port`, `[::1]:port`, or `unix:/path`.
package enum ListenAddress: Sendable, Equatable, CustomStringConvertible {
  case tcp(host: String, port: Int)
  case unix(path: String)

  /// - Returns: nil for what names no place. A host is never left out: who may look is to be said.
  package init?(_ text: String) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard path.hasPrefix("/"), (2..<Self.longestPath).contains(path.utf8.count) else { return nil }
      self = .unix(path: path)
      return
    }
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65_535).contains(port)
    else { return nil }
    var host = text[..<colon]
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = host.dropFirst().dropLast() }
    guard !host.isEmpty, host.contains(":") == isBracketed, !host.contains("[") else { return nil }
    self = .tcp(host: String(host), port: port)
  }

  /// What a sockaddr_un holds, with the zero at its end.
  private static let longestPath = MemoryLayout.size(ofValue: sockaddr_un().sun_path)

  package var description: String {
    switch self {
    case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    }
  }
}

/// Nobody can be served there, and why.
package struct ListenError: Error, CustomStringConvertible {
  package let description: String
}

/// A socket that listens.
struct ListeningSocket {
  let descriptor: Int32
  /// With the port that the system chose where none was given (0).
  let address: ListenAddress

  init(on address: ListenAddress) throws(ListenError) {
    switch address {
    case .tcp(let host, let port): self = try Self.tcp(host, port)
    case .unix(let path): self = try Self.unix(path)
    }
  }

  private init(_ descriptor: Int32, _ address: ListenAddress) {
    self.descriptor = descriptor
    self.address = address
  }

  private static func tcp(_ host: String, _ port: Int) throws(ListenError) -> ListeningSocket {
    let name = "\(ListenAddress.tcp(host: host, port: port))"
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, "\(port)", &hints, &found)
    guard code == 0, let place = found?.pointee else {
      throw ListenError(description: "\(name): \(String(cString: gai_strerror(code)))")
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(place.ai_family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw failure(name) }
    // Else nobody could listen there for a minute after a restart.
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    guard bind(descriptor, place.ai_addr, place.ai_addrlen) == 0, listen(descriptor, SOMAXCONN) == 0 else {
      throw failure(name, closing: descriptor)
    }
    return ListeningSocket(descriptor, .tcp(host: host, port: port == 0 ? Self.port(of: descriptor) : port))
  }

  private static func port(of descriptor: Int32) -> Int {
    var address = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    _ = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    // At the same place in an IPv4 address.
    return Int(UInt16(bigEndian: address.sin6_port))
  }

  private static func unix(_ path: String) throws(ListenError) -> ListeningSocket {
    let name = "\(ListenAddress.unix(path: path))"
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw failure(name) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    func withAddress(_ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
      withUnsafePointer(to: address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(descriptor, $0, length) }
      }
    }
    // A file that is left over from a crash is in the way; one that somebody answers at must not be taken from him.
    if withAddress(connect) == 0 { throw failure(name, closing: descriptor, EADDRINUSE) }
    if errno == ECONNREFUSED && isSocket(path) { unlink(path) }
    guard withAddress(bind) == 0, chmod(path, 0o660) == 0, listen(descriptor, SOMAXCONN) == 0 else {
      throw failure(name, closing: descriptor)
    }
    return ListeningSocket(descriptor, .unix(path: path))
  }

  private static func isSocket(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
  }

  private static func failure(_ name: String, closing descriptor: Int32 = -1, _ code: Int32 = errno) -> ListenError {
    if descriptor >= 0 { close(descriptor) }
    let hint =
      switch code {
      case EADDRINUSE: ": another program, or another worker, listens there; choose another port or path"
      case EADDRNOTAVAIL: ": this host does not have that address"
      case EACCES: ": ports below 1024, and folders of others, take more rights"
      default: ""
      }
    return ListenError(description: "\(name): \(String(cString: strerror(code)))\(hint)")
  }
}
