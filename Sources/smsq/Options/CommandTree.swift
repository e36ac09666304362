/// The commands of a tool and their options, as far as options from environment variables need them.
///
/// For smsq it is ``smsq``, a table. ArgumentParser could say it at every start, but only as 180 KB of JSON, which take longer
/// to write and to read than all the rest of a call of `smsq push`.
struct CommandTree: Equatable {
  var command: Command

  struct Command: Equatable {
    var commandName: String
    var aliases: [String] = []
    var defaultSubcommand: String?
    var subcommands: [Command] = []
    /// Its options and flags. Without what takes no dashes, and without `--help` and `--version`, which have no variable.
    var namedArguments: [Argument] = []

    /// The subcommand of this name or alias.
    func subcommand(named name: String) -> Command? {
      subcommands.first { $0.commandName == name || $0.aliases.contains(name) }
    }

    /// This command and all below it.
    var all: [Command] { [self] + subcommands.flatMap(\.all) }

    fileprivate mutating func add(_ command: Command, under path: ArraySlice<String>) {
      guard let name = path.first else { return subcommands.append(command) }
      guard let index = subcommands.firstIndex(where: { $0.commandName == name }) else { return }
      subcommands[index].add(command, under: path.dropFirst())
    }
  }

  struct Argument: Equatable {
    var longNames: [String] = []
    var shortNames: [String] = []
    var isFlag = false
    var isRepeating = false
    /// As in ArgumentParser; `unconditional` takes the next argument whatever it looks like.
    var parsingStrategy = "default"
  }
}

extension CommandTree {
  /// - Parameter table: one line a command, a command before its subcommands: the words that call it; its default subcommand
  ///   in parentheses; its options as `--name=` or, if they may be given several times, `--name=...`; its flags as `--name`;
  ///   several names of one as `--name/-n=`.
  init(table: String) {
    command = Command(commandName: "")
    // As bytes, because Characters take longer than all the rest of reading an environment.
    for line in Array(table.utf8).split(separator: UInt8(ascii: "\n")) {
      let words = line.split(separator: UInt8(ascii: " "))
      let path = words.prefix { $0.first != UInt8(ascii: "-") && $0.first != UInt8(ascii: "(") }.map(Self.text)
      var command = Command(commandName: path.last ?? "")
      for word in words.dropFirst(path.count) {
        if word.first == UInt8(ascii: "(") {
          command.defaultSubcommand = Self.text(word.dropFirst().dropLast())
        } else {
          command.namedArguments.append(Argument(word))
        }
      }
      if path.count < 2 {
        self.command = command
      } else {
        self.command.add(command, under: path.dropFirst().dropLast())
      }
    }
  }

  fileprivate static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}

extension CommandTree.Argument {
  fileprivate init(_ word: ArraySlice<UInt8>) {
    let names = word.prefix { $0 != UInt8(ascii: "=") }
    isFlag = names.count == word.count
    isRepeating = word.count > names.count + 1
    for name in names.split(separator: UInt8(ascii: "/")) {
      if name.dropFirst().first == UInt8(ascii: "-") {
        longNames.append(CommandTree.text(name.dropFirst(2)))
      } else {
        shortNames.append(CommandTree.text(name.dropFirst()))
      }
    }
  }
}
