import SMS

/// Why the first line of a CSV file is no header. What stands in it is shown only as far as it looks like names of columns:
/// where a header was forgotten, it is somebody's number and text.
enum HeaderFault {
  /// The first line is no header at all.
  case data(needed: [String])
  /// A column that is needed is not there.
  case missing(String, needed: [String])
  case twice(String)

  /// Names in an error, because a line has room for no more.
  private static let mostShown = 12

  /// - Parameter columns: what the first line names.
  func error(_ columns: [String]) -> InputError {
    switch self {
    case _ where columns.contains(where: Self.looksLikeData), .data:
      return InputError(
        .header,
        "the first line looks like data, not like a header; write the columns' names in a line above it, as in \(example)"
      )
    case .twice(let name):
      return InputError(
        .header,
        "the header names the column '\(Redacted.name(name))' twice; give each column its own name"
      )
    case .missing(let name, _):
      let shown = columns.prefix(Self.mostShown).map(Redacted.name).joined(separator: ", ")
      let others = columns.count > Self.mostShown ? ", and \(columns.count - Self.mostShown) more" : ""
      let hint: String
      if columns.count == 1, columns[0].hasPrefix("sep=") {
        hint = "leave out the line for Excel above it"
      } else if columns.count == 1, columns[0].contains(name) {
        hint = "separate the columns by commas, semicolons or tabs"
      } else {
        hint = "name the columns in the first line, as in \(example)"
      }
      return InputError(.header, "the header has no column '\(name)', only: \(shown)\(others); \(hint)")
    }
  }

  private var example: String {
    switch self {
    case .data(let needed), .missing(_, let needed): needed.joined(separator: ",")
    case .twice: "to,text"
    }
  }

  /// Whether a cell is no column's name: with as many digits as a telephone number, or as long as a text, or a sentence.
  private static func looksLikeData(_ cell: String) -> Bool {
    let scalars = cell.unicodeScalars
    return cell.hasPrefix("+") || scalars.count > 32 || cell.split(separator: " ").count > 4
      || scalars.count { $0.properties.numericType == .decimal } >= 5
      || scalars.contains { "!?，。！？；【】".unicodeScalars.contains($0) }
  }
}
