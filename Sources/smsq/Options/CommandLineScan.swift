/// Which command a command line names and which options it gives, read as ArgumentParser will read it.
struct CommandLineScan {
  /// The root command, the subcommand, its subcommand...
  private(set) var path: [CommandTree.Command]
  /// The index behind the last subcommand's name, where arguments can be added.
  private(set) var insertionIndex = 0
  /// Options with their dashes, as in `--lease` and `-l`.
  private(set) var given: Set<String> = []

  /// - Parameter argv: the command line without the program's name.
  init(_ argv: [String], root: CommandTree.Command) {
    path = [root]
    var index = 0
    var mayBeSubcommand = true
    while index < argv.count, argv[index] != "--" {
      let argument = argv[index]
      index += 1
      if argument.hasPrefix("-"), argument != "-" {
        let option = readOption(argument)
        // ArgumentParser looks for a subcommand only behind options that it knows already.
        if !option.isKnown { mayBeSubcommand = false }
        if let taker = option.valueTaker, index < argv.count {
          let takesAnything = taker.parsingStrategy == "unconditional"
          if takesAnything || !argv[index].hasPrefix("-") || argv[index] == "-" { index += 1 }
        }
      } else if mayBeSubcommand, let subcommand = path.last?.subcommand(named: argument) {
        path.append(subcommand)
        insertionIndex = index
      } else {
        mayBeSubcommand = false
      }
    }
    while let name = path.last?.defaultSubcommand, let subcommand = path.last?.subcommand(named: name) {
      path.append(subcommand)
    }
  }

  /// Notes what `argument` gives and returns the option, if any, whose value is the next argument.
  private mutating func readOption(_ argument: String) -> (isKnown: Bool, valueTaker: CommandTree.Argument?) {
    let name = String(argument.prefix { $0 != "=" })
    let hasValue = name.count < argument.count
    given.insert(name)
    if name.hasPrefix("--") {
      let option = find { $0.longNames.contains(String(name.dropFirst(2))) }
      return (option != nil, hasValue || option?.isFlag == true ? nil : option)
    }
    // -c 4, -c4, -c=4, or flags in a row as in -vq.
    let letters = name.dropFirst()
    for (position, letter) in letters.enumerated() {
      guard let option = find({ $0.shortNames.contains(String(letter)) }) else { return (position > 0, nil) }
      given.insert("-\(letter)")
      if !option.isFlag {
        let isLast = position == letters.count - 1
        return (true, isLast && !hasValue ? option : nil)
      }
    }
    return (true, nil)
  }

  private func find(_ matches: (CommandTree.Argument) -> Bool) -> CommandTree.Argument? {
    path.lazy.flatMap(\.namedArguments).first(where: matches)
  }
}
