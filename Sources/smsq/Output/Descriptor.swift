import Glibc

/// write(2) on a file descriptor, without its two errors that mean "again".
enum Descriptor {
  /// Writes some bytes, and waits until it can.
  ///
  /// - Parameter bytes: at least one.
  /// - Returns: how many were written, at least one; or the error number that says why none.
  static func writeSome(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Result<Int, ErrorNumber> {
    while true {
      let count = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
      if count > 0 { return .success(count) }
      // No file answers so; were there one, it must not be asked for ever.
      if count == 0 { return .failure(ErrorNumber(EIO)) }
      switch errno {
      case EINTR: continue
      case EAGAIN:
        // Whoever shares the pipe with us has made it non-blocking.
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = Glibc.poll(&poll, 1, -1)
      case let number: return .failure(ErrorNumber(number))
      }
    }
  }

  /// Writes all of it.
  ///
  /// - Returns: how many bytes were written, and what kept back the others, if any.
  static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> (written: Int, error: ErrorNumber?) {
    var written = 0
    while written < bytes.count {
      switch writeSome(UnsafeRawBufferPointer(rebasing: bytes[written...]), to: descriptor) {
      case .success(let count): written += count
      case .failure(let error): return (written, error)
      }
    }
    return (written, nil)
  }

  /// The size of a regular file; nil for a pipe, a terminal and the like.
  static func fileSize(_ descriptor: Int32) -> Int? {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Int(status.st_size)
  }
}

/// What the system has against a call: one of errno.h.
struct ErrorNumber: Error, Hashable, CustomStringConvertible {
  let number: Int32

  init(_ number: Int32) { self.number = number }

  /// As in "No space left on device".
  var description: String { String(cString: strerror(number)) }
}
