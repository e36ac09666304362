import MessageQueue
import RedisClient

/// Pushes the messages of many rows together: those that come while a round trip is under way go with the next one.
actor PushGatherer {
  /// The most messages that one script call queues: bounds the time that Redis spends in it.
  private static let batchSize = 500

  private struct Push {
    let message: OutgoingMessage
    let queue: QueueName
    let answer: CheckedContinuation<RedisError?, Never>
  }

  private let connect: @Sendable (QueueName) -> RedisConnection
  private let idLifetime: Duration
  private var pushers: [QueueName: Pusher] = [:]
  private var waiting: [Push] = []
  private var isUnderWay = false

  /// - Parameters:
  ///   - connect: makes the connection for a queue.
  ///   - idLifetime: how long a message's id is refused a second time.
  init(connect: @escaping @Sendable (QueueName) -> RedisConnection, idLifetime: Duration) {
    self.connect = connect
    self.idLifetime = idLifetime
  }

  /// Returns when the message is in the queue, or was put there before. It must have a caller's id.
  func push(_ message: OutgoingMessage, to queue: QueueName) async throws(RedisError) {
    let error = await withCheckedContinuation { answer in
      waiting.append(Push(message: message, queue: queue, answer: answer))
      if !isUnderWay { Task { await pushAll() } }
      isUnderWay = true
    }
    if let error { throw error }
  }

  private func pushAll() async {
    while !waiting.isEmpty {
      let pushes = waiting
      waiting = []
      for (queue, pushes) in Dictionary(grouping: pushes, by: \.queue) {
        var rest = pushes[...]
        while !rest.isEmpty {
          let batch = Self.batch(of: rest)
          rest = rest.dropFirst(batch.count)
          var pusher = pushers[queue] ?? Pusher(to: ShardedQueue(queue, connect: connect))
          let errors = await pusher.enqueue(batch.map(\.message), rememberIDs: idLifetime)
          pushers[queue] = pusher
          for (push, error) in zip(batch, errors) { push.answer.resume(returning: error) }
        }
      }
    }
    isUnderWay = false
  }

  /// The first ones, as many as one script call queues.
  private static func batch(of pushes: ArraySlice<Push>) -> ArraySlice<Push> {
    var bytes = 0
    return pushes.prefix(batchSize).prefix { push in
      defer { bytes += push.message.payload.count }
      return bytes < MessageQueue.mostBytesPerCall
    }
  }
}
