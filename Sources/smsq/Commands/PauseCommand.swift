import ArgumentParser
import MessageQueue
import RedisClient

struct PauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause",
    abstract: "Stop all workers from taking messages out of a queue.",
    discussion: "What is in hand is finished, pushing goes on. Ends with smsq resume."
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption

  func run() async throws {
    do {
      try await MessageQueue(queueOption.queue, on: redis.connection(for: queueOption.queue)).pause()
    } catch {
      throw Failure(error)
    }
    let done = "queue \(queueOption.queue) is paused"
    try Terminal.print(done, done: done)
  }
}
