import CLinux
import Glibc

/// Standard input, output and error.
enum StandardStreams {
  /// Takes the numbers of those that were closed when this process was started, for something that answers as a closed one
  /// does (EBADF).
  ///
  /// Else the connection to Redis, or the database, would be given such a number: results would be written into it, and
  /// messages be read from it.
  static func occupyClosed() {
    for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
      // It gets the lowest number that is free, which is this one. The root is there wherever we are.
      if clinux_open_path("/dev/null") < 0 { _ = clinux_open_path("/") }
    }
  }
}
