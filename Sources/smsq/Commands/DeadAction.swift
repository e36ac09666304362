import ArgumentParser
import MessageQueue
import RedisClient
import Reports
import SMS

/// What can be done to dead letters.
enum DeadAction: String {
  case retry, remove

  var done: String { self == .retry ? "retried" : "removed" }

  func callAsFunction(_ letters: [DeadLetter], of queue: MessageQueue) async throws(RedisError) -> Int {
    switch self {
    case .retry: try await queue.revive(letters)
    case .remove: try await queue.remove(letters) { PayloadGlimpse($0.element.payload).callerID }
    }
  }
}

/// The result, for scripts.
struct DeadActionResult: Encodable {
  let queue: String
  let matched: Int
  var retried: Int?
  var removed: Int?

  init(_ action: DeadAction, queue: QueueName, matched: Int, done: Int) {
    self.queue = queue.description
    self.matched = matched
    switch action {
    case .retry: retried = done
    case .remove: removed = done
    }
  }
}

/// Retrying and removing: search, ask, act, a page at a time.
struct DeadActionOptions: ParsableArguments {
  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption
  @OptionGroup var selection: DeadSelection

  @Flag(help: "Do not ask, also when it is about more than one.")
  var yes = false

  @Flag(help: "Write the result as one JSON object.")
  var json = false

  func validate(_ action: DeadAction) throws {
    if selection.isEmpty {
      throw ValidationError(
        "Say which dead letters to \(action.rawValue): ids, --reason, --older-than, --newer-than, or --all."
      )
    }
  }

  func run(_ action: DeadAction) async throws {
    let connection = redis.connection(for: queueOption.queue)
    let queue = MessageQueue(queueOption.queue, on: connection)
    do {
      var search = try await DeadLetterSearch(selection.filter, in: queue)
      let matched = try await search.count()
      var done = 0
      if try await isConfirmed(action, matched, on: connection) { done = try await perform(action, search, matched) }
      try report(action, matched, done)
      try search.reportMissing()
    } catch let error as RedisError {
      throw Failure(error)
    }
  }

  private func isConfirmed(_ action: DeadAction, _ matched: Int, on connection: RedisConnection) async throws -> Bool {
    if matched <= 1 || yes { return true }
    guard Confirmation.canAsk else {
      throw Failure(
        "\(matched) dead letters of queue \(queueOption.queue) match, and there is no terminal to ask: "
          + "add --yes to \(action.rawValue) them all",
        .usage
      )
    }
    // A person may take longer to answer than Redis keeps an idle connection; the next call makes a new one.
    await connection.close()
    return Confirmation.ask("\(action.rawValue.capitalized) \(matched) dead letters of queue \(queueOption.queue)?")
  }

  private func perform(_ action: DeadAction, _ search: DeadLetterSearch, _ matched: Int) async throws -> Int {
    var search = search
    let queue = search.queue
    var done = 0
    // Letters, where a file would have bytes.
    let progress = ProgressBar(totalBytes: matched)
    defer { progress.clear() }
    do {
      try await search.forEachPage { letters in
        done += try await action(letters, of: queue)
        progress.update(count: done, bytes: done)
        return letters
      }
    } catch let error as RedisError {
      let failure = Failure(error)
      progress.clear()
      throw Failure(
        "\(failure.description)\nat least \(done) of \(matched) dead letters were \(action.done) before that; "
          + "the same command goes on with the others",
        failure.code
      )
    }
    return done
  }

  private func report(_ action: DeadAction, _ matched: Int, _ done: Int) throws {
    let queue = queueOption.queue
    let others = done == matched || done == 0 ? "" : "; \(matched - done) went away meanwhile"
    let text = "\(action.done) \(done) dead letter\(done == 1 ? "" : "s") of queue \(queue)\(others)"
    if json {
      let result = DeadActionResult(action, queue: queue, matched: matched, done: done)
      try Terminal.print(JSONLine.encode(result), done: text)
    } else if matched > 0 {
      try Terminal.print(text, done: text)
    } else if selection.ids.isEmpty {
      Terminal.note("no dead letter of queue \(queue) matches")
    }
  }
}
