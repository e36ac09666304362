import MessageQueue
import Synchronization

/// Says on standard error what a change of shards waits for: at once, and then every ten seconds.
final class ShardProgress: Sendable {
  private let queue: QueueName
  private let last = Mutex<(isOfWorkers: Bool, at: ContinuousClock.Instant)?>(nil)
  private static let pause = Duration.seconds(10)

  init(_ queue: QueueName) { self.queue = queue }

  func note(_ wait: Resharding.Wait) {
    let (isOfWorkers, text) =
      switch wait {
      case .forWorkers(let count):
        (true, "waiting for \(count) worker\(count == 1 ? "" : "s") to serve all shards of \(queue)")
      case .forMessages(let count):
        (
          false,
          "waiting for the last shards of \(queue) to become empty: \(count) message\(count == 1 ? "" : "s") left"
        )
      }
    let isNews = last.withLock { last in
      if let last, last.isOfWorkers == isOfWorkers, .now - last.at < Self.pause { return false }
      last = (isOfWorkers, .now)
      return true
    }
    if isNews { Terminal.note(text) }
  }
}
