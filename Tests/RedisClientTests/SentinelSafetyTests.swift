import RedisClient
import Testing

@Suite("SentinelSafety and ClusterSafety")
struct SentinelSafetyTests {
  private func reports(
    _ count: Int,
    others: Int? = nil,
    downAfter: String = "3000",
    ip: String = "10.0.0.7",
    resolves: String? = "no"
  ) -> [SentinelReport] {
    (1...count).map { number in
      var report = SentinelReport(sentinel: .tcp(host: "s\(number)", port: 26379))
      report.master = [
        "num-other-sentinels": "\(others ?? count - 1)", "down-after-milliseconds": downAfter, "ip": ip,
      ]
      report.resolvesNames = resolves
      return report
    }
  }

  private func findings(
    _ reports: [SentinelReport],
    replicas: String = "10.0.0.8",
    minReplicas: String? = "1"
  ) -> [String: Finding] {
    let info = RedisInfo("slave0:ip=\(replicas),port=6379,state=online,offset=1,lag=0")
    let settings = minReplicas.map { ["min-replicas-to-write": $0] }
    let all = SentinelSafety.findings(reports, master: "m", info: info, settings: settings)
    return Dictionary(uniqueKeysWithValues: all.map { ($0.check, $0) })
  }

  @Test("Three sentinels with patience, and a master that wants a replica, are well")
  func well() {
    let findings = findings(reports(3))
    #expect(findings.count == 2 && findings.values.allSatisfy { $0.level == .ok })
  }

  @Test("Each thing that can cost messages is named, with what to do")
  func warnings() {
    #expect(findings(reports(2))["sentinels"]?.level == .warning)
    #expect(findings(reports(1))["sentinels"]?.found == "1, of which the URL names 1")
    #expect(findings(reports(1, others: 4))["sentinels"]?.hint?.contains("name all") == true)
    #expect(findings(reports(3, downAfter: "2999"))["down-after-milliseconds"]?.level == .warning)
    #expect(findings(reports(3), minReplicas: "0")["min-replicas-to-write"]?.level == .warning)
    #expect(findings(reports(3), minReplicas: nil)["min-replicas-to-write"] == nil)
  }

  @Test("Names that the sentinels do not resolve are a problem, and addresses are not")
  func names() {
    #expect(findings(reports(3), replicas: "redis-2.local")["resolve-hostnames"]?.level == .problem)
    #expect(findings(reports(3, ip: "redis-1"), replicas: "::1")["resolve-hostnames"]?.level == .problem)
    #expect(findings(reports(3, resolves: "yes"), replicas: "redis-2")["resolve-hostnames"]?.level == .ok)
    #expect(findings(reports(3, resolves: nil), replicas: "redis-2")["resolve-hostnames"]?.level == .ok)
    #expect(findings(reports(3), replicas: "2001:db8::7")["resolve-hostnames"] == nil)
  }

  @Test("A sentinel that says nothing is named, and the others are heard")
  func silent() {
    var all = reports(3)
    all[1].fault = RedisError(code: .disconnected, message: "Connection refused")
    let findings = findings(all)
    #expect(findings["sentinel s2:26379"]?.level == .warning)
    #expect(findings["sentinels"]?.level == .ok)
    for index in all.indices { all[index].fault = RedisError(code: .disconnected, message: "Connection refused") }
    #expect(self.findings(all).count == 3)
  }

  @Test("The state of a cluster, what one lost node costs, and a node without a replica are named")
  func cluster() {
    func check(_ cluster: String?, _ info: String, _ coverage: String?) -> [String: Finding] {
      let all = ClusterSafety.findings(
        cluster.map { RedisInfo($0) },
        info: RedisInfo(info),
        settings: coverage.map { ["cluster-require-full-coverage": $0] }
      )
      return Dictionary(uniqueKeysWithValues: all.map { ($0.check, $0) })
    }
    let replica = "slave0:ip=10.0.0.8,port=1,state=online"
    let ok = "cluster_state:ok\ncluster_size:3\ncluster_slots_assigned:16384"
    #expect(check(ok, replica, "no").values.allSatisfy { $0.level == .ok && $0.hint == nil })
    #expect(check(ok, replica, "yes")["cluster-require-full-coverage"]?.hint?.contains("CONFIG SET") == true)
    #expect(check(ok, replica, nil)["cluster-require-full-coverage"] == nil)
    #expect(check(ok, "", "no")["node replicas"]?.level == .warning)
    let failed = check("cluster_state:fail\ncluster_slots_assigned:16380\ncluster_slots_fail:7", replica, nil)[
      "cluster"
    ]
    #expect(failed?.level == .problem && failed?.hint?.contains("without a node 4, with one that is lost 7") == true)
    #expect(check(nil, "", nil)["cluster"]?.level == .warning)
  }
}
