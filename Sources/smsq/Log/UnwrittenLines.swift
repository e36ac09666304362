/// Lines on their way into a file that may be full, and where to go on when it takes bytes again. A value: ``LineWriter`` does
/// the writing.
///
/// What was written before a failure may end in the middle of a line. If the file is then as it was left, the rest of that
/// line goes on there. Else somebody has made room by emptying the file, or has written into it, or another reader has come
/// to the pipe: the rest would be a line that nobody can read. So the torn line is ended, and written again from its start.
struct UnwrittenLines {
  private var bytes: [UInt8]
  /// How many of the bytes were written.
  private var position = 0
  /// The file's size when the last write failed; nil for a pipe and the like, which have none.
  private var sizeAtFailure: Int?

  /// - Parameter lines: whole ones, with their line feeds.
  init(_ lines: [UInt8]) { bytes = lines }

  /// What is to be written now.
  var rest: ArraySlice<UInt8> { bytes[position...] }

  mutating func wrote(_ count: Int) { position += count }

  /// Notes that nothing more could be written.
  mutating func failed(fileSize: Int?) { sizeAtFailure = fileSize }

  /// Before the next try.
  mutating func resume(fileSize: Int?) {
    let start = bytes[..<position].lastIndex(of: Self.lineFeed).map { $0 + 1 } ?? 0
    let isTorn = start < position
    if !isTorn || fileSize != nil && fileSize == sizeAtFailure { return }
    bytes = (fileSize == 0 ? [] : [Self.lineFeed]) + bytes[start...]
    position = 0
  }

  private static let lineFeed = UInt8(ascii: "\n")
}
