import RedisClient

/// Spreads messages over the shards of a queue: those with a caller's id by a hash of that, the others evenly.
///
/// It takes a queue for unsharded until it is told otherwise, so that a push to one that is takes no call more. What it knows goes
/// with each push, and a shard that knows better refuses that push whole and says so: then it is spread anew. So a pusher that has
/// run for days neither takes an id a second time, because it looks for it in the wrong shard, nor pushes to where nobody works.
package struct Pusher: Sendable {
  package let queue: ShardedQueue
  /// What it knows of the shards.
  package private(set) var spread: Spread
  /// The shard of the next message without an id.
  private var next = 0

  /// So often a push is spread anew: each time teaches this pusher, or a shard, of a later change.
  private static let mostTries = 20

  package init(to queue: ShardedQueue, spread: Spread = .unsharded) {
    self.queue = queue
    self.spread = spread
    turn()
  }

  /// Many short-lived pushers must not begin with the same shard.
  private mutating func turn() { next = spread.shards == 1 ? 0 : Int.random(in: 0..<spread.shards) }

  /// Which shard a message goes to.
  package mutating func shard(for callerID: String?) -> Int {
    if spread.shards == 1 { return 0 }
    if let callerID { return spread.shard(of: callerID) }
    defer { next = (next + 1) % spread.shards }
    return next
  }

  /// A shard has refused what was pushed to it.
  ///
  /// - Parameters:
  ///   - found: what it said.
  ///   - known: what the push was spread over.
  package mutating func learn(_ found: Spread, from shard: Int, of known: Spread) async throws(RedisError) {
    let spread = try await queue.spread(afterRefusalBy: shard, found, of: known)
    if spread <= self.spread { return }
    self.spread = spread
    turn()
  }

  /// A push was not carried out, because the first shard's server is gone.
  ///
  /// - Returns: whether there are others, so that it is to be spread anew.
  private mutating func learnElsewhere(_ error: RedisError, of known: Spread) async -> Bool {
    guard known == .unsharded, let spread = await queue.spreadElsewhere(error) else { return false }
    self.spread = spread
    turn()
    return true
  }

  /// Redis' time in Unix ms, by the first shard or, where its server is gone, by another.
  package mutating func now() async throws(RedisError) -> Int64 {
    do throws(RedisError) {
      return try await queue.first.now()
    } catch {
      guard await learnElsewhere(error, of: spread) else { throw error }
      for number in 1..<spread.shards {
        let shard = queue.shard(number)
        if (try? await shard.connection.connect()) != nil, let now = try? await shard.now() { return now }
      }
      throw error
    }
  }

  /// Queues one message. One without an id goes to another shard where the first one's server is gone.
  ///
  /// - Parameter maxWaiting: the most messages that may wait in the whole queue, 0 for no bound. Each shard takes its part.
  /// - Returns: what came of it, and the shard.
  /// - Throws: as ``MessageQueue/enqueue(_:maxWaiting:rememberIDs:spread:)``.
  package mutating func enqueue(
    _ message: OutgoingMessage,
    maxWaiting: Int = 0,
    rememberIDs: Duration
  ) async throws(RedisError) -> (result: EnqueueResult, shard: MessageQueue) {
    var dead = 0
    for _ in 0..<Self.mostTries + Spread.mostShards {
      let number = shard(for: message.callerID)
      let (shard, known) = (queue.shard(number), spread)
      if message.callerID == nil, known.shards > 1, try await !isThere(shard, isLast: dead + 1 >= known.shards) {
        dead += 1
        continue
      }
      do throws(RedisError) {
        let result = try await shard.enqueue(
          [message],
          maxWaiting: known.part(of: maxWaiting),
          rememberIDs: rememberIDs,
          spread: known
        )
        guard case .stale(let found) = result else { return (result, shard) }
        try await learn(found, from: number, of: known)
      } catch {
        guard await learnElsewhere(error, of: known) else { throw error }
      }
    }
    throw Self.unsettled(queue.name)
  }

  /// Whether a shard can be pushed to. Asked before anything is sent to it: of a push whose answer is lost nobody knows whether it
  /// was carried out.
  ///
  /// - Parameter isLast: no other is left to go to.
  private func isThere(_ shard: MessageQueue, isLast: Bool) async throws(RedisError) -> Bool {
    do throws(RedisError) {
      if !isLast { try await shard.connection.connect() }
      _ = try await shard.now()
      return true
    } catch {
      if isLast || error.treatment != .reconnect && error.treatment != .wait { throw error }
      return false
    }
  }

  /// Queues messages, those of one shard all or none.
  ///
  /// - Returns: for each of them why it was not queued, or may not have been; nil for one that was, now or before.
  package mutating func enqueue(_ messages: [OutgoingMessage], rememberIDs: Duration) async -> [RedisError?] {
    var errors = [RedisError?](repeating: nil, count: messages.count)
    var left = Array(messages.indices)
    for _ in 0..<Self.mostTries where !left.isEmpty {
      let known = spread
      var byShard: [Int: [Int]] = [:]
      for index in left { byShard[shard(for: messages[index].callerID), default: []].append(index) }
      left = []
      for (number, indices) in byShard.sorted(by: { $0.key < $1.key }) {
        do throws(RedisError) {
          let batch = indices.map { messages[$0] }
          let result = try await queue.shard(number).enqueue(batch, rememberIDs: rememberIDs, spread: known)
          guard case .stale(let found) = result else { continue }
          try await learn(found, from: number, of: known)
          left += indices
        } catch {
          if await learnElsewhere(error, of: known) {
            left += indices
          } else {
            for index in indices { errors[index] = error }
          }
        }
      }
      left.sort()
    }
    for index in left { errors[index] = Self.unsettled(queue.name) }
    return errors
  }

  /// A number that changes with each look was set by hand, or by a program that is not ours.
  package static func unsettled(_ queue: QueueName) -> RedisError {
    RedisError(
      code: .unexpectedReply,
      message: "the shards of queue \(queue) do not agree how many they are: smsq shards --queue \(queue)"
    )
  }
}
