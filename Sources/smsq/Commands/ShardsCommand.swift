import ArgumentParser
import MessageQueue
import RedisClient

struct ShardsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shards",
    abstract: "Show how many shards a queue has, or give it another number of them.",
    discussion: """
      A queue of 8 shards is 8 lists, sms, sms.1, ... sms.7, which smsq treats as one: push spreads messages over them, workers \
      serve all of them. On a Redis Cluster they lie on different nodes.

        smsq shards --queue sms
        smsq shards --queue sms 8

      Workers and producers go on meanwhile. With more shards it waits for the workers to serve them, one --lease at most, and \
      then has messages pushed there. With fewer it has no more messages pushed to the last ones and waits until they are \
      empty, those scheduled for later included. It may be interrupted: repeat it, to go on, or give another number.

      Messages are in order within a shard. An id that was pushed before the number changed may be accepted once more after it.
      """
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption

  @Argument(help: ArgumentHelp("How many shards it is to have, 1 to \(Spread.mostShards).", valueName: "number"))
  var number: Int?

  @Option(
    help: ArgumentHelp(
      "How long to wait for the last shards to become empty. (default: as long as it takes)",
      valueName: "time"
    )
  )
  var wait: Duration?

  @Flag(help: "Write the result as one JSON object.")
  var json = false

  func validate() throws {
    if let number, !(1...Spread.mostShards).contains(number) {
      throw ValidationError(
        "\(number) shards: write 1 to \(Spread.mostShards). Each of them takes four connections of every worker."
      )
    }
    if wait != nil && number == nil {
      throw ValidationError("--wait is for a change: write the number of shards, too.")
    }
  }

  func run() async throws {
    let queue = redis.queue(queueOption.queue)
    do {
      guard let number else { return try show(try await queue.first.shardNumbers()) }
      let progress = ShardProgress(queueOption.queue)
      let outcome = try await Resharding(queue, to: number, patience: wait) { progress.note($0) }.run()
      try show(outcome.numbers, done: "queue \(queue.name) has \(number) shards now")
      if !outcome.late.isEmpty {
        Terminal.note(
          "not serving all of them yet: \(outcome.late.joined(separator: ", ")); see those workers' logs".printable
        )
      }
      for stray in outcome.strays {
        Terminal.note("somebody pushes to \(stray) by that name, where no worker of \(queue.name) looks any more")
      }
    } catch let refusal as Resharding.Refusal {
      throw failure(refusal)
    } catch let error as RedisError {
      let again = number.map { "; repeat smsq shards --queue \(queue.name) \($0) when that is mended" } ?? ""
      let failure = Failure(error, outcome: "the change is not complete")
      throw Failure(failure.description + again, failure.code)
    }
  }

  private struct Result: Encodable {
    let queue: String
    /// The number, or, on the way from one to another, the greater one.
    let shards: Int
    let served: Int
    let spread: Int
    let isChanging: Bool
    let names: [String]
  }

  private func show(_ numbers: ShardNumbers, done: String? = nil) throws {
    let names = (0..<numbers.all).map { queueOption.queue.shard($0).description }
    let result = Result(
      queue: queueOption.queue.description,
      shards: numbers.all,
      served: numbers.served,
      spread: numbers.spread.shards,
      isChanging: numbers.isChanging,
      names: names
    )
    try Terminal.print(json ? JSONLine.encode(result) : text(numbers, names), done: done)
  }

  private func text(_ numbers: ShardNumbers, _ names: [String]) -> String {
    let queue = queueOption.queue
    if numbers.isChanging {
      return "queue \(queue) is on its way: workers serve \(numbers.served) shards, pushes are spread over "
        + "\(numbers.spread.shards); where no smsq shards is running, repeat the one that was interrupted"
    }
    switch names.count {
    case 1: return "queue \(queue) has 1 shard, its list \(names[0])"
    case 2...3: return "queue \(queue) has \(names.count) shards: \(names.joined(separator: ", "))"
    default: return "queue \(queue) has \(names.count) shards: \(names[0]), \(names[1]) to \(names[names.count - 1])"
    }
  }

  private func failure(_ refusal: Resharding.Refusal) -> Failure {
    let queue = queueOption.queue
    let again = "repeat smsq shards --queue \(queue) \(number ?? 1)"
    func list(_ names: [QueueName]) -> String { names.map(\.description).joined(separator: ", ") }
    switch refusal {
    case .isShard(let other):
      return Failure("\(queue) is, or was, a shard of queue \(other), and can have none of its own", .usage)
    case .nameTooLong:
      return Failure(
        "\(queue.shard((number ?? 1) - 1)) would be longer than a queue's name may be, 64 characters",
        .usage
      )
    case .isQueue(let name, let sign):
      return Failure(
        "\(name) is a queue by itself: it has \(sign); nothing was changed. Give fewer shards, or that queue another name",
        .config
      )
    case .deadLetters(let names, let count, let isUnchanged):
      let state = isUnchanged ? "nothing was changed" : "nothing is pushed there any more, and workers still serve them"
      return Failure(
        "\(count) dead letters are in \(list(names)), which would be no more; \(state). Retry or remove them "
          + "(smsq dead retry --queue \(names[0]) --all), then \(again)",
        .tempFail
      )
    case .notServed(let name):
      return Failure(
        "no worker serves \(name) within a lease, so nothing is pushed there yet: are they older than this smsq, or kept "
          + "from it by rights or a node that is gone? See their logs, then \(again)",
        .tempFail
      )
    case .notEmpty(let names, let count):
      return Failure(
        "\(count) messages are left in \(list(names)); nothing is pushed there any more, and workers send them. Later, \(again)",
        .tempFail
      )
    case .changed(let numbers):
      return Failure(
        "somebody else has changed the shards of queue \(queue) meanwhile, to \(numbers.spread.shards); see smsq shards --queue \(queue)",
        .tempFail
      )
    }
  }
}
