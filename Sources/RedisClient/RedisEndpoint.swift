/// Where Redis is and how to log in. `RedisURL.swift` reads it:
///
///     redis://[[user]:password@]host[:port][/db]                        one server
///     unix://[[user]:password@]/path                                    one server, by its socket
///     redis+sentinel://[[user]:password@]host[:port],.../master[/db]    the master that sentinels name
///     redis+cluster://[[user]:password@]host[:port],...                 a Redis Cluster
///
/// Each but `unix` with `rediss` in place of `redis` for TLS, and `?db=N` in place of `/db`.
package struct RedisEndpoint: Sendable, Equatable, CustomStringConvertible {
  package enum Address: Sendable, Hashable, CustomStringConvertible {
    case tcp(host: String, port: Int)
    case unix(path: String)

    package var description: String {
      switch self {
      case .tcp(let host, let port): (host.contains(":") ? "[\(host)]" : host) + ":\(port)"
      case .unix(let path): path
      }
    }
  }

  package enum Place: Sendable, Equatable {
    case server(Address)
    /// The server that these name as the master of that name. They are asked in this order.
    case sentinels([Address], master: String)
    /// The servers of a Redis Cluster, some of them: the others are learned from those.
    case cluster(seeds: [Address])
  }

  package let place: Place
  /// Never without a password.
  package let user: String?
  /// Empty only for a user: an ACL may let one in with any password.
  package let password: String?
  package let database: Int
  /// Not nil for `rediss`; it is meant for the sentinels, too.
  package var tls: RedisTLS?
  /// The login that sentinels want, which is not that of their servers.
  package var sentinelUser: String?
  package var sentinelPassword: String?

  /// The first address that it names: the server, a sentinel, a node.
  package var address: Address {
    switch place {
    case .server(let address): address
    case .sentinels(let addresses, _), .cluster(let addresses): addresses[0]
    }
  }

  /// A server on its usual port, without a password.
  package init(host: String) {
    self.init(.server(.tcp(host: host, port: 6379)), user: nil, password: nil, database: 0, tls: nil)
  }

  init(_ place: Place, user: String?, password: String?, database: Int, tls: RedisTLS?) {
    self.place = place
    self.user = user
    self.password = password
    self.database = database
    self.tls = tls
  }

  /// The URL for logs and errors: it can be read again, and has `***` for the password.
  package var description: String {
    let login = password == nil ? "" : "\(RedisURL.encoded(user ?? "", keeping: ""))" + ":***@"
    let redis = tls == nil ? "redis" : "rediss"
    switch place {
    case .server(.unix(let path)):
      return "unix://\(login)\(RedisURL.encoded(path, keeping: "/@:"))" + (database == 0 ? "" : "?db=\(database)")
    case .server(let address):
      return "\(redis)://\(login)\(address)/\(database)"
    case .sentinels(let addresses, let master):
      return "\(redis)+sentinel://\(login)\(Self.list(addresses))/\(master)/\(database)"
    case .cluster(let seeds):
      return "\(redis)+cluster://\(login)\(Self.list(seeds))"
    }
  }

  static func list(_ addresses: [Address]) -> String { addresses.map(\.description).joined(separator: ",") }
}

package struct RedisEndpointError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
