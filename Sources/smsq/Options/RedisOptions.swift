import ArgumentParser
import MessageQueue
import RedisClient

struct RedisOptions: ParsableArguments {
  // A String, read in validate(): what ArgumentParser says of a value that it could not read repeats the value, and this
  // one may hold a password.
  @Option(
    name: .customLong("redis"),
    help: ArgumentHelp(
      "Where Redis is: redis://[user:pass@]host:port/db or unix:///path?db=0.",
      valueName: "url"
    )
  )
  var url = standardURL

  static let standardURL = "redis://127.0.0.1:6379/0"

  func validate() throws {
    do {
      _ = try RedisEndpoint(url)
    } catch {
      throw ValidationError(
        "The Redis URL that --redis gives cannot be used: \(error). Write redis://host:6379/0 or unix:///path."
      )
    }
  }

  var endpoint: RedisEndpoint {
    guard let endpoint = try? RedisEndpoint(url) else { preconditionFailure("validate() has let a bad URL through") }
    return endpoint
  }

  /// One connection for a command that runs once, to where a queue is: it fails within seconds, so that scripts do not hang.
  func connection(for queue: QueueName) -> RedisConnection {
    RedisConnection(
      to: endpoint,
      options: .init(name: "smsq-cli", connectTimeout: .seconds(3), replyTimeout: .seconds(5))
    )
  }

  /// A queue with all of its shards, and a connection to each that is used: on a cluster they lie on different nodes.
  func queue(_ name: QueueName) -> ShardedQueue { ShardedQueue(name) { connection(for: $0) } }
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
