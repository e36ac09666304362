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
    let connection = queues[0].connection
    do throws(RedisError) {
      let redis = RedisCheck(connection: connection, queue: queues[0].first, replicas: replicas)
      findings += try await redis.findings()
      // Whoever may not log in would only hear the same of each queue.
      let isRefused = findings.contains { $0.check == "redis" && $0.level == .problem }
      for queue in isRefused ? [] : queues { findings += try await ShardCheck.findings(queue) }
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
}
