/// What the first bytes of an input tell about it. A pure value: it does no I/O.
struct InputBeginning {
  private let bytes: ArraySlice<UInt8>

  /// - Parameter bytes: the first line at least, or the first 4 KiB.
  init(_ bytes: [UInt8]) {
    self.bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
  }

  /// CSV if the first line begins no JSON object and has a cell that reads `to` or `text`; JSON lines otherwise.
  var format: InputFormat {
    if isObject { return .jsonl }
    let isHeader = CSVSeparator.allCases.contains { separator in
      let cells = cells(separator)
      return cells.contains("to") || cells.contains("text")
    }
    return isHeader ? .csv : .jsonl
  }

  /// The one that finds most of these columns in the header: a comma in a semicolon's header is part of a name.
  func separator(for columns: [String]) -> CSVSeparator {
    let found = CSVSeparator.allCases.map { separator in
      let cells = cells(separator)
      return (separator, columns.count { cells.contains($0.filter { $0 != " " }) })
    }
    return found.max { $0.1 < $1.1 }?.0 ?? .comma
  }

  /// Whether the first line is a record with a telephone number in it, where a header should be.
  var isRecord: Bool {
    CSVSeparator.allCases.contains { separator in
      let cells = cells(separator)
      return cells.count > 1
        && cells.contains { cell in
          cell.utf8.count { (0x30...0x39).contains($0) } >= 7
            && cell.utf8.allSatisfy { (0x30...0x39).contains($0) || "+-.()".utf8.contains($0) }
        }
    }
  }

  private var isObject: Bool { firstLine.first == UInt8(ascii: "{") }

  private var firstLine: ArraySlice<UInt8> {
    bytes.drop { $0.isBlank || $0 == 0x0A }.prefix { $0 != 0x0A }
  }

  /// The first line's cells, without blanks and quotes and in lower case: enough to know a header by.
  private func cells(_ separator: CSVSeparator) -> [String] {
    firstLine.split(separator: separator.rawValue, omittingEmptySubsequences: false).map { cell in
      String(decoding: cell.filter { !$0.isBlank && $0 != UInt8(ascii: "\"") }, as: UTF8.self).lowercased()
    }
  }

  /// - Throws: `InputError` for lines that end with CR alone, which would be one line with everything in it.
  func checkLineEnds(name: String, format: InputFormat) throws(InputError) {
    // Of JSON, only between two objects: elsewhere a CR is space like any other.
    let line = firstLine.dropLast(firstLine.last == 0x0D ? 1 : 0).prefix(4096)
    let isOld = line.indices.contains { index in
      guard line[index] == 0x0D else { return false }
      if format == .csv { return true }
      return line[..<index].last(where: { !$0.isBlank }) == UInt8(ascii: "}")
        && line[index...].first(where: { !$0.isBlank }) == UInt8(ascii: "{")
    }
    guard isOld else { return }
    throw InputError(
      .malformed,
      "the lines of '\(name)' end with CR alone, as on old Macs; convert it, for instance: "
        + "tr '\\r' '\\n' < FILE | smsq push --file -"
    )
  }

  /// - Throws: `InputError` for what is compressed, or UTF-16, or otherwise binary.
  func checkIsText(name: String) throws(InputError) {
    for (magic, kind, remedy) in Self.compressed where bytes.starts(with: magic) {
      throw InputError(.notText, "'\(name)' is \(kind); \(remedy)")
    }
    // Without a byte order mark it is told by the zero in its first character.
    let isUTF16 =
      bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
      || bytes.count > 3 && (bytes[bytes.startIndex] == 0) != (bytes[bytes.startIndex + 1] == 0)
        && (bytes[bytes.startIndex + 2] == 0) != (bytes[bytes.startIndex + 3] == 0)
    if isUTF16 {
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

  /// - Throws: `InputError` for JSON lines that are to be read as CSV, as their name has it.
  func checkIsNotJSON(name: String) throws(InputError) {
    guard isObject else { return }
    throw InputError(
      .header,
      "the first line of '\(name)' looks like JSON, not like a header; read it with --format jsonl"
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
