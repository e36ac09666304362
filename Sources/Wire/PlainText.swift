/// Finds what stands for itself in a JSON string, eight bytes at a time: texts are most of what is read and written.
enum PlainText {
  /// The first index from `start` on at which a character must be escaped in a JSON string or ends it: a control character, a
  /// double quote or a backslash. The number of bytes where there is none.
  static func end(in bytes: Span<UInt8>, from start: Int = 0) -> Int {
    var index = start
    let raw = bytes.bytes
    while index + 8 <= raw.byteCount {
      // Never out of bounds: the loop has counted eight bytes. All bit patterns are a UInt64.
      let word = unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
      let marks = marksOfSpecials(in: UInt64(littleEndian: word))
      if marks != 0 { return index + marks.trailingZeroBitCount / 8 }
      index += 8
    }
    while index < bytes.count, !isSpecial(bytes[index]) { index += 1 }
    return index
  }

  private static func isSpecial(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  /// Marks the first special one of eight bytes, the first being the lowest, with its top bit; what it marks above that one
  /// means nothing. Subtracting n from each byte borrows into the top bit of the lowest byte that is less than n, where that
  /// bit was not set before; a byte is c where it is less than 1 after XOR with c.
  private static func marksOfSpecials(in word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    func less(_ word: UInt64, than limit: UInt64) -> UInt64 { (word &- ones &* limit) & ~word & (ones &* 0x80) }
    let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
    let backslashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
    return less(word, than: 0x20) | less(quotes, than: 1) | less(backslashes, than: 1)
  }
}
