import ArgumentParser
import RedisClient
import Reports
import Wire

struct StatsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Show what is in the queues, what was done, and who works.",
    discussion: """
      With --json, one object a line for each queue:
        smsq stats --json | jq .waiting

      A queue of several shards is shown as one; in JSON, shards has each of them.
      """
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queuesOption: QueuesOption

  @Flag(help: "Write one JSON object a line for each queue.")
  var json = false

  func run() async throws {
    var missing: [Failure] = []
    do {
      for (index, queue) in redis.queues(queuesOption.queues).enumerated() {
        let (stats, shards) = try await QueueStats.all(of: queue)
        if !json && index > 0 { try Terminal.print("") }
        try Terminal.print(json ? JSONLine.encode(stats) : stats.text(missing: shards.count))
        for (shard, error) in shards {
          let failure = Failure(error)
          missing.append(Failure("shard \(shard) is not in these numbers: \(failure)", failure.code))
        }
      }
    } catch let error as RedisError {
      throw Failure(error)
    }
    for failure in missing.dropLast() { Terminal.note(failure.description) }
    if let failure = missing.last { throw failure }
  }
}

extension QueueStats {
  /// What is to be known beside its name.
  private func state(_ missing: Int) -> String {
    let limit = limit.map { ", limited to \($0)" } ?? ""
    guard let shards else {
      let words = (paused ? ", paused" : "") + limit
      return words.isEmpty ? "" : " (\(words.dropFirst(2)))"
    }
    let unknown = missing == 0 ? "" : ", \(missing) of them not in these numbers"
    let resting = shards.count { $0.paused }
    let pause = resting == 0 ? "" : resting == shards.count ? ", paused" : ", \(resting) of them paused"
    return " (\(shards.count + missing) shards\(pause)\(limit)\(unknown))"
  }

  /// - Parameter missing: how many shards could not be asked.
  fileprivate func text(missing: Int) -> String {
    let oldest = oldestSeconds.map { ", the next one for \(Duration.seconds($0.rounded()).notation)" } ?? ""
    var lines = [
      "queue \(queue)\(state(missing))",
      "  waiting    \(waiting)\(oldest)",
      "  scheduled  \(scheduled)",
      "  claimed    \(claimed)",
      "  dead       \(dead)",
      "  so far     pushed \(pushed), sent \(sent), retried \(retried), expired \(expired), dead \(deadTotal), "
        + "recovered \(recovered), returned \(returned), lost \(lost), revived \(revived), removed \(deadRemoved)",
    ]
    let taken = [("cancelled", cancelled), ("purged", purged), ("moved in", movedIn), ("moved out", movedOut)]
      .filter { $0.1 > 0 }.map { "\($0) \($1)" }
    if !taken.isEmpty { lines.append("  by hand    " + taken.joined(separator: ", ")) }
    if workers.isEmpty { lines.append("  no workers") }
    for worker in workers {
      let lease =
        switch worker.leaseLeftMs {
        case nil: "is being recovered"
        case let left? where left < 0: "lease ended \(Duration.milliseconds(-left).notation) ago"
        case let left?: "lease for \(Duration.milliseconds(left).notation)"
        }
      let claim = worker.lastClaimMsAgo.map { ", last claim \(Duration.milliseconds($0).notation) ago" } ?? ""
      lines.append("  worker     \(worker.name) has \(worker.claimed) in hand, \(lease)\(claim)")
    }
    return lines.joined(separator: "\n")
  }
}
