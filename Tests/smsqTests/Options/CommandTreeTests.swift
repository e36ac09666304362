import ArgumentParser
import Foundation
import Testing

@testable import smsq

@Suite("The table of commands and their options")
struct CommandTreeTests {
  @Test("It says what ArgumentParser says of smsq")
  func isComplete() throws {
    let truth = try CommandTree(dumpHelp: Smsq._dumpHelp())
    let table = CommandTree.smsq
    #expect(
      table == truth,
      "CommandTree+Table.swift has to be:\n\(truth.command.lines(under: []).joined(separator: "\n"))"
    )
  }

  @Test("A line of it is a command with its default subcommand, its options and its flags")
  func lines() {
    let tree = CommandTree(table: "a\na b (c) --one= --two\na b c --three=... -n/--four=")
    let c = CommandTree.Command(
      commandName: "c",
      namedArguments: [
        .init(longNames: ["three"], isRepeating: true), .init(longNames: ["four"], shortNames: ["n"]),
      ]
    )
    let b = CommandTree.Command(
      commandName: "b",
      defaultSubcommand: "c",
      subcommands: [c],
      namedArguments: [.init(longNames: ["one"]), .init(longNames: ["two"], isFlag: true)]
    )
    #expect(tree.command == CommandTree.Command(commandName: "a", subcommands: [b]))
    #expect(tree.command.lines(under: []) == ["a", "a b (c) --one= --two", "a b c --three=... --four/-n="])
  }
}

extension CommandTree {
  /// - Parameter dumpHelp: what `_dumpHelp()` of a root command returned, ArgumentParser's description of a tool.
  /// - Throws: `DecodingError` if it is not of serialization version 0, which ArgumentParser 1.8 writes.
  init(dumpHelp: String) throws {
    self.init(command: try JSONDecoder().decode(Dump.self, from: Data(dumpHelp.utf8)).command.command)
  }
}

private struct Dump: Decodable {
  var command: Command

  struct Command: Decodable {
    var commandName: String
    var aliases: [String]?
    /// ArgumentParser 1.8 gives it only if that subcommand's configuration spells out its `commandName`.
    var defaultSubcommand: String?
    var subcommands: [Command]?
    var arguments: [Argument]?

    var command: CommandTree.Command {
      CommandTree.Command(
        commandName: commandName,
        aliases: aliases ?? [],
        defaultSubcommand: defaultSubcommand,
        subcommands: (subcommands ?? []).map(\.command),
        namedArguments: (arguments ?? []).filter { $0.kind != "positional" }.map(\.argument).filter {
          Set($0.longNames).isDisjoint(with: ["help", "version"])
        }
      )
    }
  }

  struct Argument: Decodable {
    struct Name: Decodable {
      /// `long`, `short` or `longWithSingleDash`.
      var kind: String
      var name: String
    }

    /// `positional`, `option` or `flag`.
    var kind: String
    var isRepeating: Bool
    var parsingStrategy: String
    var names: [Name]?

    var argument: CommandTree.Argument {
      CommandTree.Argument(
        longNames: (names ?? []).filter { $0.kind == "long" }.map(\.name),
        shortNames: (names ?? []).filter { $0.kind == "short" }.map(\.name),
        isFlag: kind == "flag",
        isRepeating: isRepeating,
        parsingStrategy: parsingStrategy
      )
    }
  }
}

extension CommandTree.Command {
  /// The lines of a table that make this command and all below it.
  fileprivate func lines(under path: [String]) -> [String] {
    let path = path + [commandName]
    let options = namedArguments.map { argument in
      let names = argument.longNames.map { "--" + $0 } + argument.shortNames.map { "-" + $0 }
      return names.joined(separator: "/") + (argument.isFlag ? "" : argument.isRepeating ? "=..." : "=")
    }
    let line = path + (defaultSubcommand.map { ["(\($0))"] } ?? []) + options
    return [line.joined(separator: " ")] + subcommands.flatMap { $0.lines(under: path) }
  }
}
