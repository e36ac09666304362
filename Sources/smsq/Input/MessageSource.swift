import ArgumentParser

import Glibc

/// How the lines of an input are to be read.
enum InputFormat: String, CaseIterable, ExpressibleByArgument {
  /// By the file's extension, or else by its first line.
  case auto
  /// One JSON object a line.
  case jsonl
  /// CSV whose first line names the columns, between commas, semicolons or tabs.
  case csv
}

/// What one line says, not yet validated as a message.
enum PushFields: Equatable {
  /// A JSON line as it stands in the file: it becomes the payload.
  case json([UInt8])
  /// A CSV record, column -> value. Column names are in lower case. An empty cell is left out, `to` and `text` excepted.
  case columns([String: String])
}

/// One line of a bulk input.
struct BulkLine {
  /// The line from 1 where it began.
  var number: Int
  var result: Result<PushFields, InputError>
}

/// The messages of a `.jsonl`, `.csv` or `.tsv` file, or of standard input. Reading is synchronous and blocks.
final class MessageSource: Sequence, IteratorProtocol {
  /// The size of the whole input, where it is known: a regular file, also as standard input.
  let totalBytes: Int?
  /// `jsonl` or `csv`, never `auto`.
  let format: InputFormat

  var bytesConsumed: Int { lines.bytesConsumed }

  private let descriptor: Int32
  private let lines: LineReader
  private let csv: CSVReader?

  /// Opens the input and, for CSV, reads its header. Waits for the first line: on a terminal, for the user.
  ///
  /// - Parameters:
  ///   - path: a file, or `-` for standard input.
  ///   - original: what `path` is a copy of, for errors and for the extension; nil if it is none.
  ///   - format: `auto` goes by the extension, and by the first line if the extension says nothing.
  ///   - columns: what the header of a CSV must name.
  ///   - substitutes: columns that may stand in place of these, by their names.
  /// - Throws: `InputError` if the input cannot be read at all; what is wrong with one line is that line's result.
  convenience init(
    path: String,
    copyOf original: String? = nil,
    format: InputFormat = .auto,
    columns: [String] = ["to", "text"],
    substitutes: [String: String] = [:]
  ) throws(InputError) {
    let name = (original ?? path) == "-" ? "standard input" : original ?? path
    if path == "-" {
      // A copy, so that every descriptor here is ours to close.
      let descriptor = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
      guard descriptor >= 0 else { throw InputError(errorNumber: errno, name: name) }
      try self.init(descriptor: descriptor, name: name, format: format, columns: columns, substitutes: substitutes)
    } else {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw InputError(errorNumber: errno, name: name) }
      try self.init(descriptor: descriptor, name: name, format: format, columns: columns, substitutes: substitutes)
    }
  }

  /// - Parameters:
  ///   - descriptor: is closed with this object.
  ///   - name: what error messages call the input; its extension may tell the format.
  ///   - bufferSize: bytes per read(2).
  init(
    descriptor: Int32,
    name: String,
    format: InputFormat = .auto,
    columns: [String] = ["to", "text"],
    substitutes: [String: String] = [:],
    bufferSize: Int = LineReader.defaultBufferSize
  ) throws(InputError) {
    self.descriptor = descriptor
    lines = LineReader(descriptor: descriptor, name: name, bufferSize: bufferSize)
    var status = stat()
    let kind = fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : 0
    // Standard input may already have been read in part.
    let offset = Swift.max(0, Int(lseek(descriptor, 0, SEEK_CUR)))
    totalBytes = kind == S_IFREG ? Swift.max(0, Int(status.st_size) - offset) : nil

    do throws(InputError) {
      // open(2) takes a directory, and only read(2) would refuse it.
      if kind == S_IFDIR { throw InputError(errorNumber: EISDIR, name: name) }
      let beginning = InputBeginning(lines.peek())
      try beginning.checkIsText(name: name)
      let named = format == .auto ? InputFormat(fileName: name) : format
      self.format = named ?? beginning.format
      try beginning.checkLineEnds(name: name, format: self.format)
      if self.format == .csv {
        try beginning.checkIsNotJSON(name: name)
        if beginning.isRecord { throw HeaderFault.data(needed: columns).error([]) }
        let reader = try CSVReader(lines: lines, separator: beginning.separator(for: columns))
        let missing = columns.first { column in
          ![column, substitutes[column]].contains { $0.map(reader.columns.contains) ?? false }
        }
        if let missing {
          throw HeaderFault.missing(missing, needed: columns).error(reader.columns)
        }
        csv = reader
      } else if named == nil, beginning.isRecord {
        throw HeaderFault.data(needed: columns).error([])
      } else {
        try beginning.checkIsNotArray(name: name)
        csv = nil
      }
    } catch {
      // `csv` is not set yet, and deinit does not run for an object that is not whole.
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// The next line, or nil at the end. Blank lines are skipped.
  func next() -> BulkLine? {
    if let csv { return csv.next().map { record in message(from: record, columns: csv.columns) } }
    while let line = lines.next() {
      if case .success(let bytes) = line.content, bytes.allSatisfy(\.isBlank) { continue }
      return BulkLine(number: line.number, result: line.content.map(PushFields.json))
    }
    return nil
  }

  private func message(from record: CSVReader.Record, columns: [String]) -> BulkLine {
    let result = record.values.map { values in
      var fields: [String: String] = [:]
      for (column, value) in zip(columns, values) where !value.isEmpty || column == "to" || column == "text" {
        fields[column] = value
      }
      return PushFields.columns(fields)
    }
    return BulkLine(number: record.number, result: result)
  }
}

extension InputFormat {
  /// nil if the extension says nothing.
  init?(fileName: String) {
    let name = fileName.lowercased()
    if [".jsonl", ".ndjson", ".json"].contains(where: name.hasSuffix) {
      self = .jsonl
    } else if [".csv", ".tsv"].contains(where: name.hasSuffix) {
      self = .csv
    } else {
      return nil
    }
  }
}
