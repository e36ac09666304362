import MessageQueue
import RedisClient
import Wire

/// What there is to say of one queue.
enum QueueCheck {
  /// How long a message may wait, and how long ago a worker's last claim may be, before it is worth a warning.
  static let patience = (waiting: Duration.seconds(300), claim: Duration.seconds(30))

  /// What was found, and in numbers.
  struct Result {
    var findings: [Finding]
    /// Messages that came by plain pushes.
    var plain = 0
    var waiting = 0
  }

  /// - Throws: ``RedisError`` where Redis cannot be reached or is not ready; what it refuses is a finding.
  static func result(_ queue: MessageQueue) async throws(RedisError) -> Result {
    do throws(RedisError) {
      let audit = try await queue.audit()
      let books = findings(audit, queue.keys)
      // With a key of a wrong type, nothing else can be counted.
      if audit.faults.contains(where: { if case .wrongType = $0 { true } else { false } }) {
        return Result(findings: books)
      }
      let snapshot = try await queue.inspect()
      let moving = try await queue.movingBatch().map { [finding($0, queue.keys)] } ?? []
      return Result(findings: books + moving + findings(snapshot), plain: audit.plain, waiting: snapshot.waiting)
    } catch {
      if error.isAbsence { throw error }
      let rule = "an ACL needs ~\(queue.name) ~{\(queue.name)}:*; docs/operations.md"
      let hint = error.cause == .noRight ? rule : error.cause.advice
      return Result(findings: [Finding("\(queue.name)", .problem, "refused: \(error)", hint: hint)])
    }
  }

  private static func finding(_ batch: MovingBatch, _ keys: QueueKeys) -> Finding {
    Finding(
      "\(keys.list) moving",
      .warning,
      "\(batch.elements.count) messages are on their way to \(batch.to)",
      hint: "if no smsq move is at it, one was stopped: smsq move --from \(keys.list) --to \(batch.to) goes on"
    )
  }

  // MARK: The books

  static func findings(_ audit: QueueAudit, _ keys: QueueKeys) -> [Finding] {
    var findings: [Finding] = []
    for fault in audit.faults {
      switch fault {
      case .wrongType(let key, let found, let wanted):
        let hint = "another program made it; rename it, or give the queue another name"
        findings.append(Finding("\(keys.list) types", .problem, "\(key) is a \(found), not a \(wanted)", hint: hint))
      case .strayClaims(let key, let life, let claims):
        // A life whose lease ended long ago is what every worker looks for.
        let hint =
          WorkerLife(id: life) == nil
          ? "its name should end with <name>@<16 hex digits>; rename it, then see again"
          : "let the workers recover them: redis-cli ZADD '\(keys.workers)' 1 '\(life)'"
        let found = "\(key) has none among the workers; claims in it: \(claims)"
        findings.append(Finding("\(keys.list) owners", .problem, found, hint: hint))
      case .missing(let count):
        let found = "\(count) messages were pushed that are neither here nor done"
        let hint = "Redis lost them (a restart without appendonly, eviction, a failover), or a hand removed them"
        findings.append(Finding("\(keys.list) books", .problem, found, hint: hint))
      case .endlessLease(let life, let left):
        let hint = "if it is not alive: redis-cli ZADD '\(keys.workers)' 1 '\(life)'; then its claims are recovered"
        findings.append(
          Finding("\(keys.list) leases", .problem, "\(life) has one for \(left.inWholeSeconds)", hint: hint)
        )
      case .leftover(let key, let life):
        let hint = "does no harm; redis-cli HDEL '\(key)' '\(life)'"
        findings.append(Finding("\(keys.list) leftovers", .warning, "\(life) in \(key) is no worker", hint: hint))
      }
    }
    if findings.allSatisfy({ $0.level < .problem }) {
      findings.append(balance(keys.list, plain: audit.plain))
    }
    return findings
  }

  static func balance(_ queue: String, plain: Int) -> Finding {
    Finding("\(queue) books", .ok, "balance, with \(plain) plain pushes")
  }

  // MARK: Workers and messages

  static func findings(_ snapshot: QueueSnapshot) -> [Finding] {
    let queue = snapshot.queue
    var findings = [workers(snapshot), waiting(snapshot)]
    if let limit = snapshot.limit { findings.append(Finding("\(queue) limit", .ok, limit.rate.notation)) }
    if snapshot.paused {
      findings.append(Finding("\(queue) paused", .warning, "yes", hint: "smsq resume --queue \(queue)"))
    }
    for worker in snapshot.workers {
      let check = "\(queue) worker \(worker.life.name)"
      let hint = "any live worker of this queue recovers that within a second; is there one?"
      guard let left = worker.leaseLeft else {
        findings.append(Finding(check, .warning, "is being recovered, \(worker.claimed) claims left", hint: hint))
        continue
      }
      if left <= .zero {
        let since = (.zero - left).inWholeSeconds
        findings.append(Finding(check, .warning, "lease ended \(since) ago, with \(worker.claimed) claims", hint: hint))
      } else if let claim = worker.lastClaim, claim > max(patience.claim, left * 2) {
        // Of a worker that is well, claim and renewal are each a third of the lease old at most, and the claim is known
        // from the renewal: what is left of the lease is never less than the claim's age. Twice that allows for delays.
        let hint = "it lives and cannot claim: see its log; restart it if it says nothing"
        findings.append(Finding(check, .warning, "last claimed \(claim.inWholeSeconds) ago", hint: hint))
      }
    }
    return findings
  }

  private static func workers(_ snapshot: QueueSnapshot) -> Finding {
    let alive = snapshot.workers.filter { ($0.leaseLeft ?? .zero) > .zero }.count
    let check = "\(snapshot.queue) workers"
    if alive > 0 { return Finding(check, .ok, "\(alive)") }
    return Finding(check, .warning, "none", hint: "smsq worker --queue \(snapshot.queue)")
  }

  private static func waiting(_ snapshot: QueueSnapshot) -> Finding {
    let check = "\(snapshot.queue) waiting"
    guard let seconds = QueueStats(snapshot).oldestSeconds else { return Finding(check, .ok, "\(snapshot.waiting)") }
    let age = Duration.seconds(seconds)
    let found = "\(snapshot.waiting), the next one for \(age.inWholeSeconds)"
    if age <= patience.waiting { return Finding(check, .ok, found) }
    let hint =
      snapshot.limit.map { "the limit is \($0.rate.notation): smsq limit --queue \(snapshot.queue)" }
      ?? "more workers, or a higher --concurrency, if the gateway bears it"
    return Finding(check, .warning, found, hint: hint)
  }
}

extension Duration {
  /// Without fractions, which say nothing where a person reads.
  fileprivate var inWholeSeconds: String { Duration.seconds(components.seconds).notation }
}
