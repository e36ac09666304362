import Wire

extension JSONString {
  /// Hands out what it says, where it stands.
  ///
  /// Here and not in Wire, because the compiler makes a special version of a generic function only in the module that has
  /// it. Each message comes through here several times, and by the general version it took 600 instructions more.
  ///
  /// - Parameter json: the text that a ``JSONReader`` found it in.
  func withUTF8<Result, Failure>(
    in json: [UInt8],
    _ body: (UTF8Span) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    // Valid, as the reader has made sure: a part of the text between two ASCII characters, or with scalars for escapes.
    switch self {
    case .plain(let range, let isASCII):
      try body(unsafe UTF8Span(unchecked: json.span.extracting(range), isKnownASCII: isASCII))
    case .unescaped(let bytes):
      try body(unsafe UTF8Span(unchecked: bytes.span))
    }
  }
}
