import ArgumentParser
import Glibc

/// Keeps what can be read only once, such as a pipe, so that it can be read twice.
enum Spool {
  /// - Parameter path: as --file takes it, `-` for standard input.
  /// - Returns: a path that stands for all of it, each time that it is opened.
  static func rereadable(_ path: String) throws -> String {
    if path == "-" { return try copy(of: STDIN_FILENO) }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      let error = InputError(errorNumber: errno, name: path)
      throw Failure(error.message, error.exitCode)
    }
    defer { close(descriptor) }
    var status = stat()
    let kind = fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : 0
    // A directory is refused by whoever reads it.
    return kind == S_IFREG || kind == S_IFDIR ? path : try copy(of: descriptor)
  }

  private static func copy(of input: Int32) throws -> String {
    let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    // mkstemp(3) puts a name of its own in the place of the X's.
    var template = Array("\(directory)/smsq-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    guard file >= 0 else {
      throw Failure("cannot write to \(directory) (\(String(cString: strerror(errno)))): set TMPDIR", .noPermission)
    }
    // Without a name it is gone when the process is, however it ends.
    unlink(template)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(input, &buffer, buffer.count)
      if count == 0 { return "/proc/self/fd/\(file)" }
      let error = count < 0 ? ErrorNumber(errno) : keep(buffer[..<count], in: file)
      if let error { throw Failure("cannot keep the input in \(directory): \(error)", .tempFail) }
    }
  }

  private static func keep(_ bytes: ArraySlice<UInt8>, in file: Int32) -> ErrorNumber? {
    bytes.withUnsafeBytes { Descriptor.writeAll($0, to: file).error }
  }
}
