import ArgumentParser

/// A type whose parser can say what is wrong with a value.
///
/// ArgumentParser's `ExpressibleByArgument` can only return nil, and the user then reads that a value is invalid but
/// not why. Its `transform:` carries the reason but loses the default in the help. The initializers below do both, so
/// that `@Option var lease: Duration = .seconds(10)` is all there is to write.
protocol ExplainedArgument: Sendable {
  /// - Throws: `ValidationError` that says what is accepted.
  init(explaining argument: String) throws

  /// The value as one would write it on the command line.
  var argument: String { get }
}

extension Option where Value: ExplainedArgument {
  /// An option with a default, which the help shows.
  init(wrappedValue: Value, name: NameSpecification = .long, help: ArgumentHelp? = nil) {
    var help = help ?? ArgumentHelp()
    help.abstract += "\(help.abstract.isEmpty ? "" : " ")(default: \(wrappedValue.argument))"
    self.init(wrappedValue: wrappedValue, name: name, help: help, transform: { try Value(explaining: $0) })
  }
}

extension Option {
  /// An option that may be left out.
  init<T: ExplainedArgument>(
    wrappedValue: T? = nil,
    name: NameSpecification = .long,
    help: ArgumentHelp? = nil
  ) where Value == T? {
    self.init(name: name, help: help, transform: { try T(explaining: $0) })
  }
}
