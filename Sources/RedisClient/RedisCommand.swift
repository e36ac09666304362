/// One Redis command: its name and arguments, as bytes of any kind.
///
/// The arguments lie one behind the other in one buffer, so that a command of a thousand arguments costs two allocations.
package struct RedisCommand: Sendable, Equatable {
  private(set) var bytes: [UInt8] = []
  private(set) var lengths: [Int] = []

  /// A command from words: `RedisCommand("GET", "key")`.
  package init(_ words: String...) {
    for word in words { append(word) }
  }

  package mutating func append(_ argument: String) {
    let start = bytes.count
    bytes.append(contentsOf: argument.utf8)
    lengths.append(bytes.count - start)
  }

  package mutating func append(_ argument: [UInt8]) {
    bytes.append(contentsOf: argument)
    lengths.append(argument.count)
  }

  package mutating func append(_ argument: some BinaryInteger) {
    append(String(argument))
  }

  /// The number of arguments so far, the command's name among them.
  package var count: Int { lengths.count }
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

  package init(_ script: RedisScript, keys: [String]) {
    self.script = script
    operands.append(keys.count)
    for key in keys { operands.append(key) }
  }

  package mutating func append(_ argument: String) { operands.append(argument) }
  package mutating func append(_ argument: [UInt8]) { operands.append(argument) }
  package mutating func append(_ argument: some BinaryInteger) { operands.append(argument) }
}
