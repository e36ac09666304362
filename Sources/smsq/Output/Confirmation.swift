import Glibc
import Wire

/// What a command that changes much asks before it begins.
enum Confirmation {
  static var canAsk: Bool { isatty(STDIN_FILENO) == 1 }

  /// Asks on standard error, because standard output may be a file. No answer is a no.
  static func ask(_ question: String) -> Bool {
    Terminal.prompt("\(question) [y/N] ")
    return isYes(readLine() ?? "")
  }

  static func isYes(_ answer: String) -> Bool { ["y", "yes"].contains(answer.trimmed().lowercased()) }
}
