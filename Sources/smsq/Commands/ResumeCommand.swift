import ArgumentParser
import MessageQueue
import RedisClient

struct ResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume",
    abstract: "Let workers take messages out of a paused queue again."
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption

  func run() async throws {
    do {
      try await MessageQueue(queueOption.queue, on: redis.connection(for: queueOption.queue)).resume()
    } catch {
      throw Failure(error)
    }
    let done = "queue \(queueOption.queue) goes on"
    try Terminal.print(done, done: done)
  }
}
