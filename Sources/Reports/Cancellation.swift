import MessageQueue
import RedisClient

/// Takes messages out of a queue by their ids, where it is not too late.
package struct Cancellation: Sendable {
  /// What came of it: where the messages are now, in the ids' order.
  package let statuses: [MessageStatus]
  /// Those that lie too deep in the list to leave it at once: a message that has expired is in their place.
  package private(set) var replaced: Set<String> = []

  /// A message that moves while it is looked for, as one that is just due does, is looked for again.
  private static let mostRounds = 5

  /// - Parameter lifetime: how long it is known that they were cancelled.
  package init(of ids: [String], in queue: ShardedQueue, keepingRecords lifetime: Duration) async throws(RedisError) {
    var search = try await MessageSearch(in: queue)
    var (left, cancelled) = (ids, [String: MessageStatus]())
    for _ in 0..<Self.mostRounds where !left.isEmpty {
      var byShard: [Int: (shard: MessageQueue, ids: [String], messages: [Taking])] = [:]
      for (id, found) in try await search.find(left) {
        guard case .inQueue(let place, let message, _) = found.place, place != .dead else { continue }
        let taking = Taking(message, at: place, standIn: "cancelled", end: MessageEnd(cancelled: message))
        byShard[found.shard.shard, default: (found.shard, [], [])].ids.append(id)
        byShard[found.shard.shard]?.messages.append(taking)
      }
      // What is not in the list and not scheduled is in somebody's hand, or over. In the next round it may have come back.
      left = []
      for (_, (shard, ids, messages)) in byShard.sorted(by: { $0.key < $1.key }) {
        let taken = try await shard.take(messages, for: .cancelled, keepingRecords: lifetime)
        for (id, result) in zip(ids, taken) {
          switch result {
          case .out, .replaced:
            cancelled[id] = MessageStatus(cancelled: id, in: queue, search.shards.count > 1 ? shard : nil)
            if result == .replaced { replaced.insert(id) }
          case .notThere, .notTried: left.append(id)
          case .tooDeep: break
          }
        }
      }
    }
    let others = ids.filter { cancelled[$0] == nil }
    let (statuses, _) = others.isEmpty ? ([], false) : try await MessageStatus.all(of: others, in: queue)
    for (id, status) in zip(others, statuses) { cancelled[id] = status }
    self.statuses = ids.compactMap { cancelled[$0] }
  }
}

extension MessageStatus {
  fileprivate init(cancelled id: String, in queue: ShardedQueue, _ shard: MessageQueue?) {
    self.init(id, in: queue.name, .cancelled)
    self.shard = shard?.name.description
  }
}
