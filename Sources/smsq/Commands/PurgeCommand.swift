import ArgumentParser
import MessageQueue
import RedisClient
import Reports
import SMS

struct PurgeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "purge",
    abstract: "Delete all messages that wait in a queue.",
    discussion: """
        smsq purge --queue sms
        smsq pause --queue sms && smsq purge --queue sms --print --yes > purged.jsonl

      It asks before it does so, and deletes no more than it asked about, the oldest first, in steps, while producers go on. \
      What workers have in hand, and dead letters, it leaves alone. The ids of what is deleted are free again, so what was \
      printed can be pushed again: smsq push --file purged.jsonl
      """
  )

  @OptionGroup var redis: RedisOptions
  @OptionGroup var queueOption: QueueOption

  @Flag(help: "Also what is scheduled, or to be tried again.")
  var scheduled = false

  @Flag(help: "Write each message that is deleted, one JSON object a line. The queue has to be paused.")
  var print = false

  @Flag(help: "Do not ask, also when it is about more than one.")
  var yes = false

  @Flag(help: "Write the result as one JSON object; with --print as the last line.")
  var json = false

  func run() async throws {
    let queue = redis.queue(queueOption.queue)
    do {
      try await purge(queue)
    } catch let error as RedisError {
      throw Failure(error)
    }
  }

  private func purge(_ queue: ShardedQueue) async throws {
    let shards = try await queue.shards()
    var (waiting, later): ([Int], MessageSelection) = ([], MessageSelection(MessageFilter(), at: .scheduled))
    for shard in shards {
      let snapshot = try await shard.inspect()
      if print && !snapshot.paused {
        throw Failure(
          "a worker may take what is printed before it is deleted: smsq pause --queue \(queue.name) first",
          .usage
        )
      }
      waiting.append(snapshot.waiting)
      if scheduled { try await later.count(in: shard) }
    }
    let matched = waiting.reduce(later.count, +)
    let what = "\(matched) message\(matched == 1 ? "" : "s") of queue \(queue.name)"
    var done = 0
    if matched > 0, try await Confirmation.isGiven(to: "delete", matched, what, yes, queue) {
      for (shard, count) in zip(shards, waiting) {
        done += try await purgeWaiting(count, of: shard)
        if scheduled { done += try await purge(later, of: shard) }
      }
    }
    let others = done == matched || done == 0 ? "" : "; \(matched - done) went away meanwhile"
    let text = "deleted \(done) message\(done == 1 ? "" : "s") of queue \(queue.name)\(others)"
    if print && !json {
      Terminal.note(text)
    } else {
      try TakingResult(queue: "\(queue.name)", matched: matched, purged: done).report(text, json: json)
    }
  }

  /// So often it is tried where others take what it is about to.
  private static let mostMisses = 100

  private func purgeWaiting(_ count: Int, of shard: MessageQueue) async throws -> Int {
    var (done, misses) = (0, 0)
    while done < count && misses < Self.mostMisses {
      // Where they are counted from the other end, which workers leave alone: before they are read, so that none is too near.
      let waiting = try await shard.waiting()
      let page = try await shard.oldest(min(MessageQueue.mostTakenPerCall, count - done))
      if page.isEmpty { break }
      try write(page)
      let messages = page.enumerated().map { offset, stored in
        var taking = Taking(stored, at: print ? .list(newer: max(0, waiting - 1 - offset)) : .oldest)
        taking.callerID = PayloadGlimpse(Element(stored).payload).callerID
        return taking
      }
      let taken = try await takeAll(messages, of: shard)
      if print && taken < page.count {
        throw Failure(
          "\(page.count - taken) of the last \(page.count) lines are still in the queue: is it paused?",
          .tempFail
        )
      }
      done += taken
      misses = taken == 0 ? misses + 1 : 0
    }
    return done
  }

  private func purge(_ selection: MessageSelection, of shard: MessageQueue) async throws -> Int {
    var (done, pages) = (0, MessagePages(of: .scheduled, in: shard))
    while let page = try await pages.next() {
      let found = page.found.filter(selection.contains)
      try write(found.map(\.stored))
      let taken = try await takeAll(found.map { Taking($0, at: .scheduled) }, of: shard)
      if print && taken < found.count {
        throw Failure(
          "\(found.count - taken) of the last \(found.count) lines are still in the queue: is it paused?",
          .tempFail
        )
      }
      pages.forget(taken)
      done += taken
    }
    return done
  }

  private func takeAll(_ messages: [Taking], of shard: MessageQueue) async throws(RedisError) -> Int {
    var (left, taken) = (messages, 0)
    while !left.isEmpty {
      let results = try await shard.take(left, for: .purged)
      taken += results.count { $0 == .out }
      left = zip(left, results).filter { $0.1 == .notTried }.map(\.0)
    }
    return taken
  }

  /// Before they are deleted: what cannot be written stays.
  private func write(_ messages: [[UInt8]]) throws {
    if !print || messages.isEmpty { return }
    let lines = messages.map { stored in
      // Within JSON's strings there is no line feed, and between them it means no more than a space.
      let payload = Element(stored).payload.map { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") ? 32 : $0 }
      return String(decoding: payload, as: UTF8.self)
    }
    try Terminal.print(lines.joined(separator: "\n"))
  }
}
