import ArgumentParser
import Reports

/// The command line with what `SMSQ_<OPTION>` variables add to it: `SMSQ_LEASE=30s` acts as `--lease=30s` where the
/// command line does not say `--lease` itself.
///
/// The added arguments go right behind the subcommand's name, in the `--option=value` form, so that no positional
/// argument and no `--` can be mistaken for theirs. Options that take several values up to the next option have no
/// variable, because behind `--option=value` they would go on to take the positional arguments.
struct EnvironmentArguments {
  /// One argument that a variable added.
  struct Addition: Equatable {
    var variable: String
    /// With its dashes, as in `--lease`.
    var option: String
  }

  /// What to parse, without the program's name.
  private(set) var arguments: [String]
  private(set) var additions: [Addition] = []
  /// One line for each variable that no command knows. For standard error.
  private(set) var warnings: [String] = []

  /// - Parameters:
  ///   - argv: the command line without the program's name.
  ///   - environment: the variables of the process, those at least that begin with `SMSQ_`. An empty value counts as not
  ///     set.
  ///   - notUTF8: those variables that are no text, which must not be read as if they were.
  ///   - tree: the root command. Asked for only if there is a variable to look at.
  ///   - reserved: variables that mean something elsewhere and deserve no warning.
  /// - Throws: `ValidationError` if a flag's variable is neither true nor false, ``Failure`` if one that is to be used is no
  ///   UTF-8.
  init(
    argv: [String],
    environment: [String: String],
    notUTF8: [String: StartText.NotUTF8] = [:],
    tree: @autoclosure () -> CommandTree,
    reserved: Set<String> = []
  ) throws {
    arguments = argv
    let variables = environment.filter { $0.key.hasPrefix(OptionVariable.prefix) && !$0.value.isEmpty }
    if variables.isEmpty && notUTF8.isEmpty || Self.wantsNoVariables(argv) { return }

    let root = tree().command
    let line = CommandLineScan(argv, root: root)
    let options = EnvironmentOption.all(of: line.path)
    let others = (Array(variables.keys) + notUTF8.keys).filter { variable in
      !reserved.contains(variable) && !options.contains { $0.variables.contains(variable) }
    }
    if !others.isEmpty { warnings = Self.warnings(for: others, root: root) }

    var added: [String] = []
    for option in options where !option.names.contains(where: line.given.contains) {
      for variable in option.variables {
        if let fault = notUTF8[variable] { throw Failure("the environment variable \(variable) \(fault)", .usage) }
      }
      guard let (name, variable) = option.firstSet(in: variables), let value = variables[variable] else { continue }
      let texts = try option.arguments(named: name, variable: variable, value: value)
      added += texts
      additions += texts.map { text in
        Addition(variable: variable, option: String(text.prefix { $0 != "=" }))
      }
    }
    arguments.insert(contentsOf: added, at: line.insertionIndex)
  }

  /// What to print under ArgumentParser's `message(for: error)`, so that the user looks for the mistake where it is; nil
  /// if no variable had a part in it.
  ///
  /// Without values: one of them may be a URL with a password.
  func note(forMessage message: String) -> String? {
    // An error that names no option (a validation across several) may come from any of them.
    let words = message.split { !($0.isLetter || $0.isNumber || $0 == "-") }
    let namesNone = !words.contains { $0.hasPrefix("--") && $0.count > 2 }
    var origins: [String] = []
    for addition in additions where namesNone || words.contains(where: { $0 == addition.option }) {
      let origin = "\(addition.option) from \(addition.variable)"
      if !origins.contains(origin) { origins.append(origin) }
    }
    return origins.isEmpty ? nil : "Note: the environment gave \(origins.joined(separator: ", "))"
  }

  /// Help must come up even if a variable is broken. Completion scripts ask with `---completion`.
  private static func wantsNoVariables(_ argv: [String]) -> Bool {
    let options = argv.prefix { $0 != "--" }
    return argv.first?.hasPrefix("---") == true || argv.first == "help"
      || options.contains {
        ["-h", "-help", "--help", "--help-hidden", "--version", "--experimental-dump-help"].contains($0)
      }
  }

  private static func warnings(for variables: [String], root: CommandTree.Command) -> [String] {
    let known = Set(EnvironmentOption.all(of: root.all).flatMap(\.variables))
    // Often set by images and service files; they name no option that a variable could give.
    let silent: Set = ["SMSQ_HELP", "SMSQ_VERSION"]
    return variables.filter { !known.contains($0) && !silent.contains($0) }.sorted().map { variable in
      // A short name is near to every other short name, which would be no help.
      let tolerance = Swift.min(3, (variable.count - OptionVariable.prefix.count) / 3)
      let nearest = known.sorted().min { $0.distance(to: variable) < $1.distance(to: variable) }
      let isNear = nearest.map { $0.distance(to: variable) <= tolerance } ?? false
      return "Warning: no command knows \(variable)"
        + (isNear ? "; did you mean \(nearest!)?" : "; it is ignored")
    }
  }
}

extension String {
  /// The least number of characters to insert, remove or replace to make one string the other (Levenshtein).
  func distance(to other: String) -> Int {
    let other = Array(other)
    var row = Array(0...other.count)
    for (index, character) in enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for (column, otherCharacter) in other.enumerated() {
        let replaced = diagonal + (character == otherCharacter ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = Swift.min(replaced, diagonal + 1, row[column] + 1)
      }
    }
    return row[other.count]
  }
}
