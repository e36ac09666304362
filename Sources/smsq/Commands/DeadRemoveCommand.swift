import ArgumentParser

struct DeadRemoveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove",
    abstract: "Delete dead letters for good.",
    discussion: """
        smsq dead remove 91c5f0a2b3d4e6f7-000000002a
        smsq dead remove --older-than 7d

      An id that was given to such a message with push is free again: the same id can be pushed at once.

      To keep what is removed, list more than that: what dies or grows old between the two commands is left alone.
        smsq dead list --older-than 1h --json > dead.jsonl &&
          smsq dead remove --older-than 2h --yes
      """
  )

  @OptionGroup var action: DeadActionOptions

  func validate() throws { try action.validate(.remove) }

  func run() async throws { try await action.run(.remove) }
}
