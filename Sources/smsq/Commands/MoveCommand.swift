import ArgumentParser
import MessageQueue
import RedisClient
import Reports
import SMS

struct MoveCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "move",
    abstract: "Move messages that wait from one queue to another.",
    discussion: """
        smsq move --from sms --to otp --matching "Your code is"
        smsq move --from sms --to sms-slow --limit 100000 --yes

      The oldest go first, and queue behind all that waits there, in their order; workers of both queues may go on. What is \
      scheduled, claimed or dead stays. It may be stopped at any moment, and loses nothing: what was on its way then stands \
      beside the queue that it comes from, and arrives, once, when messages are moved from there again.
      """
  )

  @OptionGroup var redis: RedisOptions

  @Option(
    help: ArgumentHelp("The queue that they are in.", valueName: "name"),
    transform: { try QueueName(explaining: $0) }
  )
  var from: QueueName

  @Option(
    help: ArgumentHelp("The queue that they go to.", valueName: "name"),
    transform: { try QueueName(explaining: $0) }
  )
  var to: QueueName

  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp("No more than so many, the oldest first.", valueName: "number")
  )
  var limit: Int?

  @Option(help: ArgumentHelp("Those to this telephone number.", valueName: "number"))
  var recipient: String?

  @Option(help: ArgumentHelp("Those whose payload has this in it, letter by letter.", valueName: "text"))
  var matching: String?

  @OptionGroup var country: CountryCodeOption

  @Flag(help: "Do not ask, also when it is about more than one.")
  var yes = false

  @Flag(help: "Write the result as one JSON object.")
  var json = false

  func validate() throws {
    if from == to {
      throw ValidationError("--from and --to are both \(from): messages move from one queue to another.")
    }
    if let limit, limit < 1 { throw ValidationError("--limit is \(limit): write 1 or more.") }
    if matching == "" { throw ValidationError("--matching is empty: write a part of the payload, or leave it out.") }
    _ = try filter
  }

  private var filter: MessageFilter {
    get throws {
      MessageFilter(
        recipient: try MessageFilter.recipient(recipient, option: "--recipient", country),
        defaultCountryCode: country.defaultCountryCode,
        text: matching
      )
    }
  }

  func run() async throws {
    do {
      try await move(redis.queue(from))
    } catch let error as RedisError {
      throw Failure(error, outcome: "what was not moved is where it was, or on its way")
    }
  }

  private func move(_ source: ShardedQueue) async throws {
    let removal = Removal(connect: redis.connect, target: redis.queue(to))
    let shards = try await source.shards()
    for shard in shards {
      if let batch = try await removal.finish(of: shard) {
        let count = batch.elements.count
        Terminal.note(
          "\(count) message\(count == 1 ? "" : "s") that an earlier move had on the way arrived in \(batch.to)"
        )
      }
    }
    let filter = try filter
    var selection = MessageSelection(filter, at: .waiting)
    var waiting: [Int] = []
    for shard in shards {
      if filter.isEmpty { waiting.append(try await shard.waiting()) } else { try await selection.count(in: shard) }
    }
    let all = filter.isEmpty ? waiting.reduce(0, +) : selection.count
    let matched = min(limit ?? .max, all)
    let what = "\(matched) message\(matched == 1 ? "" : "s") of queue \(from)"
    var done = 0
    if matched > 0, try await Confirmation.isGiven(to: "move", matched, what, yes, source) {
      for (index, shard) in shards.enumerated() where done < matched {
        done +=
          filter.isEmpty
          ? try await removal.moveOldest(min(waiting[index], matched - done), of: shard)
          : try await removal.move(selection, atMost: matched - done, of: shard)
      }
    }
    let others = done == matched || done == 0 ? "" : "; \(matched - done) went away meanwhile"
    try TakingResult(queue: "\(from)", matched: matched, moved: done, to: "\(to)").report(
      "moved \(done) message\(done == 1 ? "" : "s") of queue \(from) to \(to)\(others)",
      json: json
    )
  }
}

/// Moves messages in three steps: out of the queue and beside it, into the other queue, and away from beside it. The two queues may
/// lie on different nodes of a cluster, so no step can be in both. Each may be repeated, and whoever comes next goes on where the
/// last one was stopped.
private struct Removal {
  let connect: @Sendable (QueueName) -> RedisConnection
  let target: ShardedQueue

  /// So often it is tried where others take what it is about to, and so often all is looked through.
  private static let mostMisses = 100
  private static let mostRounds = 5

  /// - Returns: what was on its way.
  func finish(of shard: MessageQueue) async throws(RedisError) -> MovingBatch? {
    guard let batch = try await shard.movingBatch() else { return nil }
    // The list that it was on its way to, whatever the target is now: it may have arrived there.
    let number = (0..<Spread.mostShards).first { target.name.shard($0) == batch.to }
    let list = number.map(target.shard) ?? MessageQueue(batch.to, on: connect(batch.to))
    try await list.arrive(batch)
    try await shard.depart(batch)
    return batch
  }

  func moveOldest(_ count: Int, of shard: MessageQueue) async throws(RedisError) -> Int {
    var (done, misses) = (0, 0)
    while done < count && misses < Self.mostMisses {
      let page = try await shard.oldest(min(MessageQueue.mostTakenPerCall, count - done))
      if page.isEmpty { break }
      let moved = try await move(page.map { Taking($0, at: .oldest) }, of: shard)
      done += moved.count { $0 == .out }
      misses = moved.contains(.out) ? 0 : misses + 1
    }
    return done
  }

  /// Those that are meant, wherever they are in the list.
  func move(_ selection: MessageSelection, atMost count: Int, of shard: MessageQueue) async throws(RedisError) -> Int {
    var done = 0
    // More than one round where some were pushed too far meanwhile to be found again.
    for _ in 0..<Self.mostRounds where done < count {
      var (found, missed) = ([Taking](), false)
      var pages = MessagePages(of: .waiting, in: shard, having: selection.filter.texts)
      while let page = try await pages.next() {
        found += page.found.filter(selection.contains).map {
          Taking($0, at: .waiting, standIn: "moved to \(target.name)")
        }
      }
      // They were read from the newest to the oldest.
      var left = found.reversed().prefix(count - done)
      while !left.isEmpty {
        var bytes = 0
        let batch = left.prefix(MessageQueue.mostTakenPerCall).prefix {
          bytes += $0.stored.count
          return bytes <= MessageQueue.mostBytesPerCall || bytes == $0.stored.count
        }
        let moved = try await move(Array(batch), of: shard)
        done += moved.count { $0 == .out || $0 == .replaced }
        if moved.contains(.notThere) { missed = true }
        left = left.dropFirst(moved.firstIndex(of: .notTried) ?? batch.count)
      }
      if !missed { break }
    }
    return done
  }

  private func move(_ messages: [Taking], of shard: MessageQueue) async throws(RedisError) -> [Taken] {
    let shards = try await target.first.shardNumbers().spread.shards
    let list = target.name.shard(.random(in: 0..<shards))
    while true {
      if let taken = try await shard.take(messages, toMoveTo: list) {
        _ = try await finish(of: shard)
        return taken
      }
      // Another one is at it, or was stopped just now.
      _ = try await finish(of: shard)
    }
  }
}
