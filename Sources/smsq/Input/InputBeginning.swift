/// What the first bytes of an input tell about it. A pure value: it does no I/O.
struct InputBeginning {
  private let bytes: ArraySlice<UInt8>

  /// - Parameter bytes: the first line at least, or the first 4 KiB.
  init(_ bytes: [UInt8]) {
    self.bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
  }

  /// CSV if the first line begins no JSON object and has a cell that reads `to` or `text`; JSON lines otherwise.
  var format: InputFormat {
    let line = bytes.prefix { $0 != 0x0A }
    if line.first(where: { !$0.isBlank }) == UInt8(ascii: "{") { return .jsonl }
    let cells = line.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { cell in
      String(decoding: cell.filter { !$0.isBlank && $0 != UInt8(ascii: "\"") }, as: UTF8.self).lowercased()
    }
    return cells.contains("to") || cells.contains("text") ? .csv : .jsonl
  }

  /// - Throws: `InputError` for what is compressed, or UTF-16, or otherwise binary.
  func checkIsText(name: String) throws(InputError) {
    for (magic, kind, remedy) in Self.compressed where bytes.starts(with: magic) {
      throw InputError(.notText, "'\(name)' is \(kind); \(remedy)")
    }
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw InputError(
        .notText,
        "'\(name)' is UTF-16; save it as UTF-8, or pipe it in: iconv -f UTF-16 -t UTF-8 FILE | smsq push --file -"
      )
    }
    if bytes.contains(0) {
      throw InputError(.notText, "'\(name)' is binary, not lines of text; give a .jsonl or .csv file in UTF-8")
    }
  }

  /// - Throws: `InputError` for a JSON array, whose first line alone would be no message.
  func checkIsNotArray(name: String) throws(InputError) {
    guard bytes.first(where: { !$0.isBlank && $0 != 0x0A }) == UInt8(ascii: "[") else { return }
    throw InputError(
      .malformed,
      "'\(name)' is a JSON array; give one object a line, for instance: jq -c '.[]' FILE | smsq push --file -"
    )
  }

  private static let compressed: [(magic: [UInt8], kind: String, remedy: String)] = [
    ([0x1F, 0x8B], "compressed with gzip", "pipe it in: gzip -dc FILE | smsq push --file -"),
    ([0x28, 0xB5, 0x2F, 0xFD], "compressed with zstd", "pipe it in: zstd -dc FILE | smsq push --file -"),
    ([0xFD, 0x37, 0x7A, 0x58, 0x5A], "compressed with xz", "pipe it in: xz -dc FILE | smsq push --file -"),
    ([0x42, 0x5A, 0x68], "compressed with bzip2", "pipe it in: bzip2 -dc FILE | smsq push --file -"),
    ([0x50, 0x4B, 0x03, 0x04], "a zip archive or a spreadsheet", "unpack it, or save the sheet as CSV in UTF-8"),
  ]
}

extension UInt8 {
  /// A space, a tab or a carriage return.
  var isBlank: Bool { self == 0x20 || self == 0x09 || self == 0x0D }
}
