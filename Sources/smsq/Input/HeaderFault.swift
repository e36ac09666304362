import SMS

/// Why the first line of a CSV file is no header. What stands in it is shown only as far as it looks like names of columns:
/// where a header was forgotten, it is somebody's number and text.
enum HeaderFault {
  /// A column that is needed is not there.
  case missing(String, needed: [String])
  case twice(String)

  /// Names in an error, because a line has room for no more.
  private static let mostShown = 12

  func error(_ columns: [String]) -> InputError {
    if columns.contains(where: Self.looksLikeData) {
      return InputError(
        .header,
        "the first line looks like data, not like a header; write the columns' names in a line above it, as in \(example)"
      )
    }
    switch self {
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
    if case .missing(_, let needed) = self { needed.joined(separator: ",") } else { "to,text" }
  }

  /// Whether a cell is no column's name: with as many digits as a telephone number, or as long as a text, or a sentence.
  private static func looksLikeData(_ cell: String) -> Bool {
    let scalars = cell.unicodeScalars
    return cell.hasPrefix("+") || scalars.count > 32 || cell.split(separator: " ").count > 4
      || scalars.count { $0.properties.numericType == .decimal } >= 5
      || scalars.contains { "!?，。！？；【】".unicodeScalars.contains($0) }
  }
}
