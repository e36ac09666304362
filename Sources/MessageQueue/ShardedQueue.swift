import RedisClient
import Synchronization

/// A queue as a whole, with a connection to each of its shards: `sms`, `sms.1`, `sms.2`, ...
///
/// Shard 0 is the queue's own list, so that a queue which was never sharded is one shard. On a cluster the shards lie on different
/// nodes, because each is a queue with keys and a slot of its own.
package final class ShardedQueue: Sendable {
  package let name: QueueName
  private let connect: @Sendable (QueueName) -> RedisConnection
  private let opened = Mutex<[Int: MessageQueue]>([:])

  /// - Parameter connect: makes a connection to where a shard is.
  package init(_ name: QueueName, connect: @escaping @Sendable (QueueName) -> RedisConnection) {
    self.name = name
    self.connect = connect
  }

  /// The first shard, which has the queue's name and knows how many there are.
  package var first: MessageQueue { shard(0) }

  /// - Parameter number: from 0.
  package func shard(_ number: Int) -> MessageQueue {
    opened.withLock { opened in
      if let shard = opened[number] { return shard }
      let name = name.shard(number)
      let shard = MessageQueue(name, on: connect(name), shard: number)
      opened[number] = shard
      return shard
    }
  }

  /// All of them, those that are only to be emptied yet or not filled yet included.
  package func shards() async throws(RedisError) -> [MessageQueue] {
    (0..<(try await count())).map { shard($0) }
  }

  /// As the first one says or, where its server is gone, another one.
  private func count() async throws(RedisError) -> Int {
    do throws(RedisError) {
      return try await first.shardNumbers().all
    } catch {
      guard let spread = await spreadElsewhere(error) else { throw error }
      return spread.shards
    }
  }

  /// Stops all claims from this queue, by every worker, until ``resume()``. Pushing goes on.
  ///
  /// - Throws: what the first shard said that could not be paused; all others are.
  package func pause() async throws(RedisError) {
    try await onEachShard { shard throws(RedisError) in try await shard.pause() }
  }

  /// Lets workers claim again. They find out within their wake time-out.
  ///
  /// - Throws: as ``pause()``.
  package func resume() async throws(RedisError) {
    try await onEachShard { shard throws(RedisError) in try await shard.resume() }
  }

  /// One whose server is gone must not keep the others from what is to be done.
  func onEachShard(
    _ body: @escaping @Sendable (MessageQueue) async throws(RedisError) -> Void
  ) async throws(RedisError) {
    for result in await each(of: 0..<(try await count()), body) { try result.get() }
  }

  /// Asks shards at the same time: where the server of one is gone, the others are not to be late as well.
  ///
  /// - Returns: what became of each, in their order.
  package func each<Value: Sendable>(
    of numbers: Range<Int>,
    _ body: @escaping @Sendable (MessageQueue) async throws(RedisError) -> Value
  ) async -> [Result<Value, RedisError>] {
    await withTaskGroup(of: (number: Int, result: Result<Value, RedisError>).self) { group in
      for number in numbers {
        group.addTask { [shard = shard(number)] in
          do throws(RedisError) {
            return (number, .success(try await body(shard)))
          } catch {
            return (number, .failure(error))
          }
        }
      }
      var results: [(number: Int, result: Result<Value, RedisError>)] = []
      for await result in group { results.append(result) }
      return results.sorted { $0.number < $1.number }.map(\.result)
    }
  }

  /// Closes all connections. The next calls make new ones.
  package func close() async {
    for shard in opened.withLock({ Array($0.values) }) { await shard.connection.close() }
  }

  /// Over how many shards to push, after one of them has refused a push.
  ///
  /// - Parameters:
  ///   - shard: which one refused.
  ///   - found: what it said.
  ///   - known: what the push was spread over.
  package func spread(afterRefusalBy shard: Int, _ found: Spread, of known: Spread) async throws(RedisError) -> Spread {
    // Who made the change was interrupted, or has not come to this shard yet, or its Redis went back to an earlier state.
    if found < known { return try await self.shard(shard).raise(known) }
    return shard == 0 ? found : try await first.raise(found)
  }

  /// So many other shards are asked where the first cannot be: as many nodes may be gone together.
  private static let mostAsked = 3

  /// Over how many shards to push, where the first one cannot be asked, which knows that best.
  ///
  /// - Parameter error: why it cannot.
  /// - Returns: nil where that says nothing of the others, or nobody knows of any.
  package func spreadElsewhere(_ error: RedisError) async -> Spread? {
    guard case .cluster = first.connection.endpoint.place, error.cause == .noMaster else { return nil }
    for number in 1...Self.mostAsked {
      do throws(RedisError) {
        try await shard(number).connection.connect()
        let known = try await shard(number).knownSpread()
        return known.flatMap { $0.shards > 1 ? $0 : nil }
      } catch {
        continue
      }
    }
    return nil
  }
}

extension QueueName {
  /// The name of a shard: the queue's own for the first one, as in `sms`, `sms.1`, `sms.2`.
  package func shard(_ number: Int) -> QueueName {
    number == 0 ? self : QueueName(unchecked: "\(description).\(number)")
  }

  /// The queue and the number, where the name could be of one of its shards, but for the first one.
  package var asShard: (queue: QueueName, number: Int)? {
    guard let dot = description.lastIndex(of: "."), let queue = QueueName(String(description[..<dot])) else {
      return nil
    }
    let digits = description[description.index(after: dot)...]
    guard let number = Int(digits), String(number) == digits, (1..<Spread.mostShards).contains(number) else {
      return nil
    }
    return (queue, number)
  }
}
