import Foundation
import MessageQueue
import RedisClient

/// A Redis Cluster on the loopback: three masters, and a replica for each unless there are to be none.
package final class RedisCluster: Sendable {
  /// First the masters, then their replicas in the same order.
  package let nodes: [RedisNode]
  package let masters: Int
  private let ids: [String]

  /// Starts the nodes, and waits until the cluster serves all slots.
  ///
  /// - Parameter nodeTimeout: how long a node may be silent before the others take it for dead.
  package init(
    masters: Int = 3,
    withReplicas: Bool = true,
    nodeTimeout: Duration = .seconds(2),
    _ arguments: String...
  ) async throws {
    self.masters = masters
    let count = withReplicas ? 2 * masters : masters
    var nodes: [RedisNode] = []
    for _ in 0..<count {
      nodes.append(
        try await RedisNode(
          ["--cluster-enabled", "yes", "--cluster-node-timeout", "\(Int(nodeTimeout / .milliseconds(1)))"]
            + ["--cluster-replica-validity-factor", "0"] + arguments
        ).start()
      )
    }
    self.nodes = nodes
    var ids: [String] = []
    for (index, node) in nodes.enumerated() {
      ids.append(try await node.run("CLUSTER", "MYID").string ?? "")
      try await node.run("CLUSTER", "SET-CONFIG-EPOCH", "\(index + 1)")
    }
    self.ids = ids
    for (index, node) in nodes.prefix(masters).enumerated() {
      let (first, next) = (16_384 * index / masters, 16_384 * (index + 1) / masters)
      try await node.run("CLUSTER", "ADDSLOTSRANGE", "\(first)", "\(next - 1)")
    }
    for node in nodes.dropFirst() { try await nodes[0].run("CLUSTER", "MEET", node.host, "\(node.port)") }
    try await everywhere("knows the others") { node in
      let known = try await node.run("CLUSTER", "NODES").string ?? ""
      return ids.allSatisfy { known.contains($0) } && !known.contains("handshake")
    }
    for (index, node) in nodes.dropFirst(masters).enumerated() {
      try await node.run("CLUSTER", "REPLICATE", ids[index])
    }
    try await settled()
  }

  package var url: String {
    "\(RedisNode.scheme)+cluster://" + nodes.prefix(masters).map { "\($0.address)" }.joined(separator: ",")
  }

  private func everywhere(_ what: String, _ condition: (RedisNode) async throws -> Bool) async throws {
    for node in nodes where node.isRunning {
      try await eventually("\(node.address) \(what)") { try await condition(node) }
    }
  }

  /// Waits until all nodes that run say that the cluster is whole, and its replicas are in step.
  package func settled() async throws {
    try await everywhere("finds the cluster whole") { node in
      let info = (try? await node.run("CLUSTER", "INFO").string) ?? ""
      let replication = (try? await node.run("INFO", "replication").string) ?? ""
      guard info.contains("cluster_state:ok") else { return false }
      if replication.contains("role:slave") { return replication.contains("master_link_status:up") }
      // Its replica may take itself for one in step that has only just connected.
      return nodes.count == masters || replication.contains("state=online")
    }
  }

  package func slot(of queue: QueueName) async throws -> Int {
    Int(try await nodes[0].run("CLUSTER", "KEYSLOT", queue.description).integer ?? 0)
  }

  /// The master that serves a slot, as a node that runs says.
  package func owner(of slot: Int) async throws -> RedisNode {
    for node in nodes where node.isRunning {
      for range in try await node.run("CLUSTER", "SLOTS").array ?? [] {
        guard let parts = range.array, parts.count > 2, let first = parts[0].integer, let last = parts[1].integer else {
          continue
        }
        if (Int(first)...Int(last)).contains(slot), let port = parts[2].array?[1].integer,
          let owner = nodes.first(where: { $0.port == Int(port) })
        {
          return owner
        }
      }
    }
    throw NeverHappened(description: "nobody has slot \(slot)")
  }

  /// The node of each shard of a queue.
  package func owners(of queue: QueueName, shards: Int) async throws -> [RedisNode] {
    var owners: [RedisNode] = []
    for number in 0..<shards { owners.append(try await owner(of: try await slot(of: queue.shard(number)))) }
    return owners
  }

  private func id(of node: RedisNode) -> String { ids[nodes.firstIndex { $0 === node }!] }

  /// Marks a slot as on its way, and moves nothing yet.
  package func beginMove(of slot: Int, from old: RedisNode, to new: RedisNode) async throws {
    try await new.run("CLUSTER", "SETSLOT", "\(slot)", "IMPORTING", id(of: old))
    try await old.run("CLUSTER", "SETSLOT", "\(slot)", "MIGRATING", id(of: new))
  }

  package func move(_ keys: [String], from old: RedisNode, to new: RedisNode) async throws {
    let words = ["MIGRATE", new.host, "\(new.port)", "", "0", "5000", "KEYS"] + keys
    _ = try await old.connection().run(RedisCommand(words: words))
  }

  package func endMove(of slot: Int, from old: RedisNode, to new: RedisNode) async throws {
    // The new owner first, as redis-cli does: the old one must not give it up to nobody.
    for node in [new, old] + (try await others(than: old)).filter({ $0 !== new }) {
      try await node.run("CLUSTER", "SETSLOT", "\(slot)", "NODE", id(of: new))
    }
  }

  /// The masters but this one.
  package func others(than master: RedisNode) async throws -> [RedisNode] {
    var masters: [RedisNode] = []
    for node in nodes where node.isRunning && node !== master {
      if try await node.run("ROLE").array?.first?.string == "master" { masters.append(node) }
    }
    return masters
  }

  /// Moves a slot with all its keys, as redis-cli does.
  package func move(_ slot: Int, to new: RedisNode) async throws {
    let old = try await owner(of: slot)
    if old === new { return }
    try await beginMove(of: slot, from: old, to: new)
    while true {
      let keys = (try await old.run("CLUSTER", "GETKEYSINSLOT", "\(slot)", "100").array ?? []).compactMap(\.string)
      if keys.isEmpty { break }
      try await move(keys, from: old, to: new)
    }
    try await endMove(of: slot, from: old, to: new)
  }

  /// The replica of a master, or the other way round.
  package func partner(of node: RedisNode) -> RedisNode {
    let index = nodes.firstIndex { $0 === node }!
    return nodes[(index + masters) % nodes.count]
  }
}
