import MessageQueue
import Synchronization

/// What a worker has done, counted for whoever asks. A worker that nobody asks has none, and counts nothing.
package final class WorkerMetrics: Sendable {
  /// Of one queue, or of one shard of it.
  package struct Queue: Sendable, Equatable {
    /// Messages that it was handed.
    package var claimed = 0
    /// Round trips to Redis, and how many of those could settle and claim.
    package var calls = 0
    package var turns = 0
    /// How often Redis went away.
    package var outages = 0
    package var isRedisThere = false
    package var inHand = 0
    package var leaseEnd: Instant?
    /// When a claim last succeeded, if only to find nothing.
    package var lastClaim: Instant?
    /// No message is taken on any more.
    package var isLeaving = false
  }

  private let queues = Mutex<[String: Queue]>([:])

  package init() {}

  /// By name, as it is at this moment.
  package func snapshot() -> [(name: String, queue: Queue)] {
    queues.withLock { queues in
      queues.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { ($0.key, $0.value) }
    }
  }

  func change(_ name: QueueName, _ change: (inout Queue) -> Void) {
    queues.withLock { change(&$0[name.description, default: Queue()]) }
  }

  /// A shard that is served no more.
  func remove(_ name: QueueName) { queues.withLock { $0[name.description] = nil } }
}

extension WorkerMetrics.Queue {
  /// Counts what came of an action.
  mutating func note(_ event: QueueState.Event, leaseEnd: Instant?, now: Instant) {
    self.leaseEnd = leaseEnd
    switch event {
    case .finished, .began, .wroteOut: return
    case .failed:
      calls += 1
      return
    case .turned(let answer):
      turns += 1
      took(answer.claimed, now)
    case .heard(.claimed(let answer, _)): took(answer, now)
    case .heard(.failed):
      calls += 1
      return
    case .heard(.rang), .heard(.limitHolds), .joined, .renewed, .foundUnsafe, .askedForRing, .fenced, .settled,
      .compared, .dropped,
      .counted,
      .left:
      break
    }
    calls += 1
    isRedisThere = true
  }

  private mutating func took(_ answer: ClaimAnswer?, _ now: Instant) {
    guard let answer else { return }
    claimed += answer.messages.count + answer.tooLarge.count
    lastClaim = now
  }

  mutating func note(_ note: QueueState.Note) {
    guard case .redisLost = note else { return }
    outages += isRedisThere ? 1 : 0
    isRedisThere = false
  }
}
