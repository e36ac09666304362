import Glibc

/// What the simulator took, on disk: the provider's own books, which a `kill -9` of the worker does not touch.
///
/// One line `id attempt time` for each message taken, the time in Unix microseconds, written by one write(2) with O_APPEND
/// before the answer is given. So a message without a line was not taken, and several workers may share one file.
struct SimulatorLedger {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private let path: String
  /// Never closed: it lives as long as the process.
  private let descriptor: Int32

  /// A file that cannot be opened is reported by the first ``append(_:attempt:)``.
  init(path: String) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
  }

  /// - Throws: ``Failure`` when the line is not in the file: the message counts as not taken then.
  func append(_ id: String, attempt: Int) throws {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let line = Array("\(id) \(attempt) \(time.tv_sec * 1_000_000 + time.tv_nsec / 1_000)\n".utf8)
    guard write(descriptor, line, line.count) == line.count else {
      throw Failure(description: "the ledger \(path) cannot be written: \(String(cString: strerror(errno)))")
    }
  }
}
