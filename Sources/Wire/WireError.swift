/// Why bytes were not read, and where the fault is.
///
/// A reader knows the format and not what it is used for. So the description is the end of a sentence that its caller
/// begins with what it calls the bytes: `is not valid JSON at byte 6: there should be a colon`. It says where, but never
/// what stands there: that may be a secret.
package struct WireError: Error, Hashable, CustomStringConvertible {
  package enum Code: Sendable {
    case invalidUTF8
    case invalidJSON
    case invalidPHP
    /// There is nothing but space.
    case empty
    /// A JSON text that is no object.
    case notAnObject
    /// A member's value is of another kind than it should be.
    case wrongType
    /// A member is there twice.
    case duplicateMember
  }

  package let code: Code
  package let description: String
  /// The member that it is about; nil where it is about the whole.
  package private(set) var member: String?

  package init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }

  /// The same of one member.
  package func of(member: some CustomStringConvertible) -> WireError {
    var error = self
    error.member = member.description
    return error
  }
}

/// Whether bytes are all ASCII.
///
/// - Throws: `invalidUTF8`.
func isASCII(checking bytes: [UInt8]) throws(WireError) -> Bool {
  do {
    return try UTF8Span(validating: bytes.span).isKnownASCII
  } catch {
    throw WireError(
      .invalidUTF8,
      "is not valid UTF-8 at byte \(error.byteOffsets.lowerBound + 1): write it in UTF-8, and not in GBK or Latin-1"
    )
  }
}
