import ArgumentParser
import Reports

/// Which dead letters a command is about: ids, or what they have in common, or all.
struct DeadSelection: ParsableArguments {
  @Argument(help: ArgumentHelp("Ids of messages, as lists and logs show them.", valueName: "id"))
  var ids: [String] = []

  @Option(help: ArgumentHelp("Those whose reason has this in it, letter by letter.", valueName: "text"))
  var reason: String?

  @Option(help: ArgumentHelp("Those that died longer ago than this, such as 7d.", valueName: "time"))
  var olderThan: Duration?

  @Option(help: ArgumentHelp("Those that died more recently than this, such as 1h.", valueName: "time"))
  var newerThan: Duration?

  @Flag(help: "All of them.")
  var all = false

  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp("No more than so many, the oldest first.", valueName: "number")
  )
  var limit: Int?

  private var hasFilter: Bool { reason != nil || olderThan != nil || newerThan != nil }

  /// Nothing was said about which. A limit alone does not say it.
  var isEmpty: Bool { ids.isEmpty && !hasFilter && !all }

  func validate() throws {
    if !ids.isEmpty && (hasFilter || all || limit != nil) {
      throw ValidationError(
        "Ids say which dead letters are meant: leave out --all, --limit and what else selects them."
      )
    }
    if all && hasFilter {
      throw ValidationError("--all is all of them: leave it out, or --reason, --older-than and --newer-than.")
    }
    if reason == "" { throw ValidationError("--reason is empty: write a part of the reason, or --all.") }
    if let olderThan, let newerThan, olderThan >= newerThan {
      throw ValidationError(
        "--older-than \(olderThan.argument) with --newer-than \(newerThan.argument) leaves nothing: "
          + "give the longer time to --newer-than."
      )
    }
    if let limit, limit < 1 { throw ValidationError("--limit is \(limit): write 1 or more.") }
  }

  var filter: DeadLetterFilter {
    DeadLetterFilter(ids: ids, reason: reason, olderThan: olderThan, newerThan: newerThan, limit: limit)
  }
}
