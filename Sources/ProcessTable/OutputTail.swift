import Synchronization

/// The last 64 KiB of what a program writes, however much that is: the end of an output is where the error stands.
final class OutputTail: Sendable {
  static let limit = 64 << 10

  private struct State {
    var bytes: [UInt8] = []
    var total = 0
  }

  private let state = Mutex(State())

  func append(_ chunk: UnsafeRawBufferPointer) {
    state.withLock { state in
      state.total += chunk.count
      state.bytes += chunk.suffix(Self.limit)
      // Cut at twice the limit, so that each byte is moved once and not with every chunk.
      if state.bytes.count > 2 * Self.limit { state.bytes.removeFirst(state.bytes.count - Self.limit) }
    }
  }

  /// As UTF-8, with a replacement character for what is none, and ? for NUL, which many a database tool takes for the end.
  var text: String {
    let (bytes, total) = state.withLock { (Array($0.bytes.suffix(Self.limit)), $0.total) }
    let text = String(decoding: bytes.map { $0 == 0 ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
    return total > bytes.count ? "[\(total - bytes.count) bytes left out]\n\(text)" : text
  }
}
