import MessageQueue
import RedisClient

/// Waits for one queue's bell, on a connection of its own, whenever the worker has nothing else to do there.
///
/// It waits only when asked: a worker with its hands full must not take wake tokens that idle workers wait for.
final class QueueWaiter: Sendable {
  private let queue: MessageQueue
  private let connection: RedisConnection
  private let requests: AsyncStream<Duration>
  private let requester: AsyncStream<Duration>.Continuation

  init(_ name: QueueName, on connection: RedisConnection) {
    self.connection = connection
    queue = MessageQueue(name, on: connection)
    (requests, requester) = AsyncStream.makeStream(of: Duration.self, bufferingPolicy: .bufferingNewest(1))
  }

  /// Asks for one wait. ``run(_:)`` reports when it is over.
  func wait(atMost timeout: Duration) { requester.yield(timeout) }

  /// Serves requests until ``stop()``.
  ///
  /// - Parameter over: called after each wait, whether the bell rang, the time was over, or Redis was away: in each case
  ///   the loop is to look for itself, and it is the loop that reports errors.
  func run(_ over: @Sendable () async -> Void) async {
    for await timeout in requests {
      do {
        _ = try await queue.wait(atMost: timeout)
      } catch {
        if error.code == .interrupted { return }
        // An error comes back at once; without a pause the loop would spin.
        try? await Task.sleep(for: timeout)
      }
      await over()
    }
  }

  /// Ends ``run(_:)`` at once, also in the middle of a wait.
  func stop() {
    requester.finish()
    connection.interrupt()
  }
}
