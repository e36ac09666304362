import ArgumentParser
import SMS
import Wire

/// A text with places for the columns of a file: `Dear {name}, ...`. `{{` and `}}` stand for the braces themselves.
struct TextTemplate: Equatable {
  private enum Part: Equatable {
    case text(String)
    case column(String)
  }

  private var parts: [Part] = []

  /// The names in braces, in lower case as those of a CSV's columns, each once and in order.
  private(set) var columns: [String] = []

  /// - Throws: `ValidationError` for a brace that is alone, and for `{}`.
  init(_ template: String) throws {
    var rest = template[...]
    var text = ""
    while let character = rest.popFirst() {
      if (character == "{" || character == "}") && rest.first == character {
        rest.removeFirst()
        text.append(character)
      } else if character == "{" {
        let name = String(rest.prefix { $0 != "}" && $0 != "{" })
        rest = rest.dropFirst(name.count)
        let column = name.trimmed().lowercased()
        guard rest.popFirst() == "}", !column.isEmpty else { throw Self.alone("{", template) }
        parts += [.text(text), .column(column)]
        text = ""
        if !columns.contains(column) { columns.append(column) }
      } else if character == "}" {
        throw Self.alone("}", template)
      } else {
        text.append(character)
      }
    }
    parts.append(.text(text))
  }

  /// - Parameter fields: by their names in lower case.
  /// - Throws: `InputError` that names a column which is not there.
  func filled(with fields: [String: String]) throws(InputError) -> String {
    var result = ""
    for part in parts {
      switch part {
      case .text(let text): result += text
      case .column(let name):
        guard let value = fields[name] else {
          throw InputError(
            .malformed,
            "there is no '\(name)' for {\(name)}, only: "
              + fields.keys.sorted().prefix(12).map(Redacted.name).joined(separator: ", ")
          )
        }
        result += value
      }
    }
    return result
  }

  private static func alone(_ brace: String, _ template: String) -> ValidationError {
    ValidationError("'\(template)' has a \(brace) alone: write {name} for a column, {{ and }} for braces")
  }
}
