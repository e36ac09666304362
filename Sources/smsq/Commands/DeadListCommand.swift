import ArgumentParser
import MessageQueue
import RedisClient
import Reports

struct DeadListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List dead letters, the oldest first: all, or those selected.",
    discussion: "With --json, one object a line with the whole payload, texts and numbers included."
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption
  @OptionGroup var selection: DeadSelection

  @Flag(help: "Write one JSON object a line for each dead letter.")
  var json = false

  @Flag(help: "Write telephone numbers in full.")
  var showNumbers = false

  func run() async throws {
    let queue = MessageQueue(queueOption.queue, on: redis.connection(for: queueOption.queue))
    do {
      var search = try await DeadLetterSearch(selection.filter, in: queue)
      var isEmpty = true
      try await search.forEachPage { letters in
        isEmpty = false
        let lines = try letters.map { letter in
          let view = DeadLetterView(letter, queue: queue.name, showNumbers: showNumbers)
          return json ? try JSONLine.encode(view) : view.line
        }
        try Terminal.print(lines.joined(separator: "\n"))
        return []
      }
      if isEmpty && !json && selection.ids.isEmpty {
        Terminal.note(
          selection.isEmpty
            ? "queue \(queue.name) has no dead letters" : "no dead letter of queue \(queue.name) matches"
        )
      }
      try search.reportMissing()
    } catch let error as RedisError {
      throw Failure(error)
    }
  }
}
