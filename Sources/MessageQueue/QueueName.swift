/// The name of a queue, which is also the name of its list in Redis.
package struct QueueName: Hashable, Sendable, CustomStringConvertible {
  package let description: String

  /// For a name that is known to be good.
  init(unchecked name: String) { description = name }

  /// Takes 1 to 64 letters, digits, `_`, `-`, `.` and `:`.
  ///
  /// Braces are refused because they choose the hash slot, and spaces because nobody could type the key.
  package init?(_ name: String) {
    let allowed = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: ":"):
        true
      default: false
      }
    }
    guard allowed, (1...64).contains(name.utf8.count) else { return nil }
    description = name
  }
}
