import Logging
import MessageQueue
import RedisClient

/// Serves one queue of a worker with all of its shards: a loop for each, which begin and end as their number changes.
///
/// The number comes with the renewals of the first shard's lease. A shard whose server is gone stops no other: each loop has its
/// own connections and thread.
struct QueueService: Sendable {
  private enum Change: Sendable {
    /// So many shards are to be served.
    case number(Int)
    /// The loop of a shard has ended.
    case ended(shard: Int)
  }

  private let name: QueueName
  private let first: QueueLoop
  private let rank: Int
  private let given: Set<QueueName>
  private let common: QueueLoop.Common

  /// - Parameters:
  ///   - rank: its priority; 0 is the most urgent.
  ///   - given: the queues of this worker. Should a shard be among them, it has a loop already.
  init(_ name: QueueName, rank: Int, given: Set<QueueName>, common: QueueLoop.Common) {
    self.name = name
    self.rank = rank
    self.given = given
    self.common = common
    first = QueueLoop(name, rank: rank, common: common)
  }

  /// Works until the first shard's loop has ended, and all others.
  ///
  /// - Parameter told: what the worker was told from outside.
  /// - Returns: how many messages were left undone.
  func run(_ told: @escaping @Sendable () -> WorkerControl.Phase) async -> Int {
    let (changes, teller) = AsyncStream.makeStream(of: Change.self)
    let asker = Task { await askOthers { teller.yield(.number($0)) } }
    defer { asker.cancel() }
    return await withTaskGroup { group in
      group.addTask {
        defer { teller.finish() }
        return await first.run(told) { teller.yield(.number($0)) }
      }
      var (loops, wanted): ([Int: QueueLoop], Int) = ([:], 1)
      for await change in changes {
        switch change {
        case .number(let number): wanted = min(number, Spread.mostShards)
        case .ended(let shard): ended(loops.removeValue(forKey: shard), isWanted: shard < wanted)
        }
        for (shard, loop) in loops where shard >= wanted { common.loops.retire(loop.place) }
        guard told() < .draining else { continue }
        for shard in 1..<wanted where loops[shard] == nil && !given.contains(name.shard(shard)) {
          let loop = QueueLoop(name.shard(shard), rank: rank, common: common)
          loops[shard] = loop
          common.logger.notice("shard-started", metadata: ["queue": "\(name)", "shard": "\(loop.name)"])
          group.addTask {
            defer { teller.yield(.ended(shard: shard)) }
            return await loop.run(told)
          }
        }
      }
      return await group.reduce(0, +)
    }
  }

  /// In a cluster the first shard's node may be gone as the worker starts, and the others are to be served all the same: how many
  /// there are is asked of them then, until it is known or the first can be reached.
  private func askOthers(_ tell: @Sendable (Int) -> Void) async {
    guard case .cluster = common.resolver.endpoint.place else { return }
    let timeout = common.options.lease / 4
    let queue = ShardedQueue(name) { [resolver = common.resolver] shard in
      let options = RedisConnection.Options(name: "smsq-shards", connectTimeout: timeout, replyTimeout: timeout)
      return RedisConnection(to: resolver.route(for: QueueKeys(shard).list), options: options)
    }
    while !Task.isCancelled {
      do throws(RedisError) {
        return try await queue.first.connection.connect()
      } catch {
        if let spread = await queue.spreadElsewhere(error) { return tell(spread.shards) }
      }
      try? await Task.sleep(for: .seconds(1))
    }
  }

  private func ended(_ loop: QueueLoop?, isWanted: Bool) {
    guard let loop else { return }
    common.loops.remove(loop.place)
    common.metrics?.remove(loop.name)
    if !isWanted {
      common.logger.notice("shard-stopped", metadata: ["queue": "\(name)", "shard": "\(loop.name)"])
    }
  }
}
