#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// The part of ArgumentParser's description of a tool (`_dumpHelp()`, serialization version 0) that is needed to give
/// options from environment variables.
struct CommandTree: Decodable, Equatable {
  var command: Command

  struct Command: Decodable, Equatable {
    var commandName: String
    var aliases: [String]?
    /// ArgumentParser 1.8 gives it only if that subcommand's configuration spells out its `commandName`.
    var defaultSubcommand: String?
    var subcommands: [Command]?
    var arguments: [Argument]?

    /// The subcommand of this name or alias.
    func subcommand(named name: String) -> Command? {
      subcommands?.first { $0.commandName == name || $0.aliases?.contains(name) == true }
    }

    /// This command and all below it.
    var all: [Command] { [self] + (subcommands ?? []).flatMap(\.all) }

    var namedArguments: [Argument] { (arguments ?? []).filter { $0.kind != "positional" } }
  }

  struct Argument: Decodable, Equatable {
    struct Name: Decodable, Equatable {
      /// `long`, `short` or `longWithSingleDash`.
      var kind: String
      var name: String
    }

    /// `positional`, `option` or `flag`.
    var kind: String
    var isRepeating: Bool
    /// As in ArgumentParser; `unconditional` takes the next argument whatever it looks like.
    var parsingStrategy: String
    var names: [Name]?

    var isFlag: Bool { kind == "flag" }
    var longNames: [String] { (names ?? []).filter { $0.kind == "long" }.map(\.name) }
    var shortNames: [String] { (names ?? []).filter { $0.kind == "short" }.map(\.name) }
  }

  /// - Parameter dumpHelp: what `_dumpHelp()` of the root command returned.
  /// - Throws: `DecodingError` if ArgumentParser's format is not the one known here.
  init(dumpHelp: String) throws {
    self = try JSONDecoder().decode(CommandTree.self, from: Data(dumpHelp.utf8))
  }
}
