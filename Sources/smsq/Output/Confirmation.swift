import Glibc
import MessageQueue
import Wire

/// What a command that changes much asks before it begins.
enum Confirmation {
  static var canAsk: Bool { isatty(STDIN_FILENO) == 1 }

  /// Asks on standard error, because standard output may be a file. No answer is a no.
  static func ask(_ question: String) -> Bool {
    Terminal.prompt("\(question) [y/N] ")
    return isYes(readLine() ?? "")
  }

  /// Asks where it is about more than one, and nobody said `--yes`.
  ///
  /// - Parameters:
  ///   - verb: what is to be done, as in `cancel`.
  ///   - what: with how many of what, as in `3 scheduled messages of queue sms`.
  ///   - queue: whose connections are closed meanwhile: a person may take longer to answer than Redis keeps an idle one.
  /// - Throws: exit code 64 where there is no terminal to ask.
  static func isGiven(to verb: String, _ count: Int, _ what: String, _ yes: Bool, _ queue: ShardedQueue) async throws
    -> Bool
  {
    if count <= 1 || yes { return true }
    guard canAsk else {
      throw Failure("\(what) match, and there is no terminal to ask: add --yes to \(verb) them all", .usage)
    }
    await queue.close()
    return ask("\(verb.capitalized) \(what)?")
  }

  static func isYes(_ answer: String) -> Bool { ["y", "yes"].contains(answer.trimmed().lowercased()) }
}
