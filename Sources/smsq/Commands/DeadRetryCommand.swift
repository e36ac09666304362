import ArgumentParser

struct DeadRetryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retry",
    abstract: "Put dead letters back into the queue.",
    discussion: """
      They queue behind all that waits, the oldest first, and are messages like any other again: failures and crashes \
      count from 0, the id stays. What was wrong with them should be mended first. One whose expires_at has passed is not \
      sent, but counted as expired.

        smsq dead retry 91c5f0a2b3d4e6f7-000000002a
        smsq dead retry --reason "no country code"
        smsq dead retry --all --limit 100
      """
  )

  @OptionGroup var action: DeadActionOptions

  func validate() throws { try action.validate(.retry) }

  func run() async throws { try await action.run(.retry) }
}
