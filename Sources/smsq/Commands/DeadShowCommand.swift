import ArgumentParser
import MessageQueue
import RedisClient
import Reports

struct DeadShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Show one dead letter whole, number and text included.",
    discussion: "Producers may give one id to several messages; then it shows each of them."
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption

  @Argument(help: ArgumentHelp("The message's id, as lists and logs show it.", valueName: "id"))
  var id: String

  @Flag(help: "Write one JSON object.")
  var json = false

  func run() async throws {
    let queue = MessageQueue(queueOption.queue, on: redis.connection(for: queueOption.queue))
    do {
      var search = try await DeadLetterSearch(DeadLetterFilter(ids: [id]), in: queue)
      var isFirst = true
      try await search.forEachPage { letters in
        for letter in letters {
          let view = DeadLetterView(letter, queue: queue.name)
          if !json && !isFirst { try Terminal.print("") }
          try Terminal.print(json ? JSONLine.encode(view) : view.text)
          isFirst = false
        }
        return []
      }
      try search.reportMissing()
    } catch let error as RedisError {
      throw Failure(error)
    }
  }
}
