extension RedisError {
  /// What is the matter, as far as a person must be told something else about it, or a program do something else.
  package enum Cause: Sendable, Equatable {
    // No answer.
    case unreachable, hungUp
    /// Cut short by ourselves.
    case interrupted
    /// There is no TLS with it.
    case tls(TLSFault)
    // Another program answers, or another one than is meant.
    case httpServer, tlsServer, sshServer, otherServer, sentinel, notSentinel, clusterNode, replica
    // Sentinels answer, and do not lead to a server.
    case unknownMaster, sentinelLogin
    // Redis cannot now.
    case notReady, noMaster, slotMoving, noClusterYet, tooManyClients, full, unwritable
    // Redis does not let us in, or not do this.
    case badLogin, noLoginWanted, noUsers, protectedMode, noDatabase, noRight
    // Redis does not do this.
    case unknownCommand, wrongType, other
  }

  package var cause: Cause {
    switch code {
    case .disconnected, .timedOut: return .unreachable
    case .hungUp: return .hungUp
    case .interrupted: return .interrupted
    case .notRedis: return Cause(answer: message)
    case .sentinel: return .sentinel
    case .notSentinel: return .notSentinel
    case .unknownMaster: return .unknownMaster
    case .sentinelRefused: return .sentinelLogin
    case .noMaster: return .noMaster
    case .moving: return .slotMoving
    default: if let fault = code.tlsFault { return .tls(fault) }
    }
    switch code.rawValue {
    case "LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN": return .notReady
    case "CLUSTERDOWN": return .noClusterYet
    case "READONLY": return .replica
    // A blocked client is sent away when its server has become a replica, or by hand: the next connection tells.
    case "UNBLOCKED": return .unreachable
    case "OOM": return .full
    case "MISCONF", "NOREPLICAS": return .unwritable
    case "NOAUTH", "WRONGPASS": return .badLogin
    case "DENIED": return .protectedMode
    case "NOPERM": return .noRight
    case "MOVED", "ASK", "CROSSSLOT": return .clusterNode
    case "WRONGTYPE": return .wrongType
    case "ERR": return Cause(refusal: message)
    default: return .other
    }
  }
}

extension RedisError.Cause: CaseIterable {
  package static let allCases: [Self] =
    [
      .unreachable, .hungUp, .interrupted, .httpServer, .tlsServer, .sshServer, .otherServer, .sentinel, .notSentinel,
      .clusterNode, .replica, .unknownMaster, .sentinelLogin, .notReady, .noMaster, .slotMoving, .noClusterYet,
      .tooManyClients, .full, .unwritable, .badLogin, .noLoginWanted, .noUsers,
      .protectedMode, .noDatabase, .noRight, .unknownCommand, .wrongType, .other,
    ] + TLSFault.allCases.map(Self.tls)
}

extension RedisError.Cause {
  /// Of an error that has no word of its own. Redis' texts differ from version to version, and those of proxies more.
  fileprivate init(refusal message: String) {
    let text = message.lowercased()
    let signs: [(String, Self)] = [
      ("max number of clients", .tooManyClients),
      ("db index", .noDatabase),
      ("select is not allowed", .noDatabase),
      ("without any password configured", .noLoginWanted),
      ("no password is set", .noLoginWanted),
      ("invalid password", .badLogin),
      ("for 'auth' command", .noUsers),
      // Of a command inside a script: Redis 6 and 7.0, and those after it.
      ("user executing the script can't", .noRight),
      ("acl failure in", .noRight),
      ("unknown command", .unknownCommand),
      ("unknown redis command", .unknownCommand),
      ("unsupported command", .unknownCommand),
      // A script found a key of its slot on another node: the slot is on its way.
      ("non local key", .notReady),
    ]
    self = signs.first { text.contains($0.0) }?.1 ?? .other
  }

  /// Of an answer that is not Redis'. hiredis says its first byte and keeps no more of it.
  fileprivate init(answer message: String) {
    let signs: [(String, Self)] = [
      (#"got "H""#, .httpServer), (#"got "<""#, .httpServer), (#"got "S""#, .sshServer), (#"got "\x15""#, .tlsServer),
    ]
    self = signs.first { message.contains($0.0) }?.1 ?? .otherServer
  }

  package var treatment: RedisError.Treatment {
    switch self {
    case .unreachable, .hungUp, .interrupted, .httpServer, .tlsServer, .sshServer, .otherServer, .replica, .noMaster,
      .slotMoving, .tooManyClients:
      .reconnect
    case .tls(let fault): fault.treatment
    case .notReady, .noClusterYet: .wait
    case .full: .full
    case .unwritable: .unwritable
    case .sentinel, .notSentinel, .unknownMaster, .sentinelLogin, .badLogin, .noLoginWanted, .noUsers, .protectedMode,
      .noDatabase, .noRight:
      .denied
    case .clusterNode, .unknownCommand, .wrongType, .other: .refused
    }
  }

  /// What to do, where Redis' own words do not tell; it is said wherever the error is.
  package var remedy: String? {
    switch self {
    case .httpServer: "that seems to be an HTTP server; give the port of a Redis, which is 6379 as a rule"
    case .tlsServer: "that port wants TLS: write rediss://"
    case .tls(let fault): fault.remedy
    case .sshServer: "that seems to be an SSH server; give the port of a Redis, which is 6379 as a rule"
    case .otherServer: "that is another kind of server; give the port of a Redis, which is 6379 as a rule"
    case .sentinel:
      "write redis+sentinel://, or rediss+sentinel:// for TLS, and, behind the host, the name of the master, as in "
        + "redis+sentinel://host:26379/mymaster"
    case .notSentinel: "give the ports of the sentinels, which are 26379 as a rule; a server alone is redis://host:6379"
    case .unknownMaster: "write one of those behind the hosts: redis+sentinel://h1,h2,h3/mymaster"
    case .sentinelLogin: "sentinels have a login of their own: --sentinel-user, and SMSQ_SENTINEL_PASSWORD"
    case .clusterNode:
      "this is one node of a Redis Cluster; write redis+cluster:// in place of redis://, or rediss+cluster:// for TLS"
    case .replica: "this is a replica, which takes no writes; give the master's address"
    case .noClusterYet: "its cluster is not set up, or has lost a part"
    case .tooManyClients: "raise its maxclients, or end what keeps so many connections open: redis-cli CLIENT LIST"
    case .noLoginWanted: "this Redis has no password; leave it out of the URL"
    case .noUsers: "this Redis is older than 6.0 and has no users; write :password@, and give smsq a newer one"
    case .noDatabase: "this Redis has no such database; write another number, /0 as a rule"
    case .unknownCommand: "smsq needs a Redis 6.0 or newer, with scripts, and no proxy that leaves commands out"
    case .protectedMode: "set a password for it, or bind it to where smsq is"
    case .unreachable, .hungUp, .interrupted, .notReady, .noMaster, .slotMoving, .full, .unwritable, .badLogin,
      .noRight, .wrongType, .other:
      nil
    }
  }
}
