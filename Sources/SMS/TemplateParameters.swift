import Wire

/// What a provider puts into its template: an object of names and values, or a list of values alone, as JSON.
package struct TemplateParameters: Sendable, Equatable {
  package let json: [UInt8]

  /// - Parameter text: what a cell of a file holds.
  /// - Throws: `invalid_template` for what is no object and no list.
  package init(json text: String) throws(MessageError) {
    json = Array(text.trimmed().utf8)
    guard let first = json.first, Self.mayBegin(first), Self.isOneValue(json) else { throw Self.wrongType }
  }

  /// - Parameter arguments: `name=value` each, or a value alone each.
  /// - Throws: `invalid_template` for some of both, a name that is empty, or one twice.
  package init(arguments: [String]) throws(MessageError) {
    var names: Set<Substring> = []
    var members: [UInt8] = []
    for argument in arguments {
      if !members.isEmpty { members.append(UInt8(ascii: ",")) }
      guard let equals = argument.firstIndex(of: "=") else {
        JSONText.append(argument, to: &members)
        continue
      }
      let name = argument[..<equals]
      guard !name.isEmpty else {
        throw MessageError(.invalidTemplate, "a template's parameter has no name before its =: write name=value")
      }
      guard names.insert(name).inserted else {
        throw MessageError(.invalidTemplate, "the template's parameter '\(Redacted.name(String(name)))' is there twice")
      }
      JSONText.append(String(name), to: &members)
      members.append(UInt8(ascii: ":"))
      JSONText.append(String(argument[argument.index(after: equals)...]), to: &members)
    }
    guard names.isEmpty || names.count == arguments.count else {
      throw MessageError(
        .invalidTemplate,
        "some of the template's parameters have names and others have none: write name=value for each, or values alone"
      )
    }
    json =
      names.isEmpty
      ? [UInt8(ascii: "[")] + members + [UInt8(ascii: "]")] : [UInt8(ascii: "{")] + members + [UInt8(ascii: "}")]
  }

  /// Whether a value that begins so is an object, a list or null.
  static func mayBegin(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "n")
  }

  static var wrongType: MessageError {
    MessageError(
      .invalidTemplate,
      "'template_params' is neither an object nor a list: write it as {\"code\":\"123456\"} or [\"123456\"], and not as a string"
    )
  }

  /// Whether it is one value and nothing behind it, which could be a member of its own.
  private static func isOneValue(_ json: [UInt8]) -> Bool {
    do throws(WireError) {
      var reader = try JSONReader(Array("{\"_\":".utf8) + json + [UInt8(ascii: "}")])
      guard try reader.nextName() != nil else { return false }
      try reader.skipValue()
      return try reader.nextName() == nil
    } catch {
      return false
    }
  }
}
