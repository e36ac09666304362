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

  private let connection: RedisConnection
  private let idLifetime: Duration
  private var waiting: [Push] = []
  private var isUnderWay = false

  /// - Parameter idLifetime: how long a message's id is refused a second time.
  init(connection: RedisConnection, idLifetime: Duration) {
    self.connection = connection
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
          let error = await push(batch.map(\.message), to: queue)
          for push in batch { push.answer.resume(returning: error) }
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

  private func push(_ batch: [OutgoingMessage], to queue: QueueName) async -> RedisError? {
    do {
      _ = try await MessageQueue(queue, on: connection).enqueue(batch, rememberIDs: idLifetime)
      return nil
    } catch {
      return error
    }
  }
}
