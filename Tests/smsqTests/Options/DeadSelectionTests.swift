import ArgumentParser
import Testing

@testable import MessageQueue
import RedisClient
@testable import smsq

@Suite("Selecting dead letters")
struct DeadSelectionTests {
  private func parse(_ arguments: String) throws -> any ParsableCommand {
    try Smsq.parseAsRoot(arguments.split(separator: " ").map(String.init))
  }

  private func selection(_ arguments: String) throws -> DeadSelection {
    try #require(try parse("dead list \(arguments)") as? DeadListCommand).selection
  }

  private func letter(_ payload: String, id: String? = nil, reason: String? = nil) -> DeadLetter {
    let element = Element(history: .init(id: id), reason: reason, payload: [UInt8](payload.utf8))
    return DeadLetter(stored: element.sealed, score: "1000")
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

  @Test("An id is the producer's or the one assigned at the first claim")
  func ids() throws {
    let selection = try selection("a b")
    #expect(selection.matches(letter(#"{"id":"a"}"#)))
    #expect(selection.matches(letter(#"{"to":"5","id":"x"}"#, id: "b")))
    #expect(selection.matches(letter("no JSON", id: "b")))
    #expect(!selection.matches(letter("a")))
    #expect(!selection.matches(letter(#"{"id":"ab"}"#, id: "c", reason: "a b")))
    #expect(selection.foundIDs(of: letter(#"{"id":"a"}"#, id: "b")) == ["a", "b"])
  }

  @Test("An id is taken as it is", arguments: ["a", "-n", "--all", "--", ""])
  func anyID(id: String) throws {
    let selection = try DeadSelection.id(id)
    #expect(selection.ids == [id] && !selection.all)
  }

  @Test("A reason matches by any part of it")
  func reasons() throws {
    let selection = try selection("--reason throttled")
    #expect(selection.matches(letter("x", reason: "gave up after 3 attempts: throttled: too many")))
    #expect(!selection.matches(letter("throttled", reason: "poison")))
    #expect(!selection.matches(letter("throttled")))
    #expect(try self.selection("").matches(letter("x")))
    #expect(try self.selection("--all").matches(letter("x")))
  }

  @Test("Times count back from Redis' time, and no letter is on both sides of one")
  func times() throws {
    let now: Int64 = 1_000_000_000
    #expect(try selection("--older-than 1m").timesOfDeath(now: now) == (nil, now - 60_001))
    #expect(try selection("--newer-than 1m").timesOfDeath(now: now) == (now - 59_999, nil))
    let window = try selection("--newer-than 2m --older-than 1m").timesOfDeath(now: now)
    #expect(window == (now - 119_999, now - 60_001))
    #expect(try selection("--all").timesOfDeath(now: now) == (nil, nil))
  }
}
