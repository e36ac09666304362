import MessageQueue
import RedisClient
import SMS

/// Looks for messages by their ids, in all places of a queue, while workers and producers go on.
///
/// In each shard it goes the way that messages go: later, the list, the hands of workers, the dead letters. A message that moves on
/// meanwhile is met further on. One that comes back, as a retry does, may slip past; Redis counts what comes back, so that is seen,
/// and all is looked through once more.
package struct MessageSearch: Sendable {
  /// A message that was found, and where.
  package struct Found: Sendable {
    package enum Place: Sendable {
      case inQueue(MessagePages.Place, FoundElement, of: Int)
      case claimed(ClaimedMessage, by: QueueSnapshot.Worker)
      case moving(to: QueueName)
    }

    package let shard: MessageQueue
    package let place: Place
  }

  /// So many ids are looked for at a time: each element is compared with each of them.
  private static let mostAtOnce = 16
  /// So often a shard is looked through where messages keep coming back.
  private static let mostPasses = 3

  private let queue: ShardedQueue
  package let shards: [MessageQueue]
  /// Whether messages came back to the last, so that one that was not found may be there all the same.
  package private(set) var isUnsure = false

  package init(in queue: ShardedQueue) async throws(RedisError) {
    self.queue = queue
    shards = try await queue.shards()
  }

  /// Where the messages with these ids are: callers' ids, or those that the log and lists show.
  package mutating func find(_ ids: [String]) async throws(RedisError) -> [String: Found] {
    var found: [String: Found] = [:]
    for start in stride(from: 0, to: ids.count, by: Self.mostAtOnce) {
      var left = Set(ids[start..<min(start + Self.mostAtOnce, ids.count)])
      for shard in shardsInOrder(for: left) where !left.isEmpty {
        var (pass, mayHaveMissed) = (0, true)
        while mayHaveMissed && pass < Self.mostPasses {
          pass += 1
          let before = try await shard.inspect().comings
          try await look(for: &left, in: shard, &found)
          let after = left.isEmpty ? before : try await shard.inspect().comings
          mayHaveMissed = after != before
        }
        if mayHaveMissed { isUnsure = true }
      }
    }
    return found
  }

  /// Those first that the ids' hashes name.
  private func shardsInOrder(for ids: Set<String>) -> [MessageQueue] {
    let spread = Spread(generation: 1, shards: shards.count)
    let likely = Set(ids.map(spread.shard(of:)))
    return shards.filter { likely.contains($0.shard) } + shards.filter { !likely.contains($0.shard) }
  }

  private func look(
    for ids: inout Set<String>,
    in shard: MessageQueue,
    _ found: inout [String: Found]
  ) async throws(RedisError) {
    for place in [MessagePages.Place.scheduled, .waiting] { try await look(at: place, for: &ids, in: shard, &found) }
    if !ids.isEmpty, let batch = try await shard.movingBatch() {
      for stored in batch.elements {
        let element = Element(stored)
        for case let id? in [PayloadGlimpse(element.payload).id, element.history.id] where ids.remove(id) != nil {
          found[id] = Found(shard: shard, place: .moving(to: batch.to))
        }
      }
    }
    // As they are now: a message may be in the hand of a worker that came meanwhile.
    for worker in try await shard.inspect().workers where worker.claimed > 0 && !ids.isEmpty {
      var cursor = "0"
      repeat {
        let (next, claims) = try await shard.claims(of: worker.life, from: cursor)
        for claim in claims {
          let own = [PayloadGlimpse(claim.payload).id, claim.assignedID]
          for case let id? in own where ids.remove(id) != nil {
            found[id] = Found(shard: shard, place: .claimed(claim, by: worker))
          }
        }
        cursor = next
      } while cursor != "0" && !ids.isEmpty
    }
    try await look(at: .dead, for: &ids, in: shard, &found)
  }

  private func look(
    at place: MessagePages.Place,
    for ids: inout Set<String>,
    in shard: MessageQueue,
    _ found: inout [String: Found]
  ) async throws(RedisError) {
    var pages = MessagePages(of: place, in: shard, having: ids.map(Self.plainPart))
    while !ids.isEmpty, let page = try await pages.next() {
      for message in page.found where !StandIn.isOne(message.element) {
        let own = [PayloadGlimpse(message.element.payload).id, message.element.history.id]
        for case let id? in own where ids.remove(id) != nil {
          found[id] = Found(shard: shard, place: .inQueue(place, message, of: page.all))
        }
      }
    }
  }

  /// The longest part of an id that JSON writes as it is, or as \u00xx: not so quotes, slashes, and what is not ASCII.
  static func plainPart(of id: String) -> String {
    let parts = id.unicodeScalars.split { !$0.isASCII || "\"\\/".unicodeScalars.contains($0) }
    return parts.max { $0.count < $1.count }.map { String($0) } ?? ""
  }
}

extension QueueSnapshot {
  /// Counts all that comes back to where it may have been looked for, or is taken out from among others.
  fileprivate var comings: [Int] {
    [
      "retried", "returned", "recovered", "revived", "dead_removed", "dead_dropped", "cancelled", "purged", "moved_out",
    ].map { counters[$0] ?? 0 }
  }
}

extension MessageStatus {
  /// Where messages are, or what became of them.
  ///
  /// - Returns: in the ids' order; `isUnsure` where one that nobody knows may have slipped past.
  package static func all(
    of ids: [String],
    in queue: ShardedQueue
  ) async throws(RedisError) -> (statuses: [MessageStatus], isUnsure: Bool) {
    var search = try await MessageSearch(in: queue)
    // What is done is found by its id alone, without a look at all that waits.
    var (statuses, left) = (try await known(of: ids, in: queue, search.shards), Set<String>())
    for (id, status) in statuses where status.state != .sent && status.state != .expired { left.insert(id) }
    for (id, found) in try await search.find(ids.filter(left.contains)) {
      left.remove(id)
      var status = MessageStatus(id, in: queue.name)
      status.shard = search.shards.count > 1 ? found.shard.name.description : nil
      switch found.place {
      case .inQueue(let place, let message, let all): status.isAt(place, message, of: all)
      case .claimed(let message, let worker): status.isClaimed(message, by: worker)
      case .moving(let list): status.isMoving(to: list)
      }
      statuses[id] = status
    }
    // What was in the queue when the first look was made may be done by now.
    for (id, status) in try await known(of: ids.filter(left.contains), in: queue, search.shards) {
      statuses[id] = status
    }
    let all = ids.map { statuses[$0] ?? MessageStatus($0, in: queue.name) }
    return (all, search.isUnsure && all.contains { $0.state == .unknown || $0.state == .accepted })
  }

  private static func known(
    of ids: [String],
    in queue: ShardedQueue,
    _ shards: [MessageQueue]
  ) async throws(RedisError) -> [String: MessageStatus] {
    var statuses: [String: MessageStatus] = [:]
    if ids.isEmpty { return statuses }
    for id in ids { statuses[id] = MessageStatus(id, in: queue.name) }
    for shard in shards {
      for (id, known) in zip(ids, try await shard.known(of: ids)) {
        // A record says more than that the id was accepted, which another shard may know.
        let isSettled = statuses[id].map { $0.state != .unknown && $0.state != .accepted } ?? false
        if isSettled { continue }
        var status = MessageStatus(id, in: queue.name)
        if status.isKnown(known) {
          if shards.count > 1 { status.shard = shard.name.description }
          if known.end != nil || statuses[id]?.state != .accepted { statuses[id] = status }
        }
      }
    }
    return statuses
  }
}
