import ArgumentParser
import MessageQueue
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
      """
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queuesOption: QueuesOption

  @Flag(help: "Write one JSON object a line for each queue.")
  var json = false

  func run() async throws {
    let connection = redis.connection()
    do {
      for (index, name) in queuesOption.queues.enumerated() {
        let stats = QueueStats(try await MessageQueue(name, on: connection).inspect())
        if !json && index > 0 { try Terminal.print("") }
        try Terminal.print(json ? JSONLine.encode(stats) : stats.text)
      }
    } catch let error as RedisError {
      throw Failure(error)
    }
  }
}

extension QueueStats {
  fileprivate var text: String {
    let oldest = oldestSeconds.map { ", the next one for \(Duration.seconds($0.rounded()).notation)" } ?? ""
    var lines = [
      "queue \(queue)\(paused ? " (paused)" : "")",
      "  waiting    \(waiting)\(oldest)",
      "  scheduled  \(scheduled)",
      "  claimed    \(claimed)",
      "  dead       \(dead)",
      "  so far     pushed \(pushed), sent \(sent), retried \(retried), expired \(expired), dead \(deadTotal), "
        + "recovered \(recovered), returned \(returned), lost \(lost), revived \(revived), removed \(deadRemoved)",
    ]
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
