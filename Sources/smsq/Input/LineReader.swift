import Glibc

/// Streams the lines of a file descriptor.
///
/// A line ends with LF or CRLF; the last one need not. A UTF-8 byte order mark at the start is skipped. Memory stays
/// flat: one buffer, which grows only to hold a line longer than itself and never past the limit. A line over the limit
/// is skipped and reported in its place, so the numbers of the lines after it are right.
///
/// A class, because a progress bar reads `bytesConsumed` while a CSV reader pulls lines from the same object.
final class LineReader: Sequence, IteratorProtocol {
  struct Line {
    /// What ended the line in the file. A CSV field that spans lines needs it back exactly.
    enum Ending: String {
      case lf = "\n"
      case crlf = "\r\n"
      case endOfInput = ""
    }

    /// 1 for the first line.
    var number: Int
    /// The line's bytes without its ending.
    var content: Result<[UInt8], InputError>
    var ending: Ending
  }

  /// 128 KiB: past it, larger reads gain nothing measurable.
  static let defaultBufferSize = 128 * 1024
  /// 1 MiB, a thousand times the longest text message.
  static let defaultLineLimit = 1024 * 1024

  /// Bytes of the input that belong to the lines returned so far, endings included.
  private(set) var bytesConsumed = 0

  private let descriptor: Int32
  private let name: String
  private let lineLimit: Int
  private let initialSize: Int
  /// Memory of its own, because read(2), memchr(3) and memmove(3) work on it.
  private var buffer: UnsafeMutableRawBufferPointer
  /// buffer[start..<end] is read but not returned; buffer[start..<scanned] is known to hold no LF.
  private var start = 0
  private var scanned = 0
  private var end = 0
  private var lineNumber = 0
  private var reachedEnd = false
  private var readError: InputError?

  /// - Parameters:
  ///   - descriptor: an open file descriptor; it stays the caller's to close, after the last `next()`.
  ///   - name: what error messages call it.
  ///   - bufferSize: bytes per read(2), at least 1.
  ///   - lineLimit: the longest line in bytes, its ending not counted.
  init(
    descriptor: Int32,
    name: String = "input",
    bufferSize: Int = defaultBufferSize,
    lineLimit: Int = defaultLineLimit
  ) {
    precondition(bufferSize > 0 && lineLimit > 0)
    self.descriptor = descriptor
    self.name = name
    self.lineLimit = lineLimit
    initialSize = bufferSize
    buffer = .allocate(byteCount: bufferSize, alignment: 1)
  }

  deinit { buffer.deallocate() }

  /// The next line, or nil at the end. A failed read(2) is one last element with the error.
  func next() -> Line? {
    var skipping = false
    while true {
      if let newline = newlineIndex() {
        return takeLine(upTo: newline, endingAt: newline + 1, skipped: skipping)
      }
      // One more byte than the limit may be the CR of a CRLF that is still to come.
      if end - start > lineLimit + 1 {
        skipping = true
        consume(upTo: end)
      }
      if reachedEnd {
        if end > start || skipping { return takeLine(upTo: end, endingAt: end, skipped: skipping) }
        guard let error = readError else { return nil }
        readError = nil
        return Line(number: lineNumber + 1, content: .failure(error), ending: .endOfInput)
      }
      fill()
    }
  }

  /// The start of the input, to tell its format by: at least the first line or the first 4 KiB, whichever is shorter.
  /// Consumes nothing. Call it before `next()`.
  func peek() -> [UInt8] {
    while newlineIndex() == nil, end - start < 4096, !reachedEnd { fill() }
    return Array(buffer[start..<end])
  }

  /// memchr, because it looks at 32 bytes at a time where a loop looks at one.
  private func newlineIndex() -> Int? {
    guard scanned < end else { return nil }
    let base = UnsafeRawPointer(buffer.baseAddress!)
    let found = memchr(base + scanned, 0x0A, end - scanned).map { UnsafeRawPointer($0) - base }
    scanned = found ?? end
    return found
  }

  private func takeLine(upTo lineEnd: Int, endingAt next: Int, skipped: Bool) -> Line {
    lineNumber += 1
    var range = start..<lineEnd
    var ending = next > lineEnd ? Line.Ending.lf : .endOfInput
    if ending == .lf, !range.isEmpty, buffer[lineEnd - 1] == 0x0D {
      range.removeLast()
      ending = .crlf
    }
    if lineNumber == 1, buffer[range].starts(with: [0xEF, 0xBB, 0xBF]) { range.removeFirst(3) }
    consume(upTo: next)
    let isTooLong = skipped || range.count > lineLimit
    return Line(
      number: lineNumber,
      content: isTooLong ? .failure(tooLongError) : .success(Array(buffer[range])),
      ending: ending
    )
  }

  private var tooLongError: InputError {
    InputError(
      .tooLong,
      "the line is longer than \(lineLimit) bytes; write one message a line, each ended by a line feed"
    )
  }

  private func consume(upTo index: Int) {
    bytesConsumed += index - start
    start = index
    scanned = Swift.max(scanned, index)
  }

  /// Makes room at the end of the buffer and reads into it once.
  private func fill() {
    let waiting = end - start
    if waiting == buffer.count {
      resize(to: 2 * waiting)
    } else if waiting == 0, buffer.count > initialSize {
      // One long line must not cost its memory for the rest of the file.
      resize(to: initialSize)
    } else if start > 0 {
      memmove(buffer.baseAddress!, buffer.baseAddress! + start, waiting)
    }
    scanned -= start
    (start, end) = (0, waiting)

    var count: Int
    repeat { count = read(descriptor, buffer.baseAddress! + end, buffer.count - end) } while count < 0 && errno == EINTR
    if count > 0 {
      end += count
    } else {
      if count < 0 { readError = InputError(errorNumber: errno, name: name) }
      reachedEnd = true
    }
  }

  private func resize(to size: Int) {
    let new = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
    new.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
    buffer.deallocate()
    buffer = new
  }
}
