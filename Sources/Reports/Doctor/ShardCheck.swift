import MessageQueue
import RedisClient

/// What there is to say of one queue with all of its shards: as of one queue, but what is wrong in a shard under that one's name.
enum ShardCheck {
  /// - Throws: ``RedisError`` where Redis cannot be reached or is not ready; what it refuses is a finding.
  static func findings(_ queue: ShardedQueue) async throws(RedisError) -> [Finding] {
    let first = try await QueueCheck.result(queue.first)
    let numbers: ShardNumbers
    do throws(RedisError) {
      numbers = try await queue.first.shardNumbers()
    } catch {
      if error.isAbsence { throw error }
      // Where it has refused the other calls as well, that is among the findings.
      if first.findings.contains(where: { $0.level == .problem }) { return first.findings }
      let hint = error.cause == .noRight ? "an ACL needs +mget" : error.cause.advice
      return first.findings + [Finding("\(queue.name) shards", .warning, "refused: \(error)", hint: hint)]
    }
    var results = [first]
    let others = await queue.each(of: 1..<numbers.all) { shard throws(RedisError) in try await QueueCheck.result(shard)
    }
    for (number, other) in zip(1..., others) {
      switch other {
      case .success(let result): results.append(result)
      case .failure(let error):
        let finding = Finding("\(queue.name.shard(number))", .problem, "\(error)", hint: error.cause.advice)
        results.append(QueueCheck.Result(findings: [finding]))
      }
    }
    let found = results.count == 1 ? first.findings : merged(results, queue.name)
    return found + self.numbers(queue.name, numbers) + (await left(queue, numbers))
  }

  /// What is well is said once, of all shards together.
  private static func merged(_ results: [QueueCheck.Result], _ queue: QueueName) -> [Finding] {
    var findings = results.flatMap(\.findings).filter { $0.level > .ok }
    func isWell(_ check: String) -> Bool {
      results.allSatisfy { $0.findings.contains { $0.check.hasSuffix(" \(check)") && $0.level == .ok } }
    }
    if isWell("books") {
      findings.append(QueueCheck.balance(queue.description, plain: results.reduce(0) { $0 + $1.plain }))
    }
    // Each worker serves all of them.
    if isWell("workers") { findings += results[0].findings.filter { $0.check == "\(queue) workers" } }
    if isWell("waiting") {
      findings.append(Finding("\(queue) waiting", .ok, "\(results.reduce(0) { $0 + $1.waiting })"))
    }
    return findings
  }

  static func numbers(_ queue: QueueName, _ numbers: ShardNumbers) -> [Finding] {
    if numbers == .unsharded { return [] }
    let (served, spread) = (numbers.served, numbers.spread.shards)
    if served == spread { return [Finding("\(queue) shards", .ok, "\(served)")] }
    let hint =
      "a change is under way, or was interrupted: smsq shards --queue \(queue) NUMBER goes on with it"
    return [
      Finding("\(queue) shards", .warning, "workers serve \(served), pushes are spread over \(spread)", hint: hint)
    ]
  }

  /// What is left in lists that were shards, and are none any more.
  private static func left(_ queue: ShardedQueue, _ numbers: ShardNumbers) async -> [Finding] {
    var findings: [Finding] = []
    for number in numbers.all..<max(Spread.mostShards, numbers.all) {
      let (shard, name) = (queue.shard(number), queue.name.shard(number))
      do throws(RedisError) {
        guard let known = try await shard.knownSpread() else { break }
        let waiting = try await shard.inspect().waiting
        if known.shards > number && known > numbers.spread {
          let hint =
            "Redis has lost a change of it (a failover, a restart): smsq shards --queue \(queue.name) \(known.shards)"
          findings.append(
            Finding("\(name)", .problem, "is a shard that \(queue.name) does not know of, \(waiting) wait", hint: hint)
          )
        } else if waiting > 0 {
          let hint =
            "somebody pushes there by its name: smsq worker --queue \(name) sends them, or smsq shards with more"
          findings.append(
            Finding("\(name)", .problem, "\(waiting) wait, and it is no shard of \(queue.name) any more", hint: hint)
          )
        }
      } catch {
        // Most queues never had this shard: that it cannot be asked is nothing to say.
        break
      }
    }
    return findings
  }
}
