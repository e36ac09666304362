import MessageQueue
import RedisClient
import Synchronization

/// What a worker knows about one of its queues. Only the worker touches it, but for ``finished``.
final class QueueSession {
  let queue: MessageQueue
  /// The same queue on a connection with a thread of its own, where its bell is listened for while the loop works.
  let bell: MessageQueue
  /// The same queue on a connection that shares the loop's thread, for waits in which the loop has nothing else to do. Nil
  /// where there are several queues: it cannot wait for all of them.
  let idleBell: MessageQueue?
  /// The same queue on a connection by which Redis is asked to ring for plain pushes. It shares the loop's thread: nobody
  /// waits for its answers.
  let ringer: MessageQueue
  /// The connections of these, which are in use for waits alone, and may be interrupted.
  let waits: [RedisConnection]
  /// What handlers have finished with and the loop has not yet taken.
  let finished = FinishedBox()

  /// The life that claims belong to; a new one after a lost lease.
  var life: WorkerLife
  var isRegistered = false
  /// The number of the next claim id.
  var nextNumber = 0
  /// False while the last claim found the queue empty and the bell has not rung since.
  var mayHaveMessages = true
  /// Since when a suspect is next in line: nothing more can be claimed before the worker's hands are empty.
  var blockedSince: ContinuousClock.Instant?
  /// True while the bell is listened for.
  var isListening = false
  /// Before its next wait this life is to see to it that plain pushes ring: see `Worker.seeToPlainPushes`.
  var mustAskForRing = false
  /// Messages were taken since it last did: what it asked for then is over.
  var hasTaken = false
  /// As of the last claim no other life works on this queue.
  var isAlone = false
  /// The claim that was sent behind the bell and is not answered yet.
  var claimBehindBell: ClaimRequest?
  /// When a turn of this life last succeeded: what its health means.
  var lastTurn: ContinuousClock.Instant?
  /// When the next scheduled message or retry is due, as of the last claim.
  var nextDue: ContinuousClock.Instant?

  /// A turn whose answer was lost: to be repeated before any other.
  var unanswered: Turn?
  /// Outcomes on their way to Redis.
  var unsettled: [Finished] = []
  /// How many outcomes could not be recorded and are still to be counted in Redis.
  var lostOutcomes = 0
  /// Something was buried, or a while has passed: there may be more dead letters than the bounds allow.
  var mayHaveSurplus = false
  /// Dead letters over the bounds that are in the log, and are to be removed.
  var loggedSurplus: [[UInt8]] = []
  /// The last attempt at dropping dead letters has not found that there are no more: it is to go on, or has failed.
  var isDropping = false
  /// Before this, no dead letter is dropped.
  var dropAt: ContinuousClock.Instant
  /// Lives whose claims this worker takes back, and why.
  var toRecover: [WorkerLife: RecoverReason] = [:]
  /// Lives of this worker's name that began before its own.
  var olderLives: Set<WorkerLife> = []

  /// Nothing of this life starts after it: the claims may be another's by then. Read by handlers just before they start,
  /// so each life has one of its own: a message of the last life must not start because the next one has a lease.
  var lease = LeaseClock()
  var renewAt: ContinuousClock.Instant
  /// When the last renewal that was answered was asked for.
  var renewedAt: ContinuousClock.Instant
  /// Before this, no other life counts as expired: see `noteRenewal`.
  var takeOverAt: ContinuousClock.Instant
  /// After a failure: not before this.
  var retryAt: ContinuousClock.Instant
  /// After a wait that failed: no other before this.
  var listenAt: ContinuousClock.Instant
  /// After a refusal: Redis is not asked to ring for plain pushes before this.
  var ringerAt: ContinuousClock.Instant
  var trouble = Outage()

  struct Turn {
    var settling: [Finished]
    var request: ClaimRequest
    /// Whether it may have been carried out before.
    var isRepeat = false
  }

  enum RecoverReason {
    /// Its lease ended.
    case expired
    /// It was of this worker's name, and its process is not there any more.
    case gone
  }

  /// - Parameters:
  ///   - commands: where the worker's loop has its thread.
  ///   - loopMayBlock: whether the loop may wait for this queue itself.
  init(_ name: QueueName, worker options: WorkerOptions, commands: RedisConnection, loopMayBlock: Bool) {
    queue = MessageQueue(name, on: commands)
    life = WorkerLife(name: options.name, process: ProcessIdentity.own)
    // The loop itself may be in a wait that gets no answer, until its next renewal is due. That must get its time, and where
    // it gets no answer either, be repeated within the lease.
    let waitOptions = RedisConnection.Options(
      name: "smsq-wait-\(name)",
      connectTimeout: min(.seconds(5), options.lease / 4),
      replyTimeout: max(.milliseconds(200), min(.seconds(2), options.lease / 12))
    )
    let bellConnection = RedisConnection(to: commands.endpoint, options: waitOptions)
    bell = MessageQueue(name, on: bellConnection)
    let idleConnection = loopMayBlock ? RedisConnection(besides: commands, options: waitOptions) : nil
    idleBell = idleConnection.map { MessageQueue(name, on: $0) }
    // Within the loop's own time, which must be enough for renewals: see `Worker.seeToPlainPushes`.
    let ringerTimeout = max(.milliseconds(50), min(.seconds(1), options.lease / 24))
    let ringerConnection = RedisConnection(
      besides: commands,
      options: .init(name: "smsq-ring-\(name)", connectTimeout: ringerTimeout, replyTimeout: ringerTimeout)
    )
    ringer = MessageQueue(name, on: ringerConnection)
    waits = [bellConnection, idleConnection, ringerConnection].compactMap(\.self)
    let now = ContinuousClock.now
    (renewAt, renewedAt, takeOverAt, retryAt, dropAt) = (now, now, now, now, now)
    (listenAt, ringerAt) = (now, now)
  }
}

/// One outcome, with what is needed to say whose it was if it cannot be recorded.
struct Finished: Sendable {
  let settlement: Settlement
  /// Of the life that claimed it.
  let lease: LeaseClock
  /// The message's id in the log.
  let messageID: String
}

/// Where handlers leave outcomes for the loop.
final class FinishedBox: Sendable {
  private let contents = Mutex<[Finished]>([])

  /// - Returns: true when the box was empty: the loop must be told.
  func put(_ finished: Finished) -> Bool {
    contents.withLock { contents in
      contents.append(finished)
      return contents.count == 1
    }
  }

  /// Puts in what belongs together: the loop takes all of it at once.
  func put(_ finished: [Finished]) { contents.withLock { $0 += finished } }

  func takeAll() -> [Finished] {
    contents.withLock { contents in
      defer { contents = [] }
      return contents
    }
  }

  var isEmpty: Bool { contents.withLock(\.isEmpty) }
}

/// Until when this worker may start what it has claimed, by a clock that cannot jump and that runs while it is stopped.
final class LeaseClock: Sendable {
  private let end = Mutex<ContinuousClock.Instant?>(nil)

  /// - Parameter start: just before the renewal was asked for, not when its answer came.
  func extend(from start: ContinuousClock.Instant, by lease: Duration) { end.withLock { $0 = start + lease } }

  func revoke() { end.withLock { $0 = nil } }

  var holds: Bool { end.withLock { end in end.map { ContinuousClock.now < $0 } ?? false } }
}
