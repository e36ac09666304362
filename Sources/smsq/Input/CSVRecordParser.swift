/// What stands between the fields of a CSV record.
enum CSVSeparator: UInt8, CaseIterable {
  // Spreadsheets write a semicolon where the comma is in numbers; tabs come from databases.
  case comma = 0x2C
  case semicolon = 0x3B
  case tab = 0x09

  /// For "a comma".
  var name: String {
    switch self {
    case .comma: "comma"
    case .semicolon: "semicolon"
    case .tab: "tab"
    }
  }
}

/// Splits one CSV record into its fields, a line at a time. A pure value: it does no I/O.
///
/// A quote inside a field that does not begin with one is taken as it stands (`5" pipe`), as spreadsheets do.
struct CSVRecordParser {
  enum Outcome {
    /// The record ended with this line.
    case complete
    /// The line ended inside quotes: the record goes on in the next one.
    case needsMore
    /// The input, or the allowed size, ended inside quotes.
    case unterminated
    /// Something other than a separator follows a closing quote.
    case textAfterQuote

    /// What to tell the user, or nil if nothing is wrong.
    var complaint: String? {
      switch self {
      case .complete, .needsMore: nil
      case .unterminated:
        "a field begins with a double quote that is never closed; close it, and write a quote inside the text as two"
      case .textAfterQuote:
        "a closing double quote is followed by more text; write a quote inside a quoted field as two"
      }
    }
  }

  private enum State {
    case fieldStart, unquoted, quoted, quoteInQuoted
  }

  private static let quote = UInt8(ascii: "\"")

  private let separator: UInt8
  private var state = State.fieldStart
  /// All fields' bytes one after the other, and where each one ends: two allocations a record instead of one a field.
  private var bytes: [UInt8] = []
  private var ends: [Int] = []

  init(separator: CSVSeparator = .comma) { self.separator = separator.rawValue }

  /// The bytes of all fields so far.
  var size: Int { bytes.count }

  /// Takes in the next line of the record.
  ///
  /// - Parameters:
  ///   - line: its bytes without the ending.
  ///   - ending: belongs to the field if the line ends inside quotes.
  mutating func parse(_ line: [UInt8], ending: LineReader.Line.Ending) -> Outcome {
    bytes.reserveCapacity(bytes.count + line.count + 2)
    for byte in line {
      switch (state, byte) {
      case (.fieldStart, Self.quote):
        state = .quoted
      case (.quoted, Self.quote):
        state = .quoteInQuoted
      case (.quoteInQuoted, Self.quote):
        bytes.append(byte)
        state = .quoted
      case (.quoted, _):
        bytes.append(byte)
      case (_, separator):
        ends.append(bytes.count)
        state = .fieldStart
      case (.quoteInQuoted, _):
        return .textAfterQuote
      default:
        bytes.append(byte)
        state = .unquoted
      }
    }
    if state == .quoted {
      bytes.append(contentsOf: ending.rawValue.utf8)
      return .needsMore
    }
    ends.append(bytes.count)
    return .complete
  }

  /// The fields of a complete record, or an error if one of them is not UTF-8.
  func strings() -> Result<[String], InputError> {
    var start = 0
    var fields: [String] = []
    fields.reserveCapacity(ends.count)
    for end in ends {
      guard let field = String(validating: bytes[start..<end], as: UTF8.self) else {
        return .failure(
          InputError(
            .notText,
            "field \(fields.count + 1) is not UTF-8; save the file as UTF-8, or convert it: "
              + "iconv -f GBK -t UTF-8, or -f WINDOWS-1252"
          )
        )
      }
      fields.append(field)
      start = end
    }
    return .success(fields)
  }
}
