import ArgumentParser
import MessageQueue
import RedisClient

struct RedisOptions: ParsableArguments {
  // A String, read in validate(): what ArgumentParser says of a value that it could not read repeats the value, and this
  // one may hold a password.
  @Option(
    name: .customLong("redis"),
    help: ArgumentHelp(
      "Where Redis is: redis://[user:pass@]host:port/db, rediss:// for TLS, or unix:///path?db=0.",
      valueName: "url"
    )
  )
  var url = standardURL

  @OptionGroup var tls: TLSOptions

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
  }

  var endpoint: RedisEndpoint {
    guard var endpoint = try? RedisEndpoint(url) else { preconditionFailure("validate() has let a bad URL through") }
    if endpoint.tls != nil { endpoint.tls = tls.tls }
    return endpoint
  }

  /// Reads the files that TLS needs, so that what is wrong with them is said before anything is begun.
  func checkFiles() throws {
    do {
      try endpoint.tls?.check()
    } catch {
      throw Failure(error)
    }
  }

  /// One connection for a command that runs once: it fails within seconds, so that scripts do not hang.
  func connection() -> RedisConnection {
    RedisConnection(
      to: endpoint,
      options: .init(name: "smsq-cli", connectTimeout: .seconds(3), replyTimeout: .seconds(5))
    )
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
