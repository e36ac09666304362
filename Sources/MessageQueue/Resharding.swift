import RedisClient

/// Gives a queue another number of shards, while workers and pushers go on.
///
/// Each shard that is pushed to is served at every moment. So on the way to more shards the workers come first, and pushes when
/// those have joined; on the way to fewer, pushes come first, and the workers leave when the last shards are empty. What is done is
/// kept in Redis: whoever is interrupted may be repeated, and goes on, or back, from there.
package struct Resharding: Sendable {
  /// What is waited for.
  package enum Wait: Sendable, Equatable {
    /// So many of the living workers have not joined all of the new shards.
    case forWorkers(Int)
    /// So many messages are left in the shards that are to be no more.
    case forMessages(Int)
  }

  /// Why it is not done, or not to its end.
  package enum Refusal: Error, Sendable, Equatable {
    /// The queue is itself a shard of another one.
    case isShard(of: QueueName)
    /// The last shard would have a name that is too long.
    case nameTooLong
    /// A queue has the name of a shard. `has` says what shows that it is one by itself.
    case isQueue(QueueName, has: String)
    /// Shards that are to be no more hold dead letters. Nothing was changed, or pushes go there no more.
    case deadLetters([QueueName], Int, isUnchanged: Bool)
    /// There are workers, and none of them serves this shard. Pushes do not go there.
    case notServed(QueueName)
    /// Messages are left in shards that are to be no more, which workers serve until they are done.
    case notEmpty([QueueName], Int)
    /// Somebody else has changed the numbers meanwhile.
    case changed(ShardNumbers)
  }

  package struct Outcome: Sendable, Equatable {
    package let numbers: ShardNumbers
    /// Workers that do not serve all shards yet.
    package let late: [String]
    /// Shards that are no more, and were pushed to by their own names meanwhile.
    package let strays: [QueueName]
  }

  private let queue: ShardedQueue
  private let wanted: Int
  private let patience: Duration?
  private let report: @Sendable (Wait) -> Void

  /// Between two looks.
  private static let pause = Duration.milliseconds(200)

  /// - Parameters:
  ///   - shards: 1...``Spread/mostShards``.
  ///   - patience: how long to wait for the last shards to become empty; nil for as long as it takes.
  ///   - report: told what is waited for, at each look.
  package init(
    _ queue: ShardedQueue,
    to shards: Int,
    patience: Duration? = nil,
    report: @escaping @Sendable (Wait) -> Void = { _ in }
  ) {
    self.queue = queue
    wanted = shards
    self.patience = patience
    self.report = report
  }

  /// - Throws: ``Refusal``; ``RedisError``, after which it is to be repeated.
  package func run() async throws -> Outcome {
    try await checkName()
    var numbers = try await queue.first.shardNumbers()
    let limit = try await queue.limit()
    if wanted < numbers.all { try await checkDeadLetters(numbers, isUnchanged: true) }
    var (late, strays): ([String], [QueueName]) = ([], [])
    if wanted > numbers.served { numbers = try await serve(numbers) }
    if wanted > numbers.spread.shards { late = try await joined(numbers) }
    if wanted != numbers.spread.shards {
      let spread = numbers.spread.changed(to: wanted)
      numbers = try await change(numbers, to: ShardNumbers(served: max(numbers.served, wanted), spread: spread))
    }
    try await tellShards(numbers)
    if let limit { try await queue.setLimit(limit) }
    if wanted < numbers.served {
      let all = numbers.all
      try await emptied(numbers)
      numbers = try await change(numbers, to: ShardNumbers(served: wanted, spread: numbers.spread))
      if let limit {
        try await queue.setLimit(limit)
        for shard in wanted..<all { try await queue.shard(shard).setLimit(nil) }
      }
      for shard in wanted..<all where try await !queue.shard(shard).inspect().isEmpty {
        strays.append(queue.name.shard(shard))
      }
    }
    return Outcome(numbers: numbers, late: late, strays: strays)
  }

  // MARK: Steps

  private func checkName() async throws {
    if let (other, number) = queue.name.asShard {
      // It lies beside the queue's other keys.
      let shard = MessageQueue(queue.name, on: queue.first.connection, shard: number)
      if try await shard.knownSpread() != nil { throw Refusal.isShard(of: other) }
    }
    if wanted > 1 && QueueName(queue.name.shard(wanted - 1).description) == nil { throw Refusal.nameTooLong }
  }

  private func change(_ numbers: ShardNumbers, to wanted: ShardNumbers) async throws -> ShardNumbers {
    let found = try await queue.first.reshard(from: numbers, to: wanted)
    if found != wanted { throw Refusal.changed(found) }
    return wanted
  }

  /// Has workers serve more shards.
  private func serve(_ numbers: ShardNumbers) async throws -> ShardNumbers {
    let new = numbers.served..<wanted
    for shard in new { try await checkIsFree(queue.shard(shard)) }
    // A change of its own, though pushes go where they went: shards that have a number are known for shards by it.
    let spread = numbers.spread.changed(to: numbers.spread.shards)
    let served = try await change(numbers, to: ShardNumbers(served: wanted, spread: spread))
    let isPaused = try await queue.first.inspect().paused
    let limit = try await queue.limit().map { QueueLimit($0, parts: wanted) }
    for shard in new {
      // Before anything is pushed there.
      if let limit { try await queue.shard(shard).setLimit(limit) }
      _ = try await queue.shard(shard).raise(spread)
      if isPaused { try await queue.shard(shard).pause() }
    }
    return served
  }

  /// A queue that has worked by itself is none of ours. One that was only ever pushed to by LPUSH may be: producers may come first.
  private func checkIsFree(_ shard: MessageQueue) async throws {
    let snapshot = try await shard.inspect()
    if try await shard.knownSpread() != nil { return }
    let signs = [
      (!snapshot.workers.isEmpty, "workers"), (!snapshot.counters.isEmpty, "counters"),
      (snapshot.dead > 0, "dead letters"), (snapshot.scheduled > 0, "scheduled messages"),
      (snapshot.shards != .unsharded, "shards"),
    ]
    if let sign = signs.first(where: \.0) { throw Refusal.isQueue(shard.name, has: sign.1) }
  }

  /// Waits until the living workers serve all shards, but not longer than a lease, within which each has renewed its own.
  ///
  /// - Returns: those that do not.
  private func joined(_ numbers: ShardNumbers) async throws -> [String] {
    var deadline: ContinuousClock.Instant?
    while true {
      let first = try await queue.first.inspect()
      let living = first.living
      if living.isEmpty { return [] }
      var (late, unserved): (Set<String>, QueueName?) = ([], nil)
      for shard in numbers.spread.shards..<wanted {
        let there = try await queue.shard(shard).inspect().living
        late.formUnion(living.keys.filter { there[$0] == nil })
        if there.isEmpty && unserved == nil { unserved = queue.name.shard(shard) }
      }
      if late.isEmpty { return [] }
      // A lease is renewed when a third of it is over, so this is not less than one.
      let lease = (living.values.max() ?? .zero) * 3 / 2 + .seconds(2)
      let until = deadline ?? .now + lease
      deadline = until
      if .now >= until {
        if let unserved { throw Refusal.notServed(unserved) }
        return late.sorted()
      }
      report(.forWorkers(late.count))
      try await Task.sleep(for: Self.pause)
    }
  }

  /// Each shard learns it from whoever pushes there, too. Those that are to be no more must know it now.
  private func tellShards(_ numbers: ShardNumbers) async throws {
    if numbers.spread == .unsharded { return }
    var failure: RedisError?
    for shard in 1..<max(1, numbers.all) {
      do throws(RedisError) {
        _ = try await queue.shard(shard).raise(numbers.spread)
      } catch {
        failure = failure ?? error
      }
    }
    if let failure { throw failure }
  }

  private func checkDeadLetters(_ numbers: ShardNumbers, isUnchanged: Bool) async throws {
    var (names, count): ([QueueName], Int) = ([], 0)
    for shard in wanted..<numbers.all {
      let dead = try await queue.shard(shard).inspect().dead
      if dead == 0 { continue }
      names.append(queue.name.shard(shard))
      count += dead
    }
    if count > 0 { throw Refusal.deadLetters(names, count, isUnchanged: isUnchanged) }
  }

  private func emptied(_ numbers: ShardNumbers) async throws {
    let until = patience.map { ContinuousClock.now + $0 }
    while true {
      var (names, left): ([QueueName], Int) = ([], 0)
      for shard in wanted..<numbers.all {
        let snapshot = try await queue.shard(shard).inspect()
        if snapshot.isEmpty { continue }
        names.append(queue.name.shard(shard))
        left += snapshot.waiting + snapshot.scheduled + snapshot.claimed
      }
      if left == 0 { break }
      if let until, .now >= until { throw Refusal.notEmpty(names, left) }
      report(.forMessages(left))
      try await Task.sleep(for: Self.pause)
    }
    // What died on the way.
    try await checkDeadLetters(numbers, isUnchanged: false)
  }
}

extension QueueSnapshot {
  /// No messages but dead ones.
  fileprivate var isEmpty: Bool { waiting + scheduled + claimed == 0 }

  /// The workers whose leases hold, and for how long. By what tells one process from another.
  fileprivate var living: [String: Duration] {
    var living: [String: Duration] = [:]
    for worker in workers {
      guard let left = worker.leaseLeft, left > .zero else { continue }
      let name = worker.life.process.map { "\(worker.life.name) (\($0))" } ?? worker.life.name
      living[name] = max(left, living[name] ?? .zero)
    }
    return living
  }
}
