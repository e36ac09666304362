import ArgumentParser
import Testing

import MessageQueue
import RedisClient
import Reports
@testable import smsq

@Suite("Selecting dead letters")
struct DeadSelectionTests {
  private func parse(_ arguments: String) throws -> any ParsableCommand {
    try Smsq.parseAsRoot(arguments.split(separator: " ").map(String.init))
  }

  private func selection(_ arguments: String) throws -> DeadSelection {
    try #require(try parse("dead list \(arguments)") as? DeadListCommand).selection
  }

  @Test(
    "What cannot be meant is refused, with advice",
    arguments: [
      ("retry", "Say which"), ("remove", "Say which"), ("retry --limit 5", "Say which"),
      ("remove --yes --json", "Say which"), ("retry a --all", "leave out --all"), ("list a --reason x", "leave out"),
      ("remove a --limit 2", "leave out"), ("retry --all --reason x", "leave it out"),
      ("list --older-than 2h --newer-than 1h", "leaves nothing"), ("list --all --limit 0", "write 1 or more"),
      ("show", "<id>"), ("show a b", "b"), ("list --older-than 7", "has no unit"),
    ]
  )
  func refused(arguments: String, advice: String) throws {
    let error = try #require(throws: (any Error).self) { try parse("dead \(arguments)") }
    #expect(Smsq.exitCode(for: error) == .usage)
    #expect(Smsq.message(for: error).contains(advice))
  }

  @Test("An empty reason, which every reason has in it, is refused")
  func emptyReason() throws {
    let error = try #require(throws: (any Error).self) { try Smsq.parseAsRoot(["dead", "remove", "--reason", ""]) }
    #expect(Smsq.message(for: error).contains("is empty"))
  }

  @Test(
    "Subcommands take the options that all commands take",
    arguments: ["", " list", " retry --all", " remove --all", " show a"]
  )
  func options(subcommand: String) throws {
    let arguments = try EnvironmentArguments(
      argv: "dead\(subcommand)".split(separator: " ").map(String.init),
      environment: ["SMSQ_QUEUE": "otp", "SMSQ_REDIS": "redis://there:7000/2"],
      tree: .smsq
    )
    #expect(arguments.warnings == [])
    let command = try Smsq.parseAsRoot(arguments.arguments)
    let (queue, redis) =
      switch command {
      case let list as DeadListCommand: (list.queueOption.queue, list.redis.endpoint)
      case let show as DeadShowCommand: (show.queueOption.queue, show.redis.endpoint)
      case let retry as DeadRetryCommand: (retry.action.queueOption.queue, retry.action.redis.endpoint)
      case let remove as DeadRemoveCommand: (remove.action.queueOption.queue, remove.action.redis.endpoint)
      default: (QueueName.sms, RedisEndpoint(host: "127.0.0.1"))
      }
    #expect(queue.description == "otp")
    #expect(redis.description.contains("there:7000"))
  }

  @Test("Without a subcommand it lists")
  func lists() throws {
    #expect(try #require(try parse("dead") as? DeadListCommand).selection.isEmpty)
    #expect(try #require(try parse("dead --json --reason x -n 3") as? DeadListCommand).selection.limit == 3)
    #expect(try #require(try parse("dead a") as? DeadListCommand).selection.ids == ["a"])
  }

  @Test("What is selected becomes a filter, and all is no filter at all")
  func filter() throws {
    let all = try selection("--reason x --older-than 1m --newer-than 2m -n 3").filter
    let expected = DeadLetterFilter(reason: "x", olderThan: .seconds(60), newerThan: .seconds(120), limit: 3)
    #expect(all == expected)
    #expect(try selection("a b").filter == DeadLetterFilter(ids: ["a", "b"]))
    #expect(try selection("--all").filter == DeadLetterFilter())
  }
}
