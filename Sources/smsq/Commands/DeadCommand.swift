import ArgumentParser

struct DeadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dead",
    abstract: "Show the dead letters of a queue, try them again, or remove them.",
    discussion: """
      A message that can never be sent, or that failed too often, becomes a dead letter: whole, with the reason.

        smsq dead
        smsq dead show 91c5f0a2b3d4e6f7-000000002a
        smsq dead retry --reason throttled --newer-than 1h
        smsq dead remove --older-than 7d

      Without a subcommand it lists.
      """,
    subcommands: [DeadListCommand.self, DeadShowCommand.self, DeadRetryCommand.self, DeadRemoveCommand.self],
    defaultSubcommand: DeadListCommand.self
  )
}
