/// Every Redis key of one queue. No other file makes a key; docs/redis-keys.md describes what they hold.
///
/// The list carries the queue's bare name, so that `LPUSH sms ...` is all a producer needs. Every other key carries the
/// hash tag `{sms}`, which puts it into the same cluster slot as the list.
package struct QueueKeys: Sendable {
  /// List: waiting messages, in on the left, out on the right.
  package let list: String
  /// List: wake tokens, at most 8.
  package let wake: String
  /// Sorted set: scheduled messages and retries, by due time in Unix ms.
  package let later: String
  /// Sorted set: dead letters, by time of death in Unix ms.
  package let dead: String
  /// Hash: counters.
  package let stats: String
  /// String: there while the queue is paused.
  package let paused: String
  /// String: how many messages may be claimed in a time, and how many of these are left, see ``QueueLimit``; absent for no limit.
  package let limit: String
  /// List, there for a moment when the limit is changed: the bell of workers that rest because of it.
  package let rest: String
  /// Sorted set: lives of workers, by the end of their leases in Unix ms; 0 for a fenced one.
  package let workers: String
  /// Hash: life -> the number of its next claim.
  package let turns: String
  /// Hash: life -> when a claim of its last succeeded, Unix ms, `-` for never; a space; the length of its lease, ms.
  package let health: String
  /// String with an expiry: the life that was handed dead letters to be logged, while others are handed none.
  package let dropping: String
  /// String: over how many shards pushes to this queue are spread, see ``Spread``; absent where it was never sharded.
  package let spread: String
  /// String: how many shards of this queue workers serve; absent where it was never sharded.
  package let served: String
  /// String, of a shard that is not the first: over how many of them pushes to the queue are spread.
  package let shard: String
  /// Hash: messages on their way to another queue, in the order in which they go, and where to, as what batch, and how many of them
  /// are gone from here.
  package let moving: String
  /// Never there: the last of the keys that each script names which writes.
  ///
  /// While the slot moves from one node of a cluster to another, some keys are here and some there. Redis then refuses a call
  /// that names a key which is not here, before it begins. One that names only keys that are here, removes the last entry of one
  /// and adds to it again, would find it gone to the other node, and end between the two.
  package let absent: String
  /// What the claimed hash of a life begins with.
  package let claimedPrefix: String
  private let seenPrefix: String
  private let donePrefix: String
  private let arrivedPrefix: String

  package init(_ queue: QueueName) {
    let tag = "{\(queue)}"
    list = queue.description
    wake = "\(tag):wake"
    later = "\(tag):later"
    dead = "\(tag):dead"
    stats = "\(tag):stats"
    paused = "\(tag):paused"
    limit = "\(tag):limit"
    rest = "\(tag):rest"
    workers = "\(tag):workers"
    turns = "\(tag):turns"
    health = "\(tag):health"
    dropping = "\(tag):dropping"
    spread = "\(tag):spread"
    served = "\(tag):served"
    shard = "\(tag):shard"
    moving = "\(tag):moving"
    absent = "\(tag):absent"
    claimedPrefix = "\(tag):claimed:"
    seenPrefix = "\(tag):seen:"
    donePrefix = "\(tag):done:"
    arrivedPrefix = "\(tag):arrived:"
  }

  /// Hash: claim id -> element, for one life of a worker.
  package func claimed(_ life: WorkerLife) -> String { claimedPrefix + life.id }

  /// String with an expiry: an id that a caller gave to a message. It holds how long it was to be remembered, ms.
  package func seen(_ id: String) -> String { seenPrefix + id }

  /// String with an expiry: what became of a message that is not in the queue any more, see ``MessageEnd``.
  package func done(_ id: String) -> String { donePrefix + id }

  /// String with an expiry: there once a batch of messages has been moved here.
  package func arrived(_ batch: String) -> String { arrivedPrefix + batch }
}
