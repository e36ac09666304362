import Glibc
import Synchronization

/// Text for people and scripts: results on standard output, everything else on standard error.
enum Terminal {
  private enum Results {
    case none, written, incomplete
  }

  private static let results = Mutex(Results.none)
  /// Whether the last line on standard error was cut short.
  private static let errorIsTorn = Mutex(false)

  /// A result, with a line feed.
  ///
  /// - Parameter done: what the command has changed, which its caller must know even where the result is lost.
  /// - Throws: ``Failure`` where it could not be written whole. Whoever reads results may act on them next, as in
  ///   `smsq dead list > file && smsq dead remove`.
  static func print(_ text: String, done: String? = nil) throws(Failure) {
    // Straight to the descriptor: stdio would keep a pipe's lines back until its buffer is full.
    let error = write(text + "\n", to: STDOUT_FILENO).error
    results.withLock { $0 = error == nil ? .written : .incomplete }
    if let error { throw Failure(unwritten: error, done: done) }
  }

  /// To be called at the end: some file systems, NFS among them, say only now that they could not store what they took.
  static func finish() throws(Failure) {
    guard results.withLock({ $0 }) == .written else { return }
    // The system tells it at each close(2), of a duplicate as well.
    let duplicate = dup(STDOUT_FILENO)
    if duplicate >= 0, close(duplicate) != 0, errno != EINTR {
      throw Failure(unwritten: ErrorNumber(errno), done: nil)
    }
  }

  /// A remark or an error, behind the program's name, as is the custom.
  static func note(_ text: String) { printError("smsq: " + text) }

  /// A question: the answer goes on the same line.
  static func prompt(_ text: String) { _ = write(text, to: STDERR_FILENO) }

  /// Where standard error cannot be written there is nobody to tell. If it can be again, as when a full disk has room, a
  /// line of its own begins.
  static func printError(_ text: String) {
    errorIsTorn.withLock { isTorn in
      let line = (isTorn ? "\n" : "") + text + "\n"
      let (written, error) = write(line, to: STDERR_FILENO)
      if written > 0 { isTorn = error != nil && Array(line.utf8)[written - 1] != UInt8(ascii: "\n") }
    }
  }

  private static func write(_ text: String, to descriptor: Int32) -> (written: Int, error: ErrorNumber?) {
    var text = text
    return text.withUTF8 { Descriptor.writeAll(UnsafeRawBufferPointer($0), to: descriptor) }
  }
}
