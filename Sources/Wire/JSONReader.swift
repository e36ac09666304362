// Reads one JSON object member by member, strictly by RFC 8259, and builds nothing that its caller does not ask for.
//
// JSONDecoder takes trailing commas, UTF-16 and byte order marks, silently picks one of two members of the same name,
// cannot say where the fault is, and needs several times as long. Texts come from anybody: nothing in here recurses deeper than `maximumDepth`, reads past the end, or traps.

/// A string in a JSON text. It is not copied from there if it stands there as it is: most are only looked at.
package enum JSONString {
  /// Where it stands, between its quotes, and whether it is known to be ASCII.
  case plain(Range<Int>, isASCII: Bool)
  /// What it says, where some of it is written as escapes.
  case unescaped([UInt8])

  package var isEmpty: Bool {
    switch self {
    case .plain(let range, _): range.isEmpty
    case .unescaped(let bytes): bytes.isEmpty
    }
  }

  /// What it says, as a string of its own.
  ///
  /// - Parameter json: the text that a ``JSONReader`` found it in.
  package func text(in json: [UInt8]) -> String {
    // Valid, as the reader has made sure: a part of the text between two ASCII characters, or with scalars for escapes.
    switch self {
    case .plain(let range, let isASCII):
      String(copying: unsafe UTF8Span(unchecked: json.span.extracting(range), isKnownASCII: isASCII))
    case .unescaped(let bytes):
      String(copying: unsafe UTF8Span(unchecked: bytes.span))
    }
  }
}

/// A cursor over the bytes of one JSON object.
package struct JSONReader {
  /// The brackets that may be open at once. Ours: payloads are flat, and a producer's own fields hardly go ten deep.
  static let maximumDepth = 128

  private let bytes: [UInt8]
  private let isASCII: Bool
  /// Where the cursor stands: behind what was read last.
  package private(set) var index = 0
  private var isFirstMember = true

  /// Steps into the object.
  ///
  /// - Throws: `invalidUTF8`, `empty`, `notAnObject`.
  package init(_ bytes: [UInt8]) throws(WireError) {
    self.bytes = bytes
    isASCII = try Wire.isASCII(checking: bytes)
    skipSpace()
    guard let byte = current else { throw WireError(.empty, "is empty") }
    guard byte == UInt8(ascii: "{") else { throw WireError(.notAnObject, "does not start with {") }
    index += 1
  }

  /// The next member's name; nil after the last one, when nothing but space may follow.
  package mutating func nextName() throws(WireError) -> JSONString? {
    skipSpace()
    if current == UInt8(ascii: "}") {
      index += 1
      skipSpace()
      guard current == nil else { throw fault("nothing more") }
      return nil
    }
    guard isFirstMember || takeIf(",") else { throw fault("a comma or }") }
    isFirstMember = false
    skipSpace()
    guard let name = try takeString() else { throw fault("a member's name in double quotes") }
    skipSpace()
    guard takeIf(":") else { throw fault("a colon") }
    skipSpace()
    return name
  }

  /// The numbers that a member may be written as, beside a string.
  package enum Numbers {
    case none
    /// Digits alone: what has a fraction or an exponent has been through somebody's arithmetic.
    case digits
    case any
  }

  /// The value of the member that ``nextName()`` has named: a string, a number as it is written where one may be there, or
  /// nil for `null`.
  ///
  /// - Throws: `invalidJSON`, `wrongType`.
  package mutating func stringOrNull(orNumber numbers: Numbers = .none) throws(WireError) -> JSONString? {
    if let string = try takeString() { return string }
    if current == UInt8(ascii: "n") {
      try takeWord("null")
      return nil
    }
    let start = index
    let isNumber = isAtNumber
    try skipValue()
    if isNumber, numbers == .any || numbers == .digits && bytes[start..<index].allSatisfy(isDigit) {
      return .plain(start..<index, isASCII: true)
    }
    let what = !isNumber ? "no string" : numbers == .digits ? "a number that is not digits alone" : "a number"
    throw WireError(.wrongType, "is \(what): write its value in double quotes")
  }

  /// The value of the member that ``nextName()`` has named: a string, or a number as it is written; nil for anything else.
  ///
  /// - Throws: `invalidJSON`.
  package mutating func stringOrNumber() throws(WireError) -> String? {
    if let string = try takeString() { return string.text(in: bytes) }
    let start = index
    let isNumber = isAtNumber
    try skipValue()
    return isNumber ? String(decoding: bytes[start..<index], as: UTF8.self) : nil
  }

  /// Steps over the value of a member that nobody asked for, and checks it.
  package mutating func skipValue() throws(WireError) { try skipValue(depth: 1) }

  private mutating func skipValue(depth: Int) throws(WireError) {
    switch current {
    case UInt8(ascii: "\""): try skipString()
    case UInt8(ascii: "{"): try skipElements(until: "}", depth: depth + 1, areNamed: true)
    case UInt8(ascii: "["): try skipElements(until: "]", depth: depth + 1, areNamed: false)
    case UInt8(ascii: "t"): try takeWord("true")
    case UInt8(ascii: "f"): try takeWord("false")
    case UInt8(ascii: "n"): try takeWord("null")
    default: try skipNumber()
    }
  }

  private mutating func skipElements(until end: Unicode.Scalar, depth: Int, areNamed: Bool) throws(WireError) {
    guard depth <= Self.maximumDepth else {
      throw WireError(
        .invalidJSON,
        "is nested more than \(Self.maximumDepth) levels deep at byte \(index): make it flatter"
      )
    }
    index += 1
    skipSpace()
    if takeIf(end) { return }
    repeat {
      skipSpace()
      if areNamed {
        try skipString()
        skipSpace()
        guard takeIf(":") else { throw fault("a colon") }
        skipSpace()
      }
      try skipValue(depth: depth)
      skipSpace()
    } while takeIf(",")
    guard takeIf(end) else { throw fault("a comma or \(end)") }
  }

  private mutating func skipString() throws(WireError) {
    guard try takeString() != nil else { throw fault("a string in double quotes") }
  }

  private mutating func skipNumber() throws(WireError) {
    _ = takeIf("-")
    if !takeIf("0") { try skipDigits(expected: "a value") }
    if takeIf(".") { try skipDigits(expected: "a digit") }
    if takeIf("e") || takeIf("E") {
      if !takeIf("+") { _ = takeIf("-") }
      try skipDigits(expected: "a digit")
    }
  }

  private mutating func skipDigits(expected: String) throws(WireError) {
    guard let byte = current, isDigit(byte) else { throw fault(expected) }
    while let byte = current, isDigit(byte) { index += 1 }
  }

  /// Nil, with nothing taken, where no string starts.
  private mutating func takeString() throws(WireError) -> JSONString? {
    guard takeIf("\"") else { return nil }
    let start = index
    let end = PlainText.end(in: bytes.span, from: start)
    index = end
    if takeIf("\"") { return .plain(start..<end, isASCII: isASCII) }
    var unescaped = Array(bytes[start..<end])
    while let byte = current {
      index += 1
      switch byte {
      case UInt8(ascii: "\""): return .unescaped(unescaped)
      case UInt8(ascii: "\\"): try takeEscape(into: &unescaped)
      case 0..<0x20:
        index -= 1
        throw fault("a control character written as \\u and four digits")
      default: unescaped.append(byte)
      }
    }
    throw fault("a closing double quote")
  }

  private mutating func takeEscape(into unescaped: inout [UInt8]) throws(WireError) {
    guard let name = current else { throw fault("an escape's second character") }
    index += 1
    switch name {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): unescaped.append(name)
    case UInt8(ascii: "n"): unescaped.append(0x0A)
    case UInt8(ascii: "r"): unescaped.append(0x0D)
    case UInt8(ascii: "t"): unescaped.append(0x09)
    case UInt8(ascii: "b"): unescaped.append(0x08)
    case UInt8(ascii: "f"): unescaped.append(0x0C)
    case UInt8(ascii: "u"): unescaped.append(contentsOf: UTF8.encode(try takeHexScalar())!)
    default:
      index -= 1
      throw fault("an escape that JSON has")
    }
  }

  /// One scalar of four hexadecimal digits, or a surrogate pair of twice as many.
  private mutating func takeHexScalar() throws(WireError) -> Unicode.Scalar {
    var value = try takeHexDigits()
    if value & 0xFC00 == 0xD800 {
      guard takeIf("\\"), takeIf("u") else { throw fault("the second half of a surrogate pair") }
      let low = try takeHexDigits()
      guard low & 0xFC00 == 0xDC00 else { throw fault("the second half of a surrogate pair") }
      value = 0x10000 + ((value & 0x3FF) << 10 | (low & 0x3FF))
    }
    guard let scalar = Unicode.Scalar(value) else { throw fault("the first half of a surrogate pair") }
    return scalar
  }

  private mutating func takeHexDigits() throws(WireError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      let digit: UInt8
      switch current {
      case let byte? where isDigit(byte): digit = byte - UInt8(ascii: "0")
      case let byte? where byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case let byte? where byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw fault("four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      index += 1
    }
    return value
  }

  private var isAtNumber: Bool { current.map { $0 == UInt8(ascii: "-") || isDigit($0) } ?? false }

  private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

  /// In line, because there is hardly ever any.
  @inline(__always)
  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
  }

  private mutating func takeIf(_ wanted: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: wanted) else { return false }
    index += 1
    return true
  }

  private mutating func takeWord(_ wanted: StaticString) throws(WireError) {
    let isThere = wanted.withUTF8Buffer { bytes[index...].starts(with: $0) }
    guard isThere else { throw fault("a value") }
    index += wanted.utf8CodeUnitCount
  }

  /// Says where, but not what stands there: it may be the text.
  private func fault(_ expected: String) -> WireError {
    let place = index < bytes.count ? "at byte \(index + 1)" : "at its end, byte \(bytes.count + 1)"
    return WireError(.invalidJSON, "is not valid JSON \(place): there should be \(expected)")
  }
}
