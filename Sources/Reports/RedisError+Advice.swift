import RedisClient

extension RedisError.Cause {
  /// What to do about it, besides what the error says itself.
  package var advice: String? {
    switch self {
    case .unreachable, .interrupted: "is it running, and is --redis (or SMSQ_REDIS) right?"
    case .hungUp:
      "is it running, and is --redis (or SMSQ_REDIS) right? A port that wants TLS hangs up like that, too: rediss://"
    case .tls(.hungUp):
      "is it running, and is --redis (or SMSQ_REDIS) right? A port that speaks no TLS hangs up like that, too: redis://"
    case .notReady, .slotMoving, .noClusterYet, .tooManyClients: "try again"
    case .noMaster: "try again: where its place is taken by a replica, that takes some seconds"
    case .badLogin: "give user and password as redis://user:password@host:port/db"
    case .noRight: "this user's ACL lacks something; docs/operations.md has the rules that it needs"
    case .wrongType: "is there a key of the queue's name that something else made?"
    case .httpServer, .tlsServer, .sshServer, .otherServer, .sentinel, .notSentinel, .unknownMaster, .sentinelLogin,
      .clusterNode, .replica, .full, .unwritable, .tls,
      .noLoginWanted, .noUsers, .protectedMode, .noDatabase, .unknownCommand, .other:
      nil
    }
  }
}
