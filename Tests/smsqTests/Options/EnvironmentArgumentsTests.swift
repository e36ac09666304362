import ArgumentParser
import Testing

@testable import smsq

private struct Tool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tool",
    version: "1",
    subcommands: [Work.self, Push.self, Dead.self],
    defaultSubcommand: nil
  )
}

private struct Work: ParsableCommand {
  static let configuration = CommandConfiguration(aliases: ["worker"])
  @Option(name: .shortAndLong) var lease: Duration = .seconds(10)
  @Option var drainTime = "30s"
  @Option(name: [.customShort("Q"), .customLong("queue")]) var queues: [String] = []
  @Option(parsing: .unconditional) var note = ""
  @Option(parsing: .upToNextOption) var many: [String] = []
  @Flag(inversion: .prefixedNo) var progress = true
  @Flag(name: .shortAndLong) var quiet = false
  @Flag(name: .customLong("no-color")) var noColor = false
}

private struct Push: ParsableCommand {
  @Option var redis = "none"
  @Argument var files: [String] = []
}

private struct Dead: ParsableCommand {
  static let configuration = CommandConfiguration(subcommands: [List.self], defaultSubcommand: List.self)
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list")
    @Option var limit = 10
  }
}

@Suite("Options from environment variables")
struct EnvironmentArgumentsTests {
  private let tree: CommandTree

  init() throws { tree = try CommandTree(dumpHelp: Tool._dumpHelp()) }

  private func result(_ argv: String, _ environment: [String: String]) throws -> EnvironmentArguments {
    try EnvironmentArguments(
      argv: argv.split(separator: " ").map(String.init),
      environment: environment,
      tree: tree
    )
  }

  @Test(
    "Variables become arguments behind the subcommand",
    arguments: [
      ("work", ["SMSQ_LEASE": "1m"], "work --lease=1m"),
      ("worker", ["SMSQ_DRAIN_TIME": "5s"], "worker --drain-time=5s"),
      ("work", ["SMSQ_LEASE": ""], "work"),
      ("work", ["LEASE": "1m", "PATH": "/bin"], "work"),
      ("work --lease 2s", ["SMSQ_LEASE": "1m"], "work --lease 2s"),
      ("work --lease=2s", ["SMSQ_LEASE": "1m"], "work --lease=2s"),
      ("work -l 2s", ["SMSQ_LEASE": "1m"], "work -l 2s"),
      ("work -l2s", ["SMSQ_LEASE": "1m"], "work -l2s"),
      ("work -l=2s", ["SMSQ_LEASE": "1m"], "work -l=2s"),
      ("work -ql 2s", ["SMSQ_LEASE": "1m"], "work -ql 2s"),
      ("work --note --lease", ["SMSQ_LEASE": "1m"], "work --lease=1m --note --lease"),
      ("work --note=--lease", ["SMSQ_LEASE": "1m"], "work --lease=1m --note=--lease"),
      ("work", ["SMSQ_QUEUE": "a, b,,c"], "work --queue=a --queue=b --queue=c"),
      ("work -Q b", ["SMSQ_QUEUE": "a"], "work -Q b"),
      ("work", ["SMSQ_PROGRESS": "Yes"], "work --progress"),
      ("work", ["SMSQ_PROGRESS": "off"], "work --no-progress"),
      ("work --no-progress", ["SMSQ_PROGRESS": "1"], "work --no-progress"),
      ("work", ["SMSQ_QUIET": "true"], "work --quiet"),
      ("work", ["SMSQ_QUIET": "0"], "work"),
      ("work", ["SMSQ_NO_COLOR": "1"], "work --no-color"),
      ("work", ["SMSQ_MANY": "a"], "work"),
      ("push a -- --redis", ["SMSQ_REDIS": "x=y"], "push --redis=x=y a -- --redis"),
      ("push work", ["SMSQ_REDIS": "x", "SMSQ_LEASE": "1m"], "push --redis=x work"),
      ("dead", ["SMSQ_LIMIT": "3"], "dead --limit=3"),
      ("dead list", ["SMSQ_LIMIT": "3"], "dead list --limit=3"),
      ("", ["SMSQ_LEASE": "1m"], ""),
      ("unknown", ["SMSQ_LEASE": "1m"], "unknown"),
      ("work --help", ["SMSQ_LEASE": "1m"], "work --help"),
      ("help work", ["SMSQ_QUIET": "maybe"], "help work"),
      ("work", ["SMSQ_VERSION": "2", "SMSQ_HELP": "1"], "work"),
    ] as [(String, [String: String], String)]
  )
  func table(argv: String, environment: [String: String], expected: String) throws {
    let result = try result(argv, environment)
    #expect(result.arguments.joined(separator: " ") == expected)
  }

  @Test("ArgumentParser reads what was added")
  func parses() throws {
    let result = try result("work", ["SMSQ_LEASE": "1m", "SMSQ_PROGRESS": "no", "SMSQ_QUEUE": "a,b"])
    let command = try #require(try Tool.parseAsRoot(result.arguments) as? Work)
    #expect(command.lease == .seconds(60) && !command.progress && command.queues == ["a", "b"])
  }

  @Test("A flag that is neither true nor false is an error that names the variable")
  func unclearFlag() throws {
    let error = #expect(throws: ValidationError.self) { try result("work", ["SMSQ_QUIET": "maybe"]) }
    #expect(error?.message.contains("SMSQ_QUIET") == true)
  }

  @Test("A variable that no command knows is a warning with the nearest name")
  func warnings() throws {
    let warnings = try result(
      "work",
      ["SMSQ_LEESE": "1", "SMSQ_REDIS": "x", "SMSQ_COMPLETELY_ELSE": "1", "SMSQ_RED": "1", "SMSQ_VERSION": "1"]
    ).warnings
    #expect(
      warnings == [
        "Warning: no command knows SMSQ_COMPLETELY_ELSE; it is ignored",
        "Warning: no command knows SMSQ_LEESE; did you mean SMSQ_LEASE?",
        "Warning: no command knows SMSQ_RED; it is ignored",
      ]
    )
    let reserved = try EnvironmentArguments(
      argv: [],
      environment: ["SMSQ_TEST": "1"],
      tree: tree,
      reserved: ["SMSQ_TEST"]
    )
    #expect(reserved.warnings.isEmpty)
  }

  @Test("Without variables the table is not read")
  func cost() throws {
    func unread() -> CommandTree {
      Issue.record("read")
      return .smsq
    }
    let result = try EnvironmentArguments(argv: ["work"], environment: ["HOME": "/"], tree: unread())
    #expect(result.arguments == ["work"])
  }

  @Test("An error says which variable its value came from, without the value")
  func note() throws {
    let result = try result("work", ["SMSQ_LEASE": "10", "SMSQ_DRAIN_TIME": "secret"])
    let error = #expect(throws: (any Error).self) { try Tool.parseAsRoot(result.arguments) }
    let message = Tool.message(for: try #require(error))
    #expect(result.note(forMessage: message) == "Note: the environment gave --lease from SMSQ_LEASE")
    #expect(
      result.note(forMessage: "something else")
        == "Note: the environment gave --lease from SMSQ_LEASE, --drain-time from SMSQ_DRAIN_TIME"
    )
    #expect(try self.result("work", [:]).note(forMessage: message) == nil)
  }
}
