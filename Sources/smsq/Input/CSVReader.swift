import Wire

/// Streams the records of a CSV file (RFC 4180): fields in double quotes may hold separators, line breaks and quotes, the
/// latter doubled. The first record names the columns.
final class CSVReader: Sequence, IteratorProtocol {
  struct Record {
    /// The line, from 1, where the record began.
    var number: Int
    /// One value for each column, in their order.
    var values: Result<[String], InputError>
  }

  /// The names in the header, trimmed and in lower case.
  let columns: [String]

  private let separator: CSVSeparator
  private var records: RecordReader

  /// Reads the header.
  ///
  /// - Parameters:
  ///   - lines: the input, from its start.
  ///   - separator: what stands between fields.
  ///   - recordLimit: the longest record in bytes; a quote that is never closed is given up there.
  /// - Throws: `InputError` if there is no header, or it is malformed, or names a column twice.
  init(
    lines: LineReader,
    separator: CSVSeparator = .comma,
    recordLimit: Int = LineReader.defaultLineLimit
  ) throws(InputError) {
    var records = RecordReader(lines: lines, separator: separator, recordLimit: recordLimit)
    guard let header = records.next() else {
      throw InputError(.header, "the file is empty; its first line must name the columns, as in to,text")
    }
    let columns = try header.values.get().map { $0.trimmed().lowercased() }
    for (index, name) in columns.enumerated() where columns[..<index].contains(name) {
      throw HeaderFault.twice(name).error(columns)
    }
    self.columns = columns
    self.separator = separator
    self.records = records
  }

  /// The next record, or nil at the end. Blank lines are skipped.
  func next() -> Record? {
    guard var record = records.next() else { return nil }
    if case .success(let values) = record.values, values.count != columns.count {
      record.values = .failure(
        InputError(
          .malformed,
          "\(values.count) field\(values.count == 1 ? "" : "s") where the header names \(columns.count); "
            + "put a text that contains a \(separator.name) in double quotes"
        )
      )
    }
    return record
  }
}

/// Records of any number of fields.
///
/// A malformed record is reported and reading goes on at the line after the one where it began, so that a forgotten
/// quote costs one record and not all that it swallowed. What was swallowed is then read with every line on its own, the
/// last one excepted: otherwise each of these lines could swallow the rest again, and a bad file take quadratic time.
private struct RecordReader {
  private struct Replay {
    var line: LineReader.Line
    var alone: Bool
  }

  let lines: LineReader
  let separator: CSVSeparator
  let recordLimit: Int
  /// The lines to be read again, the next one last.
  private var replays: [Replay] = []

  init(lines: LineReader, separator: CSVSeparator, recordLimit: Int) {
    self.lines = lines
    self.separator = separator
    self.recordLimit = recordLimit
  }

  mutating func next() -> CSVReader.Record? {
    while let (first, alone) = nextLine() {
      switch first.content {
      case .failure(let error):
        return CSVReader.Record(number: first.number, values: .failure(error))
      case .success(let content) where content.allSatisfy(\.isBlank):
        continue
      case .success(let content):
        return CSVReader.Record(number: first.number, values: record(from: content, first.ending, alone: alone))
      }
    }
    return nil
  }

  private mutating func record(
    from content: [UInt8],
    _ ending: LineReader.Line.Ending,
    alone: Bool
  ) -> Result<[String], InputError> {
    var parser = CSVRecordParser(separator: separator)
    var outcome = parser.parse(content, ending: ending)
    var swallowed: [LineReader.Line] = []
    while outcome == .needsMore {
      guard !alone, let (line, _) = nextLine() else {
        outcome = .unterminated
        break
      }
      swallowed.append(line)
      guard case .success(let content) = line.content, parser.size + content.count <= recordLimit else {
        outcome = .unterminated
        break
      }
      outcome = parser.parse(content, ending: line.ending)
    }

    guard let complaint = outcome.complaint else { return parser.strings() }
    for (index, line) in swallowed.enumerated().reversed() {
      replays.append(Replay(line: line, alone: index < swallowed.count - 1))
    }
    return .failure(InputError(.malformed, complaint))
  }

  private mutating func nextLine() -> (LineReader.Line, alone: Bool)? {
    if let replay = replays.popLast() { return (replay.line, replay.alone) }
    return lines.next().map { ($0, false) }
  }
}
