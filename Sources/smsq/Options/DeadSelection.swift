import ArgumentParser
import MessageQueue
import SMS

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

  /// One id, which may look like an option.
  static func id(_ id: String) throws -> DeadSelection { try parse(["--", id]) }

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

  /// Whether the letter is meant, the times aside: by those, Redis finds it.
  func matches(_ letter: DeadLetter) -> Bool {
    if let reason, letter.element.reason?.contains(reason) != true { return false }
    return ids.isEmpty || !foundIDs(of: letter).isEmpty
  }

  /// The given ids that this letter has. It may have two, and logs name either: the producer's, and the one assigned at the
  /// first claim, which is all there is while the payload cannot be read.
  func foundIDs(of letter: DeadLetter) -> [String] {
    // By the byte, as Redis does: to Swift an ä is the same text as an a and its dots.
    let own = [PayloadGlimpse(letter.element.payload).id, letter.element.history.id].compactMap {
      $0.map { Array($0.utf8) }
    }
    return ids.filter { own.contains(Array($0.utf8)) }
  }

  /// - Parameter now: Redis' time, Unix ms.
  func timesOfDeath(now: Int64) -> (from: Int64?, to: Int64?) {
    // A hair inside each bound, so that nothing is both older and newer than the same time.
    (newerThan.map { now - $0.milliseconds + 1 }, olderThan.map { now - $0.milliseconds - 1 })
  }
}
