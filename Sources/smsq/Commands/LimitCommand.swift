import ArgumentParser
import MessageQueue
import RedisClient
import Reports

struct LimitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limit",
    abstract: "Limit how many messages of a queue are sent in a time, or show the limit.",
    discussion: """
      All workers of all hosts keep to it together, from the next message on, and evenly: no more than a tenth of a second's \
      messages at once, and at least one. It stays until it is taken away.

        smsq limit --queue sms 100/s
        smsq limit --queue sms 5/10m
        smsq limit --queue sms none
        smsq limit --queue sms

      Each try counts, retries too. Each shard of a sharded queue gets an equal part.
      """
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption

  @Argument(
    help: ArgumentHelp(
      "A number and a time, as 100/s, 10/m, 500/h or 5/10m; none for no limit. (default: show what it is)",
      valueName: "rate"
    ),
    transform: { try Wanted(explaining: $0) }
  )
  var wanted: Wanted?

  @Flag(help: "Write the result as one JSON object.")
  var json = false

  enum Wanted: Equatable {
    case none
    case rate(Rate)

    init(explaining argument: String) throws {
      self = argument == "none" ? .none : .rate(try Rate(explaining: argument))
    }
  }

  /// The object that --json writes. `limit` is always there, null for none.
  private struct Result: Encodable {
    let queue: String
    let limit: String?

    private enum CodingKeys: CodingKey { case queue, limit }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(queue, forKey: .queue)
      try container.encode(limit, forKey: .limit)
    }
  }

  func run() async throws {
    let queue = redis.queue(queueOption.queue)
    let rate: Rate?
    do {
      switch wanted {
      case nil: rate = try await queue.limit()
      case .some(.none): rate = nil
      case .rate(let wanted): rate = wanted
      }
      if wanted != nil { try await queue.setLimit(rate) }
    } catch {
      throw Failure(error, outcome: "the limit is as it was")
    }
    let text = rate.map { "queue \(queue.name) is limited to \($0.notation)" } ?? "queue \(queue.name) has no limit"
    let result = json ? try JSONLine.encode(Result(queue: "\(queue.name)", limit: rate?.notation)) : text
    try Terminal.print(result, done: wanted == nil ? nil : text)
  }
}
