/// What a Redis server's settings mean for the messages that it holds.
///
/// Pure functions of what the server says of itself. `smsq doctor` shows all of it, a worker warns of ``hazards``.
package enum RedisSafety {
  /// Whatever may lose messages that were acknowledged, as far as INFO tells: it is allowed where CONFIG is not.
  ///
  /// - Parameter replicas: how many are asked for.
  package static func hazards(_ info: RedisInfo, replicas: Int = 0) -> [Finding] {
    let findings = [eviction(info), appendOnly(info)] + (replicas > 0 ? [connected(info, replicas: replicas)] : [])
    return findings.filter { $0.level > .ok }
  }

  /// - Parameter settings: `appendfsync` and `min-replicas-to-write`; nil where CONFIG GET is not permitted.
  package static func findings(_ info: RedisInfo, settings: [String: String]?, replicas: Int = 0) -> [Finding] {
    var findings = [version(info), role(info), eviction(info), memory(info), appendOnly(info)]
    if info["aof_enabled"] == "1" { findings.append(fsync(settings)) }
    findings += [lastWrite(info), lastSave(info)].compactMap { $0 }
    if replicas > 0 { findings += [connected(info, replicas: replicas), minReplicas(settings, replicas: replicas)] }
    return findings
  }

  // MARK: What it is

  private static func version(_ info: RedisInfo) -> Finding {
    // Valkey reports the last Redis that it is compatible with as redis_version.
    if let valkey = info["valkey_version"] { return Finding("version", .ok, "Valkey \(valkey)") }
    guard let redis = info["redis_version"], let major = redis.split(separator: ".").first.flatMap({ Int($0) }) else {
      return Finding("version", .warning, "not told", hint: "smsq needs Redis 6.0 or newer, or Valkey")
    }
    if major >= 6 { return Finding("version", .ok, "Redis \(redis)") }
    return Finding("version", .problem, "Redis \(redis)", hint: "smsq needs Redis 6.0 or newer, or Valkey")
  }

  private static func role(_ info: RedisInfo) -> Finding {
    let role = info["role"] ?? "not told"
    if role != "slave" { return Finding("role", role == "master" ? .ok : .warning, role) }
    let master = "\(info["master_host"] ?? "?"):\(info["master_port"] ?? "?")"
    return Finding("role", .problem, "replica", hint: "it takes no writes; point --redis at its master, \(master)")
  }

  // MARK: Memory

  private static func eviction(_ info: RedisInfo) -> Finding {
    guard let policy = info["maxmemory_policy"] else {
      return Finding("maxmemory-policy", .warning, "not told", hint: "see that it is noeviction")
    }
    if policy == "noeviction" { return Finding("maxmemory-policy", .ok, policy) }
    let remedy = "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf"
    if policy.hasPrefix("volatile-") {
      let hint = "a full Redis forgets which ids it has seen, and takes a message twice; \(remedy)"
      return Finding("maxmemory-policy", .warning, policy, hint: hint)
    }
    return Finding(
      "maxmemory-policy",
      info.number("maxmemory") == 0 ? .warning : .problem,
      policy,
      hint: "a full Redis throws messages away; \(remedy)"
    )
  }

  private static func memory(_ info: RedisInfo) -> Finding {
    guard let used = info.number("used_memory"), let most = info.number("maxmemory") else {
      return Finding("maxmemory", .warning, "not told", hint: "see that there is memory left")
    }
    if most == 0 { return Finding("maxmemory", .ok, "no bound, \(used / 1_048_576) MiB used") }
    // Buffers for replicas and the append-only file do not count when Redis decides whether it is full.
    let percent = Int(
      (Double(used - (info.number("mem_not_counted_for_evict") ?? 0)) / Double(most) * 100).rounded(.down)
    )
    let found = "\(percent) % of \(most / 1_048_576) MiB used"
    let hint = "producers are refused when it is full; drain the queues, or raise maxmemory"
    return percent < 90 ? Finding("maxmemory", .ok, found) : Finding("maxmemory", .warning, found, hint: hint)
  }

  // MARK: Disk

  private static func appendOnly(_ info: RedisInfo) -> Finding {
    switch info["aof_enabled"] {
    case "1": Finding("appendonly", .ok, "yes")
    case nil: Finding("appendonly", .warning, "not told", hint: "see that it is yes")
    default:
      Finding(
        "appendonly",
        .warning,
        "no",
        hint: "a restart loses messages; CONFIG SET appendonly yes, and the same in redis.conf"
      )
    }
  }

  private static func fsync(_ settings: [String: String]?) -> Finding {
    guard let fsync = settings?["appendfsync"] else {
      return Finding("appendfsync", .warning, "not checked: CONFIG GET is not permitted", hint: "see that it is not no")
    }
    switch fsync {
    case "always": return Finding("appendfsync", .ok, fsync)
    case "everysec": return Finding("appendfsync", .ok, "everysec: a crash of the machine can lose about 1 s")
    default:
      let hint = "a crash of the machine can lose half a minute; CONFIG SET appendfsync everysec, or always"
      return Finding("appendfsync", .warning, fsync, hint: hint)
    }
  }

  private static func lastWrite(_ info: RedisInfo) -> Finding? {
    guard info["aof_enabled"] == "1", let status = info["aof_last_write_status"] else { return nil }
    if status == "ok" { return Finding("aof-write", .ok, "the last write succeeded") }
    let hint = "Redis refuses writes until it succeeds; see its log, and the space on its disk"
    return Finding("aof-write", .problem, "the last write to the append-only file failed", hint: hint)
  }

  private static func lastSave(_ info: RedisInfo) -> Finding? {
    guard let status = info["rdb_last_bgsave_status"] else { return nil }
    if status == "ok" { return Finding("rdb-save", .ok, "the last snapshot succeeded") }
    let hint =
      "Redis may refuse writes (stop-writes-on-bgsave-error); see its log, its disk, and its memory for the fork"
    return Finding("rdb-save", .problem, "the last snapshot failed", hint: hint)
  }

  // MARK: Replicas

  private static func connected(_ info: RedisInfo, replicas: Int) -> Finding {
    let found = "\(info.replicasOnline) of \(replicas) online"
    if info.replicasOnline >= replicas { return Finding("replicas", .ok, found) }
    return Finding("replicas", .warning, found, hint: "a failover now may lose messages; see to the replicas")
  }

  private static func minReplicas(_ settings: [String: String]?, replicas: Int) -> Finding {
    let check = "min-replicas-to-write"
    // Redis 4 and older say slaves; they are too old anyway.
    guard let value = settings?[check].flatMap({ Int($0) }) else {
      return Finding(check, .warning, "not checked: CONFIG GET is not permitted", hint: "see that it is \(replicas)")
    }
    if value >= replicas { return Finding(check, .ok, "\(value)") }
    let hint = "writes are acknowledged with fewer replicas than asked for; CONFIG SET \(check) \(replicas)"
    return Finding(check, .warning, "\(value)", hint: hint)
  }
}
