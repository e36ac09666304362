import ArgumentParser
import Reports
import Wire

/// One option, or one flag together with its `--no-` form, that an environment variable can give.
struct EnvironmentOption {
  /// Every way to write it on the command line, with dashes; `--no-x` and the like included.
  var names: [String]
  /// The long names that have a variable, without dashes.
  private var longNames: [String]
  private var isFlag: Bool
  private var isRepeating: Bool
  /// Whether `--no-<name>` exists for the long names.
  private var hasInversion: Bool

  /// The options of all `commands`, each name once: where a command and a subcommand share one, the first has it.
  static func all(of commands: [CommandTree.Command]) -> [EnvironmentOption] {
    let arguments = commands.flatMap { command in
      let flags = Set(command.namedArguments.filter(\.isFlag).flatMap(\.longNames))
      return command.namedArguments.map { ($0, flags) }
    }
    var seen: Set<String> = ["help", "help-hidden", "version"]
    return arguments.compactMap { argument, flags in
      let inverted = argument.longNames.filter { argument.isFlag && flags.contains("no-" + $0) }
      let isInversion = argument.isFlag && argument.longNames.contains { $0.isInversion(of: flags) }
      let takesRest = ["upToNextOption", "allRemainingInput"].contains(argument.parsingStrategy)
      let longNames = argument.longNames.filter { seen.insert($0).inserted }
      if longNames.isEmpty || isInversion || takesRest { return nil }
      return EnvironmentOption(
        names: argument.longNames.map { "--" + $0 } + argument.shortNames.map { "-" + $0 }
          + inverted.map { "--no-" + $0 },
        longNames: longNames,
        isFlag: argument.isFlag,
        isRepeating: argument.isRepeating,
        hasInversion: !inverted.isEmpty
      )
    }
  }

  var variables: [String] { longNames.map(OptionVariable.name(of:)) }

  /// The first of its variables that is set, and the long name that belongs to it.
  func firstSet(in variables: [String: String]) -> (name: String, variable: String)? {
    longNames.map { ($0, OptionVariable.name(of: $0)) }.first { variables[$0.1] != nil }
  }

  /// What to put on the command line.
  ///
  /// - Throws: `ValidationError` if this is a flag and `value` neither true nor false.
  func arguments(named name: String, variable: String, value: String) throws -> [String] {
    if isFlag {
      let isOn = try Self.boolean(value, variable: variable)
      return isOn ? ["--" + name] : hasInversion ? ["--no-" + name] : []
    }
    guard isRepeating else { return ["--\(name)=\(value)"] }
    return value.split(separator: ",").map { String($0).trimmed() }.filter { !$0.isEmpty }.map { "--\(name)=\($0)" }
  }

  private static func boolean(_ value: String, variable: String) throws -> Bool {
    switch value.lowercased() {
    case "1", "true", "yes", "on": return true
    case "0", "false", "no", "off": return false
    default:
      throw ValidationError(
        "The environment variable \(variable) is '\(value)'; write 1, true, yes or on, or else 0, false, no or off"
      )
    }
  }
}

extension String {
  /// True for `no-x` if there is an `x` too. A lone `--no-x` is a flag like any other.
  fileprivate func isInversion(of names: Set<String>) -> Bool {
    hasPrefix("no-") && names.contains(String(dropFirst(3)))
  }
}
