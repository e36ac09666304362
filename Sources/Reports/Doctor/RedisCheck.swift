import MessageQueue
import RedisClient
import Wire

/// What there is to say of the Redis server as a whole.
struct RedisCheck {
  let connection: RedisConnection
  /// Any queue: Redis' clock is read through one.
  let queue: MessageQueue
  let replicas: Int

  /// - Throws: ``RedisError`` where Redis cannot be reached or is not ready; what it refuses is a finding.
  func findings() async throws(RedisError) -> [Finding] {
    var findings: [Finding] = []
    do throws(RedisError) {
      // The first call connects, which takes its time.
      _ = try await queue.now()
      findings.append(await found())
      let before = Timestamp.now()
      let redis = try await queue.now()
      findings.append(Self.clock(before: before, redis: redis, after: Timestamp.now()))
      if let tls = connection.endpoint.tls {
        findings.append(TLSCheck.finding(tls, await connection.certificateSpan, now: Timestamp.now()))
      }
    } catch {
      if error.isAbsence { throw error }
      // Without TLS it has not been asked yet.
      let opening = if case .tls = error.cause { "" } else { "refuses: " }
      return [Finding("redis", .problem, "\(opening)\(error)", hint: error.cause.advice)]
    }

    do throws(RedisError) {
      let info = try await connection.info()
      let settings = try await connection.settings("appendfsync", "min-replicas-to-write")
      findings += RedisSafety.findings(info, settings: settings, replicas: replicas)
      findings += try await topology(info, settings)
    } catch {
      if error.isAbsence { throw error }
      let hint = "version, role, eviction, append-only file and replicas are not checked; ACL SETUSER ... +info"
      let found = error.cause == .noRight ? "not permitted" : "refused: \(error)"
      findings.append(Finding("info", .warning, found, hint: hint))
    }
    return findings
  }

  /// Where it is, as far as that had to be found out.
  private func found() async -> Finding {
    let address = await connection.found.map { " at \($0)" } ?? ""
    return Finding("redis", .ok, "\(connection.endpoint)\(address)")
  }

  /// What there is to say of sentinels, or of a cluster.
  private func topology(_ info: RedisInfo, _ settings: [String: String]?) async throws(RedisError) -> [Finding] {
    switch connection.endpoint.place {
    case .server: return []
    case .sentinels(_, let master):
      // With a number of replicas that are wanted, all that is said already.
      let ofMaster = replicas > 0 ? nil : settings
      let reports = await connection.sentinelReports()
      return SentinelSafety.findings(reports, master: master, info: info, settings: ofMaster)
    case .cluster:
      do throws(RedisError) {
        let cluster = try await connection.clusterInfo()
        let ofCluster = try await connection.settings("cluster-require-full-coverage")
        return ClusterSafety.findings(cluster, info: info, settings: ofCluster)
      } catch {
        guard error.cause == .noRight else { throw error }
        return [Finding("cluster", .warning, "not permitted", hint: "its state is not checked; ACL: +cluster|info")]
      }
    }
  }

  /// - Parameters: this host's clock before and after Redis' was read, all in Unix ms. What lies between may be the way.
  static func clock(before: Int64, redis: Int64, after: Int64) -> Finding {
    let skew = Duration.milliseconds(max(redis - after, before - redis, 0))
    let found =
      skew == .zero ? "as this host's" : "\(skew.notation) \(redis > after ? "ahead of" : "behind") this host's"
    if skew <= .seconds(1) { return Finding("clock", .ok, found) }
    // Leases and due times are safe: Redis' clock alone decides them.
    let hint = "times that producers give, such as expires_at, are off by that; run an NTP client on both hosts"
    return Finding("clock", .warning, found, hint: hint)
  }
}

extension RedisError {
  /// Redis is not there, or not ready; anything else is an answer.
  var isAbsence: Bool { treatment == .reconnect || treatment == .wait }
}
