import ArgumentParser
import MessageQueue
import RedisClient

struct RedisOptions: ParsableArguments {
  // A String, read in validate(): what ArgumentParser says of a value that it could not read repeats the value, and this
  // one may hold a password.
  @Option(
    name: .customLong("redis"),
    help: ArgumentHelp(
      "Where Redis is: redis://[user:pass@]host:port/db or unix:///path?db=0; redis+sentinel://h1,h2,h3/mymaster/db; redis+cluster://h1,h2; rediss... for TLS.",
      valueName: "url"
    )
  )
  var url = standardURL

  @OptionGroup var tls: TLSOptions

  @Option(help: ArgumentHelp("The user that the sentinels know, where they want one.", valueName: "name"))
  var sentinelUser: String?

  @Option(
    help: ArgumentHelp(
      "The sentinels' password, which is not their servers'. Everybody on this host sees it here; give it by SMSQ_SENTINEL_PASSWORD.",
      valueName: "password"
    )
  )
  var sentinelPassword: String?

  static let standardURL = "redis://127.0.0.1:6379/0"

  func validate() throws {
    let endpoint: RedisEndpoint
    do {
      endpoint = try RedisEndpoint(url)
    } catch {
      throw ValidationError(
        "The Redis URL that --redis gives cannot be used: \(error). Write redis://host:6379/0 or unix:///path."
      )
    }
    if endpoint.tls == nil, let option = tls.first {
      throw ValidationError("\(option) is about TLS, and --redis is \(endpoint): write rediss:// for TLS.")
    }
    try validateSentinelLogin(endpoint)
  }

  private func validateSentinelLogin(_ endpoint: RedisEndpoint) throws {
    let given = sentinelPassword.map { _ in "--sentinel-password" } ?? sentinelUser.map { _ in "--sentinel-user" }
    guard let given else { return }
    guard case .sentinels = endpoint.place else {
      throw ValidationError("\(given) is for sentinels, and --redis names none: \(endpoint).")
    }
    if sentinelPassword == nil {
      throw ValidationError("--sentinel-user needs a password; give it by SMSQ_SENTINEL_PASSWORD.")
    }
  }

  var endpoint: RedisEndpoint {
    guard var endpoint = try? RedisEndpoint(url) else { preconditionFailure("validate() has let a bad URL through") }
    if endpoint.tls != nil { endpoint.tls = tls.tls }
    endpoint.sentinelUser = sentinelUser
    endpoint.sentinelPassword = sentinelPassword
    return endpoint
  }

  var isCluster: Bool { if case .cluster = endpoint.place { true } else { false } }

  /// Reads the files that TLS needs, so that what is wrong with them is said before anything is begun.
  func checkFiles() throws {
    do {
      try endpoint.tls?.check()
    } catch {
      throw Failure(error)
    }
  }

  /// One connection for a command that runs once, to where a queue is: it fails within seconds, so that scripts do not hang.
  ///
  /// - Parameter resolver: one for all connections of a command, so that the server is looked for once.
  private static func connection(for queue: QueueName, by resolver: RedisResolver) -> RedisConnection {
    RedisConnection(
      to: resolver.route(for: QueueKeys(queue).list),
      options: .init(
        name: "smsq-cli",
        connectTimeout: .seconds(3),
        replyTimeout: .seconds(5),
        // As long as a failover takes, where sentinels or nodes are set to notice a dead one within some seconds.
        settleTimeout: .seconds(5)
      )
    )
  }

  /// What makes connections to where a queue is, or a shard of it: on a cluster they lie on different nodes.
  var connect: @Sendable (QueueName) -> RedisConnection {
    let resolver = RedisResolver(endpoint)
    return { Self.connection(for: $0, by: resolver) }
  }

  /// A queue with all of its shards, and a connection to each that is used.
  func queue(_ name: QueueName) -> ShardedQueue { ShardedQueue(name, connect: connect) }

  func queues(_ names: [QueueName]) -> [ShardedQueue] { names.map { [connect] in ShardedQueue($0, connect: connect) } }
}

struct QueueOption: ParsableArguments {
  @Option(help: ArgumentHelp("The queue, which is the name of its Redis list.", valueName: "name"))
  var queue = QueueName.sms
}

struct QueuesOption: ParsableArguments {
  @Option(
    name: .customLong("queue"),
    help: ArgumentHelp("A queue; repeat it for several, the most urgent first. (default: sms)", valueName: "name"),
    transform: { try QueueName(explaining: $0) }
  )
  var given: [QueueName] = []

  /// Each queue once, in the order given.
  var queues: [QueueName] {
    var seen: Set<QueueName> = []
    return given.isEmpty ? [.sms] : given.filter { seen.insert($0).inserted }
  }
}

extension QueueName {
  static let sms = QueueName("sms")!
}

extension QueueName: ExplainedArgument {
  init(explaining argument: String) throws {
    guard let name = QueueName(argument) else {
      throw ValidationError("'\(argument)' is no queue name: write 1 to 64 letters, digits and any of _ - . :")
    }
    self = name
  }

  var argument: String { description }
}
