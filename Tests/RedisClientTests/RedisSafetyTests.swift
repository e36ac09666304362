import RedisClient
import TestSupport
import Testing

@Suite("Redis' settings")
struct RedisSafetyTests {
  /// A server with nothing to complain of; a field set to "" is left out.
  private func info(_ changes: [String: String] = [:]) -> RedisInfo {
    var fields = [
      "redis_version": "7.0.15", "role": "master", "maxmemory": "104857600", "maxmemory_policy": "noeviction",
      "used_memory": "1048576", "aof_enabled": "1", "aof_last_write_status": "ok", "rdb_last_bgsave_status": "ok",
    ]
    fields.merge(changes) { $1 }
    return RedisInfo("# Server\r\n\r\n" + fields.filter { $1 != "" }.map { "\($0):\($1)\r\n" }.joined())
  }

  private let settings = ["appendfsync": "always", "min-replicas-to-write": "0"]

  /// What is not as it should be: `level check`.
  private func complaints(_ changes: [String: String], _ settings: [String: String]?, replicas: Int = 0) -> [String] {
    RedisSafety.findings(info(changes), settings: settings, replicas: replicas)
      .filter { $0.level > .ok }.map { "\($0.level) \($0.check)" }
  }

  @Test("A well-kept server is ok in all there is to say of it")
  func ok() {
    let findings = RedisSafety.findings(info(), settings: settings)
    #expect(findings.allSatisfy { $0.level == .ok && $0.hint == nil })
    #expect(
      findings.map { "\($0.check): \($0.found)" } == [
        "version: Redis 7.0.15", "role: master", "maxmemory-policy: noeviction", "maxmemory: 1 % of 100 MiB used",
        "appendonly: yes", "appendfsync: always", "aof-write: the last write succeeded",
        "rdb-save: the last snapshot succeeded",
      ]
    )
  }

  @Test(
    "What INFO tells",
    arguments: [
      (["redis_version": "5.0.14"], ["problem version"]),
      (["redis_version": "6.0.0"], []),
      (["redis_version": "10.1"], []),
      (["redis_version": ""], ["warning version"]),
      (["redis_version": "4.0.0", "valkey_version": "8.0.1"], []),
      (["role": "slave", "master_host": "h", "master_port": "6379"], ["problem role"]),
      (["role": "sentinel"], ["warning role"]),
      (["maxmemory_policy": "allkeys-lru"], ["problem maxmemory-policy"]),
      (["maxmemory_policy": "allkeys-lru", "maxmemory": "0"], ["warning maxmemory-policy"]),
      (["maxmemory_policy": "volatile-ttl"], ["warning maxmemory-policy"]),
      (["maxmemory_policy": ""], ["warning maxmemory-policy"]),
      (["used_memory": "99614720"], ["warning maxmemory"]),
      (["used_memory": "99614720", "mem_not_counted_for_evict": "10485760"], []),
      (["maxmemory": "0", "used_memory": "99999999999"], []),
      (["used_memory": ""], ["warning maxmemory"]),
      (["aof_enabled": "0", "aof_last_write_status": "err"], ["warning appendonly"]),
      (["aof_enabled": ""], ["warning appendonly"]),
      (["aof_last_write_status": "err"], ["problem aof-write"]),
      (["rdb_last_bgsave_status": "err"], ["problem rdb-save"]),
      (["rdb_last_bgsave_status": ""], []),
    ] as [([String: String], [String])]
  )
  func fromInfo(changes: [String: String], expected: [String]) {
    #expect(complaints(changes, settings) == expected)
  }

  @Test(
    "What CONFIG tells, or does not",
    arguments: [
      (["appendfsync": "everysec"], []),
      (["appendfsync": "no"], ["warning appendfsync"]),
      (nil, ["warning appendfsync"]),
      ([:], ["warning appendfsync"]),
    ] as [([String: String]?, [String])]
  )
  func fromConfig(settings: [String: String]?, expected: [String]) {
    #expect(complaints([:], settings) == expected)
  }

  @Test("Replicas count when they are asked for, and are online")
  func replicas() {
    let two = [
      "connected_slaves": "2", "slave0": "ip=10.0.0.2,port=6379,state=online,offset=1,lag=0",
      "slave1": "ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0", "slave_repl_offset": "1",
    ]
    #expect(info(two).replicasOnline == 1)
    #expect(complaints(two, settings, replicas: 0) == [])
    #expect(complaints(two, settings, replicas: 1) == ["warning min-replicas-to-write"])
    #expect(complaints(two, ["appendfsync": "always", "min-replicas-to-write": "1"], replicas: 1) == [])
    #expect(complaints(two, settings, replicas: 2) == ["warning replicas", "warning min-replicas-to-write"])
  }

  @Test("A worker warns of what can lose messages, and of nothing else")
  func hazards() {
    func hazards(_ changes: [String: String], replicas: Int = 0) -> [String] {
      RedisSafety.hazards(info(changes), replicas: replicas).map(\.check)
    }
    #expect(hazards([:]) == [])
    #expect(hazards(["used_memory": "104857600", "redis_version": "5.0", "aof_last_write_status": "err"]) == [])
    #expect(hazards(["aof_enabled": "0", "maxmemory_policy": "allkeys-lru"]) == ["maxmemory-policy", "appendonly"])
    #expect(hazards([:], replicas: 1) == ["replicas"])
  }

  @Test("A real server says all that is looked for")
  func real() async throws {
    let server = try await RedisServer(appendOnly: true)
    let redis = server.connection()
    let settings = try await redis.settings("appendfsync", "min-replicas-to-write", "no-such-setting")
    #expect(settings == ["appendfsync": "always", "min-replicas-to-write": "0"])
    let findings = RedisSafety.findings(try await redis.info(), settings: settings)
    #expect(findings.count == 8)
    #expect(findings.allSatisfy { $0.level == .ok })
  }

  @Test("Where CONFIG is not permitted, INFO may be")
  func denied() async throws {
    let server = try await RedisServer()
    _ = try await server.connection().run(RedisCommand("ACL", "SETUSER", "default", "-config"))
    let redis = server.connection()
    #expect(try await redis.settings("appendfsync") == nil)
    #expect(RedisSafety.hazards(try await redis.info()).map(\.check) == ["appendonly"])
  }

  @Test("INFO is read line by line, whatever it contains")
  func parsing() {
    let info = RedisInfo("# Server\r\nredis_version:7\r\nexecutable:/a:b\r\n\r\nnonsense\r\nempty:\r\nn:12\n")
    #expect(info["redis_version"] == "7")
    #expect(info["executable"] == "/a:b")
    #expect(info["empty"] == "")
    #expect(info["nonsense"] == nil)
    #expect(info.number("n") == 12)
    #expect(RedisInfo("").replicasOnline == 0)
  }
}
