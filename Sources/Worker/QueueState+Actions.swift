import MessageQueue
import RedisClient

// The words between a queue's state and the loop that carries its decisions out.
extension QueueState {
  /// What the world is like when a decision is made.
  package struct Conditions: Sendable {
    package var now: Instant
    /// What the worker was told from outside.
    package var told: WorkerControl.Phase
    package var gateway: GatewayRoom
    /// So many messages wait to be begun that there is no hurry to claim more, or to settle.
    package var hasPlenty: Bool

    package init(
      now: Instant,
      told: WorkerControl.Phase = .running,
      gateway: GatewayRoom = GatewayRoom(),
      hasPlenty: Bool = false
    ) {
      self.now = now
      self.told = told
      self.gateway = gateway
      self.hasPlenty = hasPlenty
    }
  }

  /// What the gateway bears at present.
  package struct GatewayRoom: Sendable {
    /// How many messages may be begun now.
    package var most = Int.max
    /// When more may be; nil where nothing is held back.
    package var next: Instant?
    /// Whether the next message is to find out if the gateway is back.
    package var isProbing = false

    package init(most: Int = .max, next: Instant? = nil, isProbing: Bool = false) {
      self.most = most
      self.next = next
      self.isProbing = isProbing
    }
  }

  /// What the loop is to do. Each but `start`, `cutShort`, `rest` and `end` is answered by the event named.
  package enum Action: Sendable {
    /// Make up a life: `began`.
    case beginLife
    /// Register the life: `joined`.
    case join(WorkerLife)
    /// Extend its lease: `renewed`.
    case renew(WorkerLife, lastClaim: Duration?)
    /// Ask Redis for settings that lose messages: `foundUnsafe`.
    case checkSafety
    /// Settle and claim in one round trip: `turned`.
    case turn(Turn)
    /// Take claims from a life that is over: `fenced`.
    case fence(WorkerLife, isGone: Bool)
    /// Settle claims that nobody has in hand: `settled`.
    case settle([Settlement], of: ClaimHolder)
    /// Look for claims of this life that it does not know: `compared`.
    ///
    /// - Parameter before: only those with lesser numbers.
    case compare(WorkerLife, known: [Int], before: Int)
    /// Remove dead letters that are in the log, and ask for more that are over the bounds: `dropped`.
    case drop([[UInt8]], WorkerLife)
    /// Write dead letters to the log, whole, beside the loop, but for no longer than this: `wroteOut`.
    case writeOut([[UInt8]], until: Instant)
    /// Count outcomes that could not be recorded: `counted`.
    case count(lost: Int)
    /// Have Redis ring for pushes that do not: `askedForRing`.
    case askForRing(Ring)
    /// Wait in Redis: `heard`. Beside the loop it comes whenever it does.
    case wait(Wait)
    /// Hand messages to their handlers. Each comes back by `finished`.
    case start(Arrived)
    /// Cut all short that is in hand, and the calls to Redis then.
    case cutShort(until: Instant)
    /// Strike the life off: `left`.
    case leave(WorkerLife)
    /// Nothing, until somebody wakes the loop, or that time.
    case rest(until: Instant?)
    /// The queue is done with. So many messages were left undone.
    case end(unfinished: Int)

    /// How long Redis takes at least to answer; nil where it is not asked, or beside the loop.
    var patience: Duration? {
      switch self {
      case .beginLife, .writeOut, .start, .cutShort, .rest, .end: nil
      case .wait(let wait): wait.isBeside ? nil : wait.timeout
      default: .zero
      }
    }

    var isRest: Bool { if case .rest = self { true } else { false } }
  }

  /// What came of an action, or happened by itself.
  package enum Event: Sendable {
    case began(WorkerLife)
    /// `older`: other lives of the same name; `gone`: those of them whose processes are not there any more.
    case joined(older: Set<WorkerLife>, gone: Set<WorkerLife>)
    case renewed(RenewAnswer)
    case foundUnsafe([Finding])
    case turned(TurnAnswer)
    case heard(WaitEnd)
    /// With what Redis refused it, or the last one.
    case askedForRing(RedisError?)
    case fenced(FencedClaims?)
    case settled(Int?)
    case compared(ReconcileAnswer?)
    case dropped([[UInt8]]?)
    /// So many of the letters are in the log.
    case wroteOut(Int)
    case counted
    /// So many claims stand in the way of leaving; 0: it has left.
    case left(Int)
    /// The call failed.
    ///
    /// - Parameter jitter: 0...1, drawn by the loop: workers must not come back in step.
    case failed(RedisError, jitter: Double)
    /// Handlers are done with messages.
    case finished([Finished])
  }

  /// Settlements and a claim that go to Redis in one round trip.
  package struct Turn: Sendable {
    package var settling: [Finished]
    package var request: ClaimRequest
    /// Whether it may have been carried out before.
    var isRepeat = false
  }

  package struct TurnAnswer: Sendable {
    /// How many claims were settled; nil when they are another's, or Redis refused.
    var settled: Int?
    /// What Redis said to the settlement, if that was an error.
    var refusal: RedisError?
    /// Nil when the life is not registered any more.
    var claimed: ClaimAnswer?
    /// As of ``Event/failed(_:jitter:)``, for the refusal.
    var jitter: Double

    package init(settled: Int?, refusal: RedisError?, claimed: ClaimAnswer?, jitter: Double) {
      self.settled = settled
      self.refusal = refusal
      self.claimed = claimed
      self.jitter = jitter
    }
  }

  /// A wait at the bell.
  package struct Wait: Sendable {
    package var timeout: Duration
    /// The claim that stands behind it.
    package var claim: ClaimRequest?
    /// It is for a change of the queue's limit, and not for messages: ``MessageQueue/waitForLimit(atMost:)``.
    package var isAtLimit = false
    /// On a thread of its own, while the loop goes on.
    package var isBeside: Bool
    /// When its answer is late.
    var lateAt: Instant
  }

  /// How a wait ended.
  package enum WaitEnd: Sendable {
    /// It rang, or the time was over; there was no claim behind it.
    case rang
    /// The time was over, and the queue's limit was not changed.
    case limitHolds
    /// What the claim brought, and what Redis said to the wait, if that was an error.
    case claimed(ClaimAnswer?, refusal: RedisError?)
    /// It failed: whether the claim was carried out is not known.
    case failed(RedisError)
  }

  /// A request that Redis ring at the next push: see ``MessageQueue/ringAtPush(atMost:hasRung:mayConnect:)``.
  package struct Ring: Sendable {
    package var timeout: Duration
    package var hasRung: Bool
    package var mayConnect: Bool
  }

  /// Messages that were claimed and are to be started.
  package struct Arrived: Sendable {
    package var messages: [ClaimedMessage]
    /// Which of this queue's lives claimed them, counted from 0.
    package var lifeNumber: Int
    /// Redis' time at the claim, Unix ms.
    package var now: Int64
    var start: Start

    /// How far a stop may have come for them to be started.
    enum Start: Sendable {
      case whileRunning, whileQuiet, never
    }
  }

  /// What is to be said of what happened: see `QueueLoop+Log` for the words.
  package enum Note: Sendable {
    case phase(WorkerControl.Phase, inHand: Int)
    case superseded(by: WorkerLife, inHand: Int)
    case leaseLost(why: String, inHand: Int)
    case outcomeLost(Finished)
    case claimsMissing(Int, of: [Finished])
    /// Claims of this life that it did not know.
    case claimsUnknown(Int)
    case recovered(Int, from: WorkerLife)
    /// A message that is buried without having been handled.
    case buried(ClaimedMessage, reason: String, code: String?)
    case arrived(Int)
    /// So many shards of the queue are to be served from now on.
    case shards(Int)
    case unsafe(Finding)
    case redisLost(RedisError)
    case redisBack(after: Duration)
    case queueError(RedisError)
    case queueBack(after: Duration)
  }
}

/// One outcome, with what is needed to say whose it was if it cannot be recorded.
package struct Finished: Sendable {
  package let settlement: Settlement
  /// The number of its claim.
  let number: Int
  /// Which of the queue's lives claimed it, counted from 0.
  let lifeNumber: Int
  /// The message's id in the log.
  let messageID: String
  /// It was in hand when the worker had to stop.
  let isCutShort: Bool

  package init(
    _ verb: Settlement.Verb,
    of message: ClaimedMessage,
    lifeNumber: Int,
    messageID: String? = nil,
    isCutShort: Bool = false
  ) {
    settlement = Settlement(claimID: message.claimID, verb)
    number = message.claimNumber
    self.lifeNumber = lifeNumber
    self.messageID = messageID ?? message.assignedID
    self.isCutShort = isCutShort
  }
}
