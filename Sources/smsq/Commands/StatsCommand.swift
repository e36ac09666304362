import ArgumentParser
import MessageQueue
import RedisClient
import SMS

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

/// A queue's state, as scripts and people read it.
struct QueueStats: Encodable {
  struct Worker: Encodable {
    let name: String
    let life: String
    let claimed: Int
    /// Nil while it is being recovered; negative when the lease has ended.
    let leaseLeftMs: Int64?
    /// As of the last renewal of its lease; nil before the first claim.
    let lastClaimMsAgo: Int64?
  }

  let queue: String
  let waiting: Int
  let scheduled: Int
  let claimed: Int
  let dead: Int
  let paused: Bool
  /// The age of the message that is next in line; nil where nothing waits, or where its producer did not say when.
  let oldestSeconds: Double?
  let pushed: Int
  let sent: Int
  let retried: Int
  let expired: Int
  let recovered: Int
  let deadTotal: Int
  let returned: Int
  let lost: Int
  /// Dead letters that `smsq dead` put back, and that it removed.
  let revived: Int
  let deadRemoved: Int
  let workers: [Worker]

  init(_ snapshot: QueueSnapshot) {
    queue = snapshot.queue.description
    waiting = snapshot.waiting
    scheduled = snapshot.scheduled
    claimed = snapshot.claimed
    dead = snapshot.dead
    paused = snapshot.paused
    oldestSeconds = snapshot.oldest.flatMap { PayloadGlimpse($0.payload).queuedAt }
      .map { Double(max(0, snapshot.now - $0)) / 1000 }
    func counter(_ name: String) -> Int { snapshot.counters[name] ?? 0 }
    pushed = counter("pushed")
    sent = counter("sent")
    retried = counter("retried")
    expired = counter("expired")
    recovered = counter("recovered")
    deadTotal = counter("dead_total")
    returned = counter("returned")
    lost = counter("lost")
    revived = counter("revived")
    deadRemoved = counter("dead_removed")
    workers = snapshot.workers.map {
      Worker(
        name: $0.life.name,
        life: $0.life.id,
        claimed: $0.claimed,
        leaseLeftMs: $0.leaseLeft?.milliseconds,
        lastClaimMsAgo: $0.lastClaim?.milliseconds
      )
    }
  }

  private enum CodingKeys: String, CodingKey {
    case queue, waiting, scheduled, claimed, dead, paused, oldestSeconds
    case pushed, sent, retried, expired, recovered, deadTotal, returned, lost, revived, deadRemoved, workers
  }

  /// `oldest_seconds` is always there, null where it is not known: a script should not have to ask for the key.
  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(queue, forKey: .queue)
    try container.encode(waiting, forKey: .waiting)
    try container.encode(scheduled, forKey: .scheduled)
    try container.encode(claimed, forKey: .claimed)
    try container.encode(dead, forKey: .dead)
    try container.encode(paused, forKey: .paused)
    try container.encode(oldestSeconds, forKey: .oldestSeconds)
    try container.encode(pushed, forKey: .pushed)
    try container.encode(sent, forKey: .sent)
    try container.encode(retried, forKey: .retried)
    try container.encode(expired, forKey: .expired)
    try container.encode(recovered, forKey: .recovered)
    try container.encode(deadTotal, forKey: .deadTotal)
    try container.encode(returned, forKey: .returned)
    try container.encode(lost, forKey: .lost)
    try container.encode(revived, forKey: .revived)
    try container.encode(deadRemoved, forKey: .deadRemoved)
    try container.encode(workers, forKey: .workers)
  }

  var text: String {
    let oldest = oldestSeconds.map { ", the next one for \(Duration.seconds($0.rounded()).argument)" } ?? ""
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
        case let left? where left < 0: "lease ended \(Duration.milliseconds(-left).argument) ago"
        case let left?: "lease for \(Duration.milliseconds(left).argument)"
        }
      let claim = worker.lastClaimMsAgo.map { ", last claim \(Duration.milliseconds($0).argument) ago" } ?? ""
      lines.append("  worker     \(worker.name) has \(worker.claimed) in hand, \(lease)\(claim)")
    }
    return lines.joined(separator: "\n")
  }
}
