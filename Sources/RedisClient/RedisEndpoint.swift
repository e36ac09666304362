#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Where a Redis server is and how to log in: `redis://[user:pass@]host:port/db` or `unix:///path[?db=1]`.
package struct RedisEndpoint: Sendable, Equatable, CustomStringConvertible {
  package enum Address: Sendable, Equatable {
    case tcp(host: String, port: Int)
    case unix(path: String)
  }

  package let address: Address
  package let user: String?
  package let password: String?
  package let database: Int

  /// A server on its usual port, without a password.
  package init(host: String) {
    address = .tcp(host: host, port: 6379)
    user = nil
    password = nil
    database = 0
  }

  /// - Throws: ``RedisEndpointError`` in words for the person who wrote the URL.
  package init(_ url: String) throws(RedisEndpointError) {
    guard let parts = URLComponents(string: url), let scheme = parts.scheme else {
      throw RedisEndpointError("it is not a URL; percent-encode special characters of a password (@ is %40)")
    }
    user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
    password = parts.password.flatMap { $0.isEmpty ? nil : $0 }

    switch scheme {
    case "redis":
      guard let host = parts.host, !host.isEmpty else { throw RedisEndpointError("it names no host") }
      // URLComponents keeps the brackets of an IPv6 address, getaddrinfo does not want them.
      address = .tcp(host: host.trimmingBrackets, port: parts.port ?? 6379)
      database = try Self.database(parts.path.hasPrefix("/") ? String(parts.path.dropFirst()) : parts.path)
    case "unix":
      guard parts.path.hasPrefix("/"), parts.host?.isEmpty ?? true else {
        throw RedisEndpointError("a socket takes an absolute path: unix:///run/redis/redis.sock")
      }
      address = .unix(path: parts.path)
      database = try Self.database(parts.queryItems?.first { $0.name == "db" }?.value ?? "")
    case "rediss":
      throw RedisEndpointError(
        "TLS is not supported; run a tunnel (stunnel) beside smsq and use redis://127.0.0.1:port"
      )
    default:
      throw RedisEndpointError("'\(scheme)' is not redis:// or unix://")
    }
  }

  /// The URL without the password, for logs and errors.
  package var description: String {
    let login = (user.map { "\($0)@" }) ?? (password == nil ? "" : "***@")
    switch address {
    case .tcp(let host, let port):
      let shown = host.contains(":") ? "[\(host)]" : host
      return "redis://\(login)\(shown):\(port)/\(database)"
    case .unix(let path):
      return "unix://\(login)\(path)" + (database == 0 ? "" : "?db=\(database)")
    }
  }

  private static func database(_ text: String) throws(RedisEndpointError) -> Int {
    if text.isEmpty { return 0 }
    guard let number = Int(text), number >= 0 else {
      // Not quoted: with a / in the password, the rest of it stands here.
      throw RedisEndpointError(
        "its database is not a number, as in /0; percent-encode special characters of a password (/ is %2F)"
      )
    }
    return number
  }
}

package struct RedisEndpointError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}

extension String {
  fileprivate var trimmingBrackets: String {
    hasPrefix("[") && hasSuffix("]") ? String(dropFirst().dropLast()) : self
  }
}
