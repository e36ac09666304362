import Logging

/// The fields of a line that is written for each message, in the order in which the line shows them.
///
/// For a logger they are one value under one key. A dictionary of them, made, merged, copied and sorted for each message,
/// took three times as long as all the rest that a worker does for one.
package struct LogFields: Sendable, CustomStringConvertible, ExpressibleByDictionaryLiteral {
  package struct Field: Sendable, Equatable {
    package let name: String
    package let value: Value
  }

  package enum Value: Sendable, Equatable {
    case text(String)
    case number(Int)
  }

  package private(set) var list: [Field] = []

  package init() {
    // As many as a line has, and one for luck: an array that grows is copied.
    list.reserveCapacity(12)
  }

  package init(dictionaryLiteral fields: (String, Value)...) {
    self.init()
    for (name, value) in fields { append(name, value) }
  }

  package mutating func append(_ name: String, _ value: Value) { list.append(Field(name: name, value: value)) }

  // MARK: For a logger

  private static let key = "fields"

  package var metadata: Logger.Metadata { [Self.key: .stringConvertible(self)] }

  /// Those that ``metadata`` was made of; nil where it was made otherwise.
  package init?(_ metadata: Logger.Metadata?) {
    guard case .stringConvertible(let value)? = metadata?[Self.key], let fields = value as? LogFields else {
      return nil
    }
    self = fields
  }

  package var description: String { list.map { "\($0.name)=\($0.value)" }.joined(separator: " ") }
}

extension LogFields.Value: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, CustomStringConvertible {
  package init(stringLiteral text: String) { self = .text(text) }
  package init(integerLiteral number: Int) { self = .number(number) }

  package var description: String {
    switch self {
    case .text(let text): text
    case .number(let number): String(number)
    }
  }
}
