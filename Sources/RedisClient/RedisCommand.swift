/// One Redis command: its name and arguments, as bytes of any kind.
///
/// The arguments lie one behind the other as they are sent (RESP bulk strings: `$`, the length, the bytes, each ended by CR
/// LF), so that a command of a thousand arguments is written once and costs one allocation. hiredis' own formatting would
/// look at each of them twice more, and print their lengths with printf.
package struct RedisCommand: Sendable, Equatable {
  private(set) var bytes: [UInt8] = []
  /// The number of arguments so far, the command's name among them.
  package private(set) var count = 0
  /// How many bytes they take as they are sent.
  package var byteCount: Int { bytes.count }

  /// A command from words: `RedisCommand("GET", "key")`.
  package init(_ words: String...) {
    for word in words { append(word) }
  }

  package mutating func append(_ argument: String) {
    // Native strings have their UTF-8 in one piece; for others a copy is made.
    var argument = argument
    argument.withUTF8 { append(bytes: $0) }
  }

  package mutating func append(_ argument: [UInt8]) {
    argument.withUnsafeBufferPointer { append(bytes: $0) }
  }

  package mutating func append(_ argument: some BinaryInteger) {
    append(String(argument))
  }

  private mutating func append(bytes argument: UnsafeBufferPointer<UInt8>) {
    Self.append("$", argument.count, to: &bytes)
    bytes.append(contentsOf: argument)
    bytes.append(UInt8(ascii: "\r"))
    bytes.append(UInt8(ascii: "\n"))
    count += 1
  }

  /// What was appended, read back from how it is sent.
  package var arguments: [[UInt8]] {
    var arguments: [[UInt8]] = []
    var position = 0
    while position < bytes.count {
      var length = 0
      position += 1
      while bytes[position] != UInt8(ascii: "\r") {
        length = length * 10 + Int(bytes[position] - UInt8(ascii: "0"))
        position += 1
      }
      position += 2
      arguments.append(Array(bytes[position..<position + length]))
      position += length + 2
    }
    return arguments
  }

  /// What is sent before a command's arguments: `*` and their number.
  static func header(_ count: Int) -> [UInt8] {
    var header: [UInt8] = []
    append("*", count, to: &header)
    return header
  }

  /// Without a string in between, and in one piece: this is done for each argument, and a script may get thousands.
  private static func append(_ mark: Unicode.Scalar, _ number: Int, to bytes: inout [UInt8]) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { piece in
      // From the end: there the digits begin.
      var start = 22
      (piece[22], piece[23]) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))
      var rest = number
      repeat {
        start -= 1
        piece[start] = UInt8(ascii: "0") + UInt8(rest % 10)
        rest /= 10
      } while rest > 0
      start -= 1
      piece[start] = UInt8(ascii: mark)
      bytes.append(contentsOf: piece[start...])
    }
  }
}

/// A Lua script: called by its SHA-1 (EVALSHA), sent whole (EVAL) where the server does not know it.
package struct RedisScript: Sendable {
  /// Names the script in errors.
  package let name: String
  package let source: [UInt8]

  package init(name: String, source: [UInt8]) {
    self.name = name
    self.source = source
  }
}

/// A script with its keys and arguments.
package struct ScriptCall: Sendable {
  package let script: RedisScript
  /// What follows the script in EVAL and EVALSHA: the number of keys, the keys, the arguments.
  private(set) var operands = RedisCommand()
  /// Arguments that come after those.
  let lastArguments: RedisCommand

  /// - Parameter lastArguments: come after those that are appended. They were written down before, and may be too many to
  ///   be copied only to get the others in front.
  package init(_ script: RedisScript, keys: [String], lastArguments: RedisCommand = RedisCommand()) {
    self.script = script
    self.lastArguments = lastArguments
    operands.append(keys.count)
    for key in keys { operands.append(key) }
  }

  package mutating func append(_ argument: String) { operands.append(argument) }
  package mutating func append(_ argument: [UInt8]) { operands.append(argument) }
  package mutating func append(_ argument: some BinaryInteger) { operands.append(argument) }
}
