import RedisClient
import Simulation

@testable import MessageQueue

/// One call to Redis, as a worker, a producer or a person makes it.
enum Call: Sendable {
  case lpush([UInt8])
  case enqueue([OutgoingMessage], maxWaiting: Int, Spread)
  case reshard(from: ShardNumbers, to: ShardNumbers)
  case raise(Spread)
  case claim(ClaimRequest)
  case settle([Settlement], of: ClaimHolder)
  case turn([Settlement], ClaimRequest)
  case join(WorkerLife, lease: Duration)
  case renew(WorkerLife, lease: Duration, lastClaim: Duration?)
  case leave(WorkerLife)
  case fence(WorkerLife, isGone: Bool, limit: Int, mostBytes: Int)
  case reconcile(WorkerLife, known: [Int], before: Int, limit: Int, mostBytes: Int)
  case drop([[UInt8]], keeping: DeadLetterBounds, for: WorkerLife)
  case revive([[UInt8]])
  case remove([[UInt8]])
  case take([Taking])
  case countLost(Int)
  case pause
  case limit(QueueLimit?)
  case resume
  case takeToken
  case ringAtPush

  var name: String { Mirror(reflecting: self).children.first?.label ?? "\(self)" }

  /// For how long letters are another's. Longer than any walk takes: Redis' own clock decides when that is over.
  static let dropLease = Duration.seconds(3600)
}

/// What was answered to a call.
enum Answer: Equatable, Sendable {
  case nothing
  case number(Int?)
  case isTrue(Bool)
  case enqueued(EnqueueResult)
  case numbers(ShardNumbers)
  case spread(Spread)
  case claimed(ClaimAnswer?)
  case turned(settled: Int?, refusal: RedisError.Code?, ClaimAnswer?)
  case lives(Set<WorkerLife>)
  case renewed(RenewAnswer)
  case fenced(FencedClaims?)
  case reconciled(ReconcileAnswer?)
  case letters([[UInt8]]?)
  case taken([Taken])
  case refused(RedisError.Code)
}

extension SimulatedRedis {
  mutating func answer(to call: Call, now: Int64) -> Answer {
    do throws(RedisError) {
      switch call {
      case .lpush(let bytes):
        try lpush(bytes)
        return .nothing
      case .enqueue(let messages, let maxWaiting, let spread):
        return .enqueued(try enqueue(messages, maxWaiting: maxWaiting, spread: spread, now: now))
      case .reshard(let known, let wanted):
        return .numbers(try reshard(from: known, to: wanted))
      case .raise(let spread):
        return .spread(try raise(spread))
      case .claim(let request):
        return .claimed(try claim(request, now: now))
      case .settle(let settlements, let holder):
        return .number(try settle(settlements, of: holder, now: now))
      case .turn(let settlements, let request):
        let (settled, refusal, claimed) = try turn(settling: settlements, claiming: request, now: now)
        return .turned(settled: settled, refusal: refusal?.code, claimed)
      case .join(let life, let lease):
        return .lives(try join(life, lease: lease, now: now))
      case .renew(let life, let lease, let lastClaim):
        return .renewed(try renew(life, lease: lease, lastClaim: lastClaim, now: now))
      case .leave(let life):
        return .number(try leave(life))
      case .fence(let life, let isGone, let limit, let mostBytes):
        return .fenced(try fence(life, isGone: isGone, limit: limit, mostBytes: mostBytes, now: now))
      case .reconcile(let life, let known, let nextNumber, let limit, let mostBytes):
        return .reconciled(
          try reconcile(life, known: known, before: nextNumber, limit: limit, mostBytes: mostBytes)
        )
      case .drop(let logged, let bounds, let life):
        return .letters(try drop(logged, keeping: bounds, for: life, lease: Call.dropLease, now: now))
      case .revive(let letters):
        return .number(try revive(letters))
      case .remove(let letters):
        return .number(try remove(letters))
      case .take(let messages):
        return .taken(try take(messages))
      case .countLost(let count):
        self.count(lost: count)
        return .nothing
      case .pause:
        try pause()
        return .nothing
      case .limit(let limit):
        try setLimit(limit)
        return .nothing
      case .resume:
        try resume()
        return .nothing
      case .takeToken:
        return .isTrue(try takeToken())
      case .ringAtPush:
        defer { ring() }
        return .isTrue(try findsMessage())
      }
    } catch {
      return .refused(error.code)
    }
  }
}

extension MessageQueue {
  func answer(to call: Call) async -> Answer {
    do throws(RedisError) {
      switch call {
      case .lpush(let bytes):
        var push = RedisCommand("LPUSH", name.description)
        push.append(bytes)
        _ = try await connection.run(push)
        return .nothing
      case .enqueue(let messages, let maxWaiting, let spread):
        return .enqueued(try await enqueue(messages, maxWaiting: maxWaiting, spread: spread))
      case .reshard(let known, let wanted):
        return .numbers(try await reshard(from: known, to: wanted))
      case .raise(let spread):
        return .spread(try await raise(spread))
      case .claim(let request):
        return .claimed(try await turn(settling: [], claiming: request).claimed)
      case .settle(let settlements, let holder):
        return .number(try await settle(settlements, of: holder))
      case .turn(let settlements, let request):
        let (settled, refusal, claimed) = try await turn(settling: settlements, claiming: request)
        return .turned(settled: settled, refusal: refusal?.code, claimed)
      case .join(let life, let lease):
        return .lives(try await join(life, lease: lease))
      case .renew(let life, let lease, let lastClaim):
        return .renewed(try await renew(life, lease: lease, lastClaim: lastClaim))
      case .leave(let life):
        return .number(try await leave(life))
      case .fence(let life, let isGone, let limit, let mostBytes):
        return .fenced(try await fence(life, isGone: isGone, limit: limit, mostBytes: mostBytes))
      case .reconcile(let life, let known, let nextNumber, let limit, let mostBytes):
        return .reconciled(
          try await reconcile(life, known: known, before: nextNumber, limit: limit, mostBytes: mostBytes)
        )
      case .drop(let logged, let bounds, let life):
        return .letters(try await drop(logged, keeping: bounds, for: life, lease: Call.dropLease))
      case .revive(let elements):
        return .number(try await revive(elements.map { DeadLetter(stored: $0, score: "0") }))
      case .remove(let elements):
        return .number(try await remove(elements.map { DeadLetter(stored: $0, score: "0") }))
      case .take(let messages):
        return .taken(try await take(messages, for: .cancelled))
      case .countLost(let count):
        try await self.count(lost: count)
        return .nothing
      case .pause:
        try await pause()
        return .nothing
      case .limit(let limit):
        try await setLimit(limit)
        return .nothing
      case .resume:
        try await resume()
        return .nothing
      case .takeToken:
        return .isTrue(try await wait(atMost: .milliseconds(1)))
      case .ringAtPush:
        let replies = try await connection.run(
          [
            RedisCommand("BLMOVE", name.description, name.description, "RIGHT", "RIGHT", "0.001"),
            RedisCommand("LPUSH", keys.wake, "1"), RedisCommand("LTRIM", keys.wake, "0", "7"),
          ],
          blocking: .milliseconds(1)
        )
        if case .error(let error) = replies[0] { return .refused(error.code) }
        return .isTrue(replies[0] != .null)
      }
    } catch {
      return .refused(error.code)
    }
  }
}

extension Answer {
  /// What kind of answer it was.
  var kind: String {
    switch self {
    case .refused(let code): code.rawValue
    case .claimed(nil), .turned(_, _, nil), .number(nil), .fenced(nil), .reconciled(nil), .letters(nil): "nil"
    case .claimed(let claimed?), .turned(_, _, let claimed?):
      if claimed.isBlocked {
        "blocked"
      } else if !claimed.tooLarge.isEmpty {
        "too large"
      } else if claimed.limitedFor != nil {
        "limited"
      } else {
        claimed.messages.isEmpty ? "empty" : "messages"
      }
    case .fenced(let fenced?): fenced.remaining == 0 ? "struck off" : fenced.claims.isEmpty ? "none yet" : "claims"
    case .reconciled(let answer?): answer.count == 0 ? "none" : "lost"
    case .renewed(let answer): answer.isRenewed ? "renewed" : "lost"
    case .enqueued(.full): "full"
    case .enqueued(.stale): "stale"
    default: "answered"
    }
  }
}
