import ArgumentParser
import MessageQueue
import RedisClient
import Reports

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Tell where messages are, or what became of them.",
    discussion: """
        smsq status order-17
        smsq status --json order-17 91c5f0a2b3d4e6f7-000000002a

      An id is the one that was given with push --id, the one in the message's JSON, or the one that push prints and the \
      log shows. Each message has a line with its state:

        waiting     in the list; about so many are ahead of it
        scheduled   for a time
        retry       when, and after how many failures
        claimed     in the hand of a worker
        moving      on its way to another queue: smsq move was stopped
        dead        why and when
        sent, expired, cancelled   when; of sent, the provider's id, the attempts, and the parts
        accepted    no more is known than that the id was: it is done, or was removed

      What is done is known for as long as workers keep it: smsq worker --keep 24h. An id that nobody knows is exit code 65. \
      A long queue is looked through in short steps, from its newest message to its oldest, while workers go on.
      """
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption

  @Argument(help: ArgumentHelp("Ids of messages.", valueName: "id"))
  var ids: [String]

  @Flag(help: "Write one JSON object a line for each message.")
  var json = false

  func run() async throws {
    let queue = redis.queue(queueOption.queue)
    let statuses: [MessageStatus]
    let isUnsure: Bool
    do throws(RedisError) {
      (statuses, isUnsure) = try await MessageStatus.all(of: ids, in: queue)
    } catch {
      throw Failure(error)
    }
    try Terminal.print(try statuses.map { json ? try JSONLine.encode($0) : $0.line }.joined(separator: "\n"))
    for status in statuses where status.state == .accepted {
      Terminal.note("\(status.id.printable) is done, or was removed; smsq worker --keep 24h would have told which")
    }
    let unknown = statuses.filter { $0.state == .unknown }
    for status in unknown {
      Terminal.note("queue \(queue.name) has no message with the id \(status.id.printable), and knows of none")
    }
    if isUnsure {
      Terminal.note(
        "messages came back to the queue while it was looked through: what was not found may be there, ask again"
      )
    }
    if !unknown.isEmpty { throw isUnsure ? ExitCode.tempFail : ExitCode.dataError }
  }
}
