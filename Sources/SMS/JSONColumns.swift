import Wire

/// The members of a JSON object as the columns of a record, by their names in lower case: strings, and numbers as they are
/// written. Members of other kinds are no columns.
package struct JSONColumns: Sendable {
  package let values: [String: String]

  /// - Throws: ``MessageError`` for what is no JSON object in UTF-8, and for two names that differ in their letters' case at
  ///   most. Whichever of the two were taken, it could be the wrong recipient.
  package init(_ line: [UInt8]) throws(MessageError) {
    try TextMessage.checkSize(of: line)
    let members: [(name: String, value: String?)]
    do throws(WireError) {
      members = try Self.members(of: line)
    } catch {
      throw ForeignPayload.explaining(MessageError(error), of: line)
    }
    var names: [String: String] = [:]
    var values: [String: String] = [:]
    for (name, value) in members {
      let column = name.lowercased()
      if let other = names.updateValue(name, forKey: column) {
        throw MessageError(
          .duplicateField,
          other == name
            ? "'\(Redacted.name(name))' is there twice: write it once"
            : "'\(Redacted.name(other))' and '\(Redacted.name(name))' are one column: write it once"
        )
      }
      values[column] = value
    }
    self.values = values
  }

  private static func members(of line: [UInt8]) throws(WireError) -> [(name: String, value: String?)] {
    var reader = try JSONReader(line)
    var members: [(name: String, value: String?)] = []
    while let name = try reader.nextName()?.text(in: line) { members.append((name, try reader.stringOrNumber())) }
    return members
  }
}
