import ArgumentParser
import Glibc

/// Keeps standard input, so that it can be read twice.
enum Spool {
  /// - Returns: a path that stands for all of standard input.
  static func standardInput() throws -> String {
    let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(directory)/smsq-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    guard file >= 0 else {
      throw Failure("cannot write to \(directory) (\(String(cString: strerror(errno)))): set TMPDIR", .noPermission)
    }
    // Without a name it is gone when the process is, however it ends.
    unlink(template)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(STDIN_FILENO, &buffer, buffer.count)
      if count == 0 { return "/proc/self/fd/\(file)" }
      guard count > 0, write(file, buffer, count) == count else {
        throw Failure("cannot keep standard input in \(directory): \(String(cString: strerror(errno)))", .tempFail)
      }
    }
  }
}
