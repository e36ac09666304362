import Glibc

/// What one sentinel says of its master.
package struct SentinelReport: Sendable, Equatable {
  package let sentinel: RedisEndpoint.Address
  /// Why it says nothing.
  package var fault: RedisError?
  /// The fields of `SENTINEL MASTER`.
  package var master: [String: String] = [:]
  /// Its setting `resolve-hostnames`, `yes` or `no`; nil where it does not tell, as before 6.2.
  package var resolvesNames: String?

  package init(sentinel: RedisEndpoint.Address) { self.sentinel = sentinel }
}

extension RedisConnection {
  /// Where the connection leads to; nil before it is made, or where that is in the URL.
  package var found: RedisEndpoint.Address? { route.isFixed ? nil : address }

  /// Asks each sentinel for what it knows; empty where there are none.
  package func sentinelReports() -> [SentinelReport] {
    guard case .sentinels(let sentinels, let name) = endpoint.place else { return [] }
    return sentinels.map { sentinel in
      var report = SentinelReport(sentinel: sentinel)
      do throws(RedisError) {
        let line = try SentinelLine(to: sentinel, of: endpoint, as: options.name, socket: GuardedSocket())
        defer { line.stream.close() }
        let master = try line.run(RedisCommand("SENTINEL", "master", name))
        if case .error(let error) = master { throw error }
        report.master = master.pairs
        report.resolvesNames =
          try line.run(RedisCommand("SENTINEL", "config", "get", "resolve-hostnames")).pairs["resolve-hostnames"]
      } catch {
        report.fault = error
      }
      return report
    }
  }
}

extension RedisReply {
  /// A flat array of names and values.
  var pairs: [String: String] {
    let elements = array ?? []
    var pairs: [String: String] = [:]
    for index in stride(from: 0, to: elements.count - 1, by: 2) {
      if let name = elements[index].string { pairs[name] = elements[index + 1].string }
    }
    return pairs
  }
}

/// What the settings of sentinels mean for messages. Pure functions of what they say.
package enum SentinelSafety {
  /// With less a busy master is taken for dead: of 28 kills with 1 s on a busy host three ended with two masters or lost pushes, of 6
  /// with 3 s none.
  private static let leastDownAfter = Duration.seconds(3)

  /// - Parameters:
  ///   - info: of the master.
  ///   - settings: of the master, `min-replicas-to-write`; nil where CONFIG GET is not permitted.
  package static func findings(
    _ reports: [SentinelReport],
    master name: String,
    info: RedisInfo?,
    settings: [String: String]?
  ) -> [Finding] {
    var findings = reports.compactMap { report in
      report.fault.map { Finding("sentinel \(report.sentinel)", .warning, "says nothing: \($0)", hint: hint(for: $0)) }
    }
    let answered = reports.filter { $0.fault == nil }
    guard !answered.isEmpty else { return findings }
    findings += [count(answered, named: reports.count), downAfter(answered, name)]
    if settings?["min-replicas-to-write"] == "0" {
      let hint =
        "after a failover an old master that lives takes writes for some 10 s, and they are lost; "
        + "CONFIG SET min-replicas-to-write 1 and min-replicas-max-lag 1, and the same in redis.conf"
      findings.append(Finding("min-replicas-to-write", .warning, "0", hint: hint))
    }
    return findings + (names(answered, info).map { [$0] } ?? [])
  }

  private static func hint(for error: RedisError) -> String {
    error.treatment == .reconnect
      ? "is it running? While it is away it has no say in a failover" : "see its login and its ACL"
  }

  private static func count(_ answered: [SentinelReport], named: Int) -> Finding {
    let known = (answered.compactMap { Int($0.master["num-other-sentinels"] ?? "") }.max() ?? 0) + 1
    let found = "\(known), of which the URL names \(named)"
    if known < 3 {
      return Finding(
        "sentinels",
        .warning,
        found,
        hint: "where one of them is lost, nobody decides; run three, on three hosts"
      )
    }
    if named < known && named < 3 {
      return Finding("sentinels", .warning, found, hint: "name all in --redis: one alone may be away when it is asked")
    }
    return Finding("sentinels", .ok, found)
  }

  private static func downAfter(_ answered: [SentinelReport], _ name: String) -> Finding {
    let check = "down-after-milliseconds"
    guard let least = answered.compactMap({ Int($0.master[check] ?? "") }).min() else {
      return Finding(check, .warning, "not told", hint: "see that it is 3000 or more")
    }
    if .milliseconds(least) >= leastDownAfter { return Finding(check, .ok, "\(least)") }
    let hint =
      "a master that is only busy is taken for dead, and two may take writes; "
      + "at each sentinel: SENTINEL SET \(name) \(check) 3000"
    return Finding(check, .warning, "\(least)", hint: hint)
  }

  /// Sentinels that are not told to resolve names pass over replicas that are announced by one.
  private static func names(_ answered: [SentinelReport], _ info: RedisInfo?) -> Finding? {
    let hosts = (info?.replicaHosts ?? []) + answered.compactMap { $0.master["ip"] }
    guard let name = hosts.first(where: { !isAddress($0) }) else { return nil }
    let deaf = answered.filter { $0.resolvesNames == "no" }
    if deaf.isEmpty { return Finding("resolve-hostnames", .ok, "yes") }
    let hint = "they know of no replica that is announced by a name; in sentinel.conf: sentinel resolve-hostnames yes"
    return Finding("resolve-hostnames", .problem, "no, and \(name) is a name", hint: hint)
  }

  private static func isAddress(_ host: String) -> Bool {
    var (v4, v6) = (in_addr(), in6_addr())
    return inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1
  }
}

extension RedisInfo {
  /// The hosts of the replicas, as they are announced.
  fileprivate var replicaHosts: [String] {
    (0..<100).compactMap { self["slave\($0)"] }.compactMap { replica in
      replica.split(separator: ",").first { $0.hasPrefix("ip=") }.map { String($0.dropFirst(3)) }
    }
  }
}
