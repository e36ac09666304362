import ArgumentParser
import MessageQueue
import RedisClient
import Reports
import Wire

struct PeekCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peek",
    abstract: "Show the messages that are next in line, and leave them there.",
    discussion: """
      With --json, one object a line with the whole payload, texts and numbers included. Of a queue of several shards, first what \
      is next in each of them.
      """
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption
  @OptionGroup var country: CountryCodeOption

  @Option(name: .shortAndLong, help: ArgumentHelp("How many.", valueName: "number"))
  var number = 10

  @Flag(help: "Show what is scheduled or to be tried again, the next due first.")
  var scheduled = false

  @Flag(help: "Write one JSON object a line for each message.")
  var json = false

  @Flag(help: "Write telephone numbers in full.")
  var showNumbers = false

  func validate() throws {
    if !(1...10_000).contains(number) { throw ValidationError("--number is \(number): write 1 to 10000.") }
  }

  func run() async throws {
    let peek: Peek
    do {
      let queue = redis.queue(queueOption.queue)
      let code = country.defaultCountryCode
      peek =
        scheduled
        ? try await Peek(scheduled: number, in: queue, defaultCountryCode: code)
        : try await Peek(number, into: queue, defaultCountryCode: code)
    } catch {
      throw Failure(error)
    }
    if peek.messages.isEmpty && !json {
      Terminal.note("queue \(queueOption.queue) \(scheduled ? "has nothing scheduled" : "is empty")")
    }
    for message in peek.messages { try Terminal.print(json ? JSONLine.encode(message) : text(message)) }
    if peek.leftOut > 0 { Terminal.note("\(peek.leftOut) more are left out: a look takes no more than 16 MB") }
  }

  private func text(_ peeked: Peek.Message) -> String {
    let tries = peeked.failures + peeked.crashes
    let history = (tries == 0 ? "" : " tries=\(tries)") + (peeked.dueAt.map { " due_at=\($0)" } ?? "")
    do {
      let message = try peeked.content.get()
      let number = showNumbers ? message.to.e164 : message.to.masked
      let queued = message.queuedAt.map { " queued_at=\(Timestamp.rfc3339($0))" } ?? ""
      let content =
        switch message.content {
        case .text(_, let segmentation): "segments=\(segmentation.segments)"
        case .template(let name): "template=\(name)"
        }
      return "\(peeked.position) id=\(message.id) to=\(number) \(content)\(history)\(queued)".printable
    } catch {
      return "\(peeked.position) id=\(peeked.id ?? "-") unreadable: \(error)\(history)".printable
    }
  }
}
