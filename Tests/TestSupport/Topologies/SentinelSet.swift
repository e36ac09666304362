import Foundation
import RedisClient

/// A master, replicas, and sentinels that watch over them: real ones, on the loopback or in network namespaces.
package final class SentinelSet: Sendable {
  package static let name = "mymaster"

  package let servers: [RedisNode]
  package let sentinels: [RedisNode]
  private let password: String?

  /// Where one of them is.
  package struct Place: Sendable {
    package var host = "127.0.0.1"
    package var namespace: String?

    package init(host: String = "127.0.0.1", namespace: String? = nil) {
      self.host = host
      self.namespace = namespace
    }
  }

  /// Starts them, and waits until each sentinel knows all the others.
  ///
  /// - Parameters:
  ///   - places: of each server, the first of which is the master, and of each sentinel.
  ///   - downAfter: how long a server may be silent before a sentinel takes it for dead.
  ///   - arguments: of each server.
  ///   - password: which the sentinels want.
  package init(
    places: (servers: [Place], sentinels: [Place]) = (
      Array(repeating: Place(), count: 3), Array(repeating: Place(), count: 3)
    ),
    downAfter: Duration = .seconds(1),
    arguments: [String] = [],
    password: String? = nil
  ) async throws {
    var servers: [RedisNode] = []
    for place in places.servers {
      let replication = servers.first.map { ["--replicaof", "\($0.host) \($0.port)"] } ?? []
      servers.append(
        try await RedisNode(host: place.host, in: place.namespace, replication + arguments).start()
      )
    }
    self.servers = servers
    self.password = password
    let master = servers[0]
    let quorum = places.sentinels.count / 2 + 1
    var configuration = """
      sentinel monitor \(Self.name) \(master.host) \(master.port) \(quorum)
      sentinel down-after-milliseconds \(Self.name) \(Int(downAfter / .milliseconds(1)))
      sentinel failover-timeout \(Self.name) 4000
      sentinel parallel-syncs \(Self.name) 2

      """
    if let password { configuration += "requirepass \(password)\nsentinel sentinel-pass \(password)\n" }
    try await Self.synced(servers)
    var sentinels: [RedisNode] = []
    for place in places.sentinels {
      let sentinel = try await RedisNode(host: place.host, in: place.namespace, configuration: configuration)
      // One that wants a login says so.
      sentinels.append(try await sentinel.start(untilAnswered: true))
    }
    self.sentinels = sentinels
    for sentinel in sentinels {
      try await eventually("\(sentinel.address) knows the others") {
        let master = try await ask(sentinel, "master", Self.name).fields
        return master["num-other-sentinels"] == "\(sentinels.count - 1)"
          && master["num-slaves"] == "\(servers.count - 1)" && master["flags"] == "master"
      }
    }
  }

  private static func synced(_ servers: [RedisNode]) async throws {
    for replica in servers.dropFirst() {
      try await eventually("\(replica.address) is in step") {
        let info = try await replica.run("INFO", "replication").string ?? ""
        return info.contains("master_link_status:up")
      }
    }
  }

  package var url: String {
    let hosts = sentinels.map { "\($0.address)" }.joined(separator: ",")
    return "\(RedisNode.scheme)+sentinel://\(hosts)/\(Self.name)/0"
  }

  package func ask(_ sentinel: RedisNode, _ words: String...) async throws -> RedisReply {
    try await sentinel.connection(password: password).run(RedisCommand(words: ["SENTINEL"] + words))
  }

  /// A number that goes up by one at least with each failover.
  package func failovers() async throws -> Int {
    let epochs = try await ask(sentinels[0], "master", Self.name).fields["config-epoch"]
    guard let epoch = epochs.flatMap({ Int($0) }) else { throw NeverHappened(description: "no config-epoch") }
    return epoch
  }

  /// The server that most of the sentinels name.
  package func master() async throws -> RedisNode {
    var counts: [Int: Int] = [:]
    for sentinel in sentinels where sentinel.isRunning {
      let parts = (try? await ask(sentinel, "get-master-addr-by-name", Self.name))?.array ?? []
      if parts.count == 2, let port = parts[1].integer { counts[Int(port), default: 0] += 1 }
    }
    let port = counts.max { $0.value < $1.value }?.key
    guard let node = servers.first(where: { $0.port == port }) else {
      throw NeverHappened(description: "no sentinel names a master")
    }
    return node
  }

  /// Waits until all sentinels name the same other master, and it has a replica in step and says that it is one.
  @discardableResult
  package func failedOver(from old: RedisNode) async throws -> RedisNode {
    var master = old
    try await eventually("another one than \(old.address) is the master") {
      master = try await self.master()
      guard master.port != old.port else { return false }
      return try await master.run("ROLE").array?.first?.string == "master"
    }
    return master
  }

  /// Waits until all servers are there, and all but one are its replicas, in step.
  package func healed() async throws {
    try await eventually("all are in step") {
      let master = try await self.master()
      let info = try await master.run("INFO", "replication").string ?? ""
      let online = info.components(separatedBy: "state=online").count - 1
      return info.contains("role:master") && online == servers.count - 1
    }
  }
}

extension RedisReply {
  /// A flat array of names and values.
  package var fields: [String: String] {
    let elements = array ?? []
    var fields: [String: String] = [:]
    for index in stride(from: 0, to: elements.count - 1, by: 2) {
      fields[elements[index].string ?? ""] = elements[index + 1].string
    }
    return fields
  }
}
