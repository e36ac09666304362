// Reads what PHP's serialize() writes, strictly, as far as a message needs it: null, booleans, integers, floats, strings
// and arrays. Objects, enumerations and references are refused. They are what makes unserialize() dangerous in PHP, and no
// message has a use for them.
//
//     a:2:{i:0;i:42;i:1;s:5:"hello";}
//
// Payloads come from anybody who can reach Redis: nothing in here recurses deeper than `maximumDepth`, allocates by a
// length that a payload claims, reads past the end, or traps.

/// A cursor over the bytes of one serialized value, which must be valid UTF-8.
package struct PHPReader {
  /// Arrays that may be open at once. Ours: a message is one array, and a producer's own keys hardly go two deep.
  static let maximumDepth = 8

  package enum Key: Hashable {
    case integer(Int64)
    case string(String)
  }

  package enum Value: Equatable {
    case null
    case integer(Int64)
    case string(String)
    /// A boolean, float or array: checked, and of no use to a message.
    case other
  }

  private let bytes: [UInt8]
  private var index = 0

  /// - Throws: `invalidUTF8`.
  package init(_ bytes: [UInt8]) throws(WireError) {
    self.bytes = bytes
    _ = try isASCII(checking: bytes)
  }

  /// Steps into an array.
  ///
  /// - Returns: how many pairs of key and value it says it has.
  package mutating func arrayCount() throws(WireError) -> Int {
    guard takeIf("a") else { throw fault("an array, a:") }
    try take(":")
    let count = try length(smallest: 6)
    try take(":")
    try take("{")
    return count
  }

  package mutating func endArray() throws(WireError) { try take("}") }

  /// Checks that nothing follows.
  package func end() throws(WireError) {
    guard index == bytes.count else { throw fault("nothing more") }
  }

  package mutating func key() throws(WireError) -> Key {
    switch current {
    case UInt8(ascii: "i"): return .integer(try integer())
    case UInt8(ascii: "s"): return .string(try string())
    default: throw fault("a key, i: or s:")
    }
  }

  package mutating func value() throws(WireError) -> Value { try value(depth: 1) }

  private mutating func value(depth: Int) throws(WireError) -> Value {
    switch current {
    case UInt8(ascii: "i"): return .integer(try integer())
    case UInt8(ascii: "s"): return .string(try string())
    case UInt8(ascii: "N"):
      index += 1
      try take(";")
      return .null
    case UInt8(ascii: "b"):
      index += 1
      try take(":")
      guard takeIf("0") || takeIf("1") else { throw fault("0 or 1") }
      try take(";")
    case UInt8(ascii: "d"): try skipFloat()
    case UInt8(ascii: "a"): try skipArray(depth: depth + 1)
    case UInt8(ascii: "O"), UInt8(ascii: "C"), UInt8(ascii: "E"), UInt8(ascii: "r"), UInt8(ascii: "R"):
      throw WireError(
        .invalidPHP,
        "holds a PHP object, enumeration or reference at byte \(index + 1): write strings and integers only"
      )
    default: throw fault("a value")
    }
    return .other
  }

  private mutating func skipArray(depth: Int) throws(WireError) {
    guard depth <= Self.maximumDepth else {
      throw WireError(
        .invalidPHP,
        "is nested more than \(Self.maximumDepth) levels deep at byte \(index + 1): make it flatter"
      )
    }
    for _ in 0..<(try arrayCount()) {
      _ = try key()
      _ = try value(depth: depth)
    }
    try endArray()
  }

  /// `i:-42;`, as PHP writes it: no plus sign, no leading zeros.
  private mutating func integer() throws(WireError) -> Int64 {
    index += 1
    try take(":")
    let start = index
    _ = takeIf("-")
    skipDigits()
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    guard let number = Int64(text), String(number) == text else { throw fault("an integer of 64 bits before this") }
    try take(";")
    return number
  }

  /// `s:5:"hello";`. The length counts bytes, and nothing in the string is escaped.
  private mutating func string() throws(WireError) -> String {
    index += 1
    try take(":")
    let count = try length(smallest: 1)
    try take(":")
    try take("\"")
    let (start, end) = (index, index + count)
    guard end < bytes.count, bytes[end] == UInt8(ascii: "\"") else {
      throw fault("a string of \(count) bytes and its closing quote")
    }
    index = end + 1
    try take(";")
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  /// `d:0.5;`, `d:1.0E+25;`, `d:-INF;`, `d:NAN;`
  private mutating func skipFloat() throws(WireError) {
    index += 1
    try take(":")
    let start = index
    // 24 characters with the usual serialize_precision; that of PHP 5.2 was 100 digits.
    while let byte = current, byte != UInt8(ascii: ";"), index - start < 128 { index += 1 }
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    let isNumber = text.utf8.allSatisfy { isDigit($0) || "+-.E".utf8.contains($0) } && Double(text) != nil
    guard isNumber || ["INF", "-INF", "NAN"].contains(text) else { throw fault("a float before this") }
    try take(";")
  }

  /// A count of things of which each takes so many bytes at least, so that what is left bounds it.
  private mutating func length(smallest: Int) throws(WireError) -> Int {
    let start = index
    skipDigits()
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    guard let count = Int(text), String(count) == text, count <= (bytes.count - index) / smallest else {
      throw fault("a length that the rest has room for, before this")
    }
    return count
  }

  private mutating func skipDigits() {
    // 19 digits is the longest integer of 64 bits.
    let start = index
    while let byte = current, isDigit(byte), index - start < 20 { index += 1 }
  }

  private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func takeIf(_ wanted: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: wanted) else { return false }
    index += 1
    return true
  }

  private mutating func take(_ wanted: Unicode.Scalar) throws(WireError) {
    guard takeIf(wanted) else { throw fault(String(Character(wanted))) }
  }

  /// Says where, but not what stands there: it may be the text.
  private func fault(_ expected: String) -> WireError {
    let place = index < bytes.count ? "at byte \(index + 1)" : "at its end, byte \(bytes.count + 1)"
    return WireError(
      .invalidPHP,
      "is not what PHP's serialize writes \(place): there should be \(expected)"
    )
  }
}
