/// What the state and the settings of a Redis Cluster mean for messages. Pure functions of what a node says.
package enum ClusterSafety {
  /// - Parameters:
  ///   - cluster: the answer to CLUSTER INFO; nil where the server is none of a cluster.
  ///   - info: of the node that has the queue.
  ///   - settings: `cluster-require-full-coverage`; nil where CONFIG GET is not permitted.
  package static func findings(_ cluster: RedisInfo?, info: RedisInfo, settings: [String: String]?) -> [Finding] {
    guard let cluster else {
      let hint = "it works, and leads nowhere else; write redis:// in place of redis+cluster://"
      return [Finding("cluster", .warning, "this server is none of a cluster", hint: hint)]
    }
    return [state(cluster)] + coverage(settings) + [replicas(info)]
  }

  private static func state(_ cluster: RedisInfo) -> Finding {
    let found = "\(cluster["cluster_state"] ?? "not told"), masters \(cluster["cluster_size"] ?? "?")"
    if cluster["cluster_state"] == "ok" { return Finding("cluster", .ok, found) }
    let slots = cluster.number("cluster_slots_assigned").map { 16_384 - $0 } ?? 0
    let failed = cluster.number("cluster_slots_fail") ?? 0
    let hint = "slots without a node \(slots), with one that is lost \(failed); redis-cli --cluster check"
    return Finding("cluster", .problem, found, hint: hint)
  }

  private static func coverage(_ settings: [String: String]?) -> [Finding] {
    let check = "cluster-require-full-coverage"
    guard let value = settings?[check] else { return [] }
    if value == "no" { return [Finding(check, .ok, value)] }
    let hint = "while one node is lost the others' queues stop, too; CONFIG SET \(check) no at each node"
    return [Finding(check, .ok, value, hint: hint)]
  }

  private static func replicas(_ info: RedisInfo) -> Finding {
    let count = info.replicasOnline
    if count > 0 { return Finding("node replicas", .ok, "\(count) online") }
    let hint =
      "when it is lost, its queues stop, and what they hold is gone if its disk is; redis-cli --cluster add-node"
    return Finding("node replicas", .warning, "none online", hint: hint)
  }
}

extension RedisConnection {
  /// The answer to CLUSTER INFO; nil where the server is none of a cluster.
  package func clusterInfo() throws(RedisError) -> RedisInfo? {
    let reply = try run([RedisCommand("CLUSTER", "INFO")])[0]
    guard case .error(let error) = reply else { return RedisInfo(reply.string ?? "") }
    if error.message.contains("cluster support disabled") { return nil }
    throw error
  }
}
