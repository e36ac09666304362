import RedisClient

/// One queue on one connection: the list that producers push to, and all that keeps its messages safe.
///
/// Each verb has its own Swift file and, where it takes more than one Redis command, its own script in Scripts/.
package struct MessageQueue: Sendable {
  /// The most bytes of messages that one call moves, or hands out, unless a single message has more: some milliseconds of
  /// Redis' time, and no burden to whoever is handed them.
  package static let mostBytesPerCall = 1 << 20
  /// The largest payload that is pushed, and that workers take, unless they are told otherwise: 256 KiB. A text of 255 parts,
  /// which is 17,085 characters, takes 100 KiB with each of them escaped.
  package static let defaultMaxPayload = 256 << 10

  package let name: QueueName
  package let keys: QueueKeys
  /// Which shard of a queue this is; 0 for the first one, and for a queue that has no others.
  package let shard: Int
  package let connection: RedisConnection

  /// Where this shard keeps over how many shards pushes are spread. A push to a shard by its own name, as if it were a queue by
  /// itself, looks at another key, which is not there: it is as good as a plain LPUSH.
  var spreadKey: String { shard == 0 ? keys.spread : keys.shard }

  package init(_ name: QueueName, on connection: RedisConnection, shard: Int = 0) {
    self.name = name
    self.shard = shard
    self.keys = QueueKeys(name)
    self.connection = connection
  }
}

extension RedisScript {
  static let enqueue = RedisScript(name: "enqueue", source: PackageResources.enqueue_lua)
  static let claim = RedisScript(name: "claim", source: PackageResources.claim_lua)
  static let settle = RedisScript(name: "settle", source: PackageResources.settle_lua)
  static let limit = RedisScript(name: "limit", source: PackageResources.limit_lua)
  static let drop = RedisScript(name: "drop", source: PackageResources.drop_lua)
  static let join = RedisScript(name: "join", source: PackageResources.join_lua)
  static let renew = RedisScript(name: "renew", source: PackageResources.renew_lua)
  static let fence = RedisScript(name: "fence", source: PackageResources.fence_lua)
  static let reconcile = RedisScript(name: "reconcile", source: PackageResources.reconcile_lua)
  static let leave = RedisScript(name: "leave", source: PackageResources.leave_lua)
  static let revive = RedisScript(name: "revive", source: PackageResources.revive_lua)
  static let remove = RedisScript(name: "remove", source: PackageResources.remove_lua)
  static let letters = RedisScript(name: "letters", source: PackageResources.letters_lua)
  static let peek = RedisScript(name: "peek", source: PackageResources.peek_lua)
  static let take = RedisScript(name: "take", source: PackageResources.take_lua)
  static let arrive = RedisScript(name: "arrive", source: PackageResources.arrive_lua)
  static let depart = RedisScript(name: "depart", source: PackageResources.depart_lua)
  static let find = RedisScript(name: "find", source: PackageResources.find_lua)
  static let audit = RedisScript(name: "audit", source: PackageResources.audit_lua)
  static let reshard = RedisScript(name: "reshard", source: PackageResources.reshard_lua)
  static let spread = RedisScript(name: "spread", source: PackageResources.spread_lua)
  static let inspect = RedisScript(name: "inspect", source: PackageResources.inspect_lua)
}

extension RedisReply {
  /// The elements, where the reply is an array of at least so many; an error that names the script otherwise.
  func elements(_ atLeast: Int, of script: RedisScript) throws(RedisError) -> [RedisReply] {
    if case .error(let error) = self { throw error }
    guard let array, array.count >= atLeast else {
      throw RedisError(code: .unexpectedReply, message: "script \(script.name) answered \(shape)")
    }
    return array
  }
}
