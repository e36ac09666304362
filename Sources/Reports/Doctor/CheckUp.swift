import MessageQueue
import RedisClient

/// What there is to say of a Redis and of queues on it.
package struct CheckUp: Sendable {
  package private(set) var findings: [Finding] = []
  /// Why Redis could not be asked, or not to the end; nil where it could. It is among the findings, too.
  package private(set) var absence: RedisError?

  /// - Parameters:
  ///   - queues: at least one.
  ///   - replicas: how many Redis should have online.
  package init(of queues: [ShardedQueue], replicas: Int) async {
    // Of a cluster, the node that has the queue is what there is to be said of, and not the one that the URL names.
    let connection = queues[0].first.connection
    do throws(RedisError) {
      let redis = RedisCheck(connection: connection, queue: queues[0].first, replicas: replicas)
      findings += try await redis.findings()
      // Whoever may not log in would only hear the same of each queue.
      let isRefused = findings.contains { $0.check == "redis" && $0.level == .problem }
      for queue in isRefused ? [] : queues { findings += try await ShardCheck.findings(queue) }
      if !isRefused, case .cluster = connection.endpoint.place {
        findings += await Self.furtherNodes(queues, replicas: replicas)
      }
    } catch {
      absence = error
      findings.append(Finding("redis", .problem, "\(error)", hint: error.cause.advice))
      // Sentinels may be there where no master is.
      if case .sentinels(_, let master) = connection.endpoint.place {
        let reports = await connection.sentinelReports()
        findings += SentinelSafety.findings(reports, master: master, info: nil, settings: nil)
      }
    }
  }

  /// What is wrong with the other nodes of a cluster that have these queues, or shards of them.
  private static func furtherNodes(_ queues: [ShardedQueue], replicas: Int) async -> [Finding] {
    var findings: [Finding] = []
    var known: Set<RedisEndpoint.Address> = []
    for queue in queues {
      // What cannot be asked has been said of its shard.
      for shard in (try? await queue.shards()) ?? [] {
        guard let node = await shard.connection.found, known.insert(node).inserted, known.count > 1 else { continue }
        let check = RedisCheck(connection: shard.connection, queue: shard, replicas: replicas)
        for finding in (try? await check.findings()) ?? [] where finding.level > .ok && finding.check != "cluster" {
          findings.append(Finding("\(node) \(finding.check)", finding.level, finding.found, hint: finding.hint))
        }
      }
    }
    return findings
  }
}
