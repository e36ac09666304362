/// Where a Redis server is and how to log in: `redis://[[user]:password@]host[:port][/db]`, `rediss://` for TLS, or
/// `unix://[[user]:password@]/path`, either with `?db=N`. `RedisURL.swift` reads it.
package struct RedisEndpoint: Sendable, Equatable, CustomStringConvertible {
  package enum Address: Sendable, Equatable {
    case tcp(host: String, port: Int)
    case unix(path: String)
  }

  package let address: Address
  /// Never without a password.
  package let user: String?
  /// Empty only for a user: an ACL may let one in with any password.
  package let password: String?
  package let database: Int
  /// Not nil for `rediss://`.
  package var tls: RedisTLS?

  /// A server on its usual port, without a password.
  package init(host: String) {
    self.init(address: .tcp(host: host, port: 6379), user: nil, password: nil, database: 0, tls: nil)
  }

  init(address: Address, user: String?, password: String?, database: Int, tls: RedisTLS?) {
    self.address = address
    self.user = user
    self.password = password
    self.database = database
    self.tls = tls
  }

  /// The URL for logs and errors: it can be read again, and has `***` for the password.
  package var description: String {
    let login = password == nil ? "" : "\(RedisURL.encoded(user ?? "", keeping: ""))" + ":***@"
    switch address {
    case .tcp(let host, let port):
      let shown = host.contains(":") ? "[\(host)]" : host
      return "\(tls == nil ? "redis" : "rediss")://\(login)\(shown):\(port)/\(database)"
    case .unix(let path):
      return "unix://\(login)\(RedisURL.encoded(path, keeping: "/@:"))" + (database == 0 ? "" : "?db=\(database)")
    }
  }
}

package struct RedisEndpointError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
