/// The members of a JSON object as the columns of a record, by their names in lower case: strings, and numbers as they are
/// written. Members of other kinds are no columns.
package struct JSONColumns: Sendable {
  package let values: [String: String]

  /// - Throws: `MessageError`: for what is no JSON object in UTF-8, and for two names that differ in their letters' case at
  ///   most. Whichever of the two were taken, it could be the wrong recipient.
  package init(_ line: [UInt8]) throws(MessageError) {
    try TextMessage.checkSize(of: line)
    var reader: JSONReader
    do throws(MessageError) {
      reader = try JSONReader(line)
    } catch {
      throw ForeignPayload.explaining(error, of: line)
    }
    var names: [String: String] = [:]
    var values: [String: String] = [:]
    while let name = try reader.nextName()?.text(in: line) {
      let column = name.lowercased()
      if let other = names.updateValue(name, forKey: column) {
        throw MessageError(
          .duplicateField,
          other == name
            ? "'\(Redacted.name(name))' is there twice: write it once"
            : "'\(Redacted.name(other))' and '\(Redacted.name(name))' are one column: write it once"
        )
      }
      values[column] = try reader.stringOrNumber()
    }
    self.values = values
  }
}
