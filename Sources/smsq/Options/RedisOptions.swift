import ArgumentParser
import MessageQueue
import RedisClient

struct RedisOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where Redis is: redis://[user:pass@]host:port/db or unix:///path.",
      valueName: "url"
    )
  )
  var redis = RedisEndpoint.local

  /// One connection for a command that runs once: it fails within seconds, so that scripts do not hang.
  func connection() -> RedisConnection {
    RedisConnection(to: redis, options: .init(name: "smsq-cli", connectTimeout: .seconds(3), replyTimeout: .seconds(5)))
  }
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

extension RedisEndpoint {
  static let local = RedisEndpoint(host: "127.0.0.1")
}

extension RedisEndpoint: ExplainedArgument {
  init(explaining argument: String) throws {
    do {
      try self.init(argument)
    } catch {
      // The URL may hold a password: what is wrong with it is said, the URL is not repeated.
      throw ValidationError("The Redis URL cannot be used: \(error). Write redis://host:6379/0 or unix:///path.")
    }
  }

  var argument: String { description }
}
