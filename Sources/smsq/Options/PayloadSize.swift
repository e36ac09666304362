import ArgumentParser
import MessageQueue
import SMS

/// The size of a payload, as it is written on the command line: 262144, 256KB or 1MB. A KB is 1,024 bytes.
struct PayloadSize: ExplainedArgument, Hashable {
  let bytes: Int

  static let standard = PayloadSize(bytes: MessageQueue.defaultMaxPayload)

  private static let range = 1024...TextMessage.maximumPayloadSize
  private static let units = [("", 1), ("B", 1), ("KB", 1 << 10), ("MB", 1 << 20)]

  private init(bytes: Int) { self.bytes = bytes }

  /// - Throws: `ValidationError` for what is no size, and for one out of range.
  init(explaining argument: String) throws {
    let digits = argument.prefix { $0.isASCII && $0.isWholeNumber }
    let unit = argument.dropFirst(digits.count).uppercased()
    guard let number = Int(digits), let (_, factor) = Self.units.first(where: { $0.0 == unit }) else {
      throw ValidationError("'\(argument)' is no size: write bytes, or KB or MB, such as 256KB")
    }
    let (bytes, isTooMuch) = number.multipliedReportingOverflow(by: factor)
    guard !isTooMuch, Self.range.contains(bytes) else {
      throw ValidationError("'\(argument)' is out of range: write 1KB to 1MB")
    }
    self.init(bytes: bytes)
  }

  var argument: String {
    let (name, factor) = Self.units.last { bytes % $0.1 == 0 } ?? ("", 1)
    return "\(bytes / factor)\(name)"
  }
}
