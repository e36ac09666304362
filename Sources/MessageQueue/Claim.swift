import RedisClient

/// A call for messages. Repeating it with the same numbers is safe: it returns what the first one claimed, if its answer
/// was lost on the way.
package struct ClaimRequest: Sendable, Equatable {
  /// The most that one call claims: bounds the time that Redis spends in one script.
  package static let mostPerCall = 500

  package let life: WorkerLife
  /// The number of the first claim id; a life uses each number once.
  package let firstNumber: Int
  /// 0...``mostPerCall``. 0 claims nothing and only looks.
  package let limit: Int
  /// How many crashes make a message a suspect, which is claimed alone.
  package let suspectAfter: Int
  /// Whether the worker has nothing in hand, and so may claim a suspect.
  package let isEmptyHanded: Bool
  /// The largest payload to be handed out, in bytes. Of a larger one the answer has the size alone.
  package let maxPayload: Int
  /// The most bytes to claim, unless the first message has more.
  package let mostBytes: Int
  /// Whether what waits comes before what is due, which has been tried already.
  package let untriedFirst: Bool
  /// Whether to note when each message was first claimed: ``MessageHistory/claimedAt``.
  package let notesTime: Bool

  package init(
    life: WorkerLife,
    firstNumber: Int,
    limit: Int,
    suspectAfter: Int = 2,
    isEmptyHanded: Bool = true,
    maxPayload: Int = MessageQueue.defaultMaxPayload,
    mostBytes: Int = MessageQueue.mostBytesPerCall,
    untriedFirst: Bool = false,
    notesTime: Bool = false
  ) {
    self.life = life
    self.firstNumber = firstNumber
    self.limit = min(limit, Self.mostPerCall)
    self.suspectAfter = suspectAfter
    self.isEmptyHanded = isEmptyHanded
    self.maxPayload = maxPayload
    self.mostBytes = mostBytes
    self.untriedFirst = untriedFirst
    self.notesTime = notesTime
  }
}

package struct ClaimAnswer: Sendable, Equatable {
  package var messages: [ClaimedMessage]
  /// Claimed as well, and without their payloads, which are larger than was asked for.
  package var tooLarge: [ClaimedMessage]
  /// The number for the next request.
  package var nextNumber: Int
  /// Redis' time, Unix ms.
  package var now: Int64
  /// How long until the next scheduled message or retry is due; nil for none.
  package var nextDue: Duration?
  /// How many messages wait, after this claim.
  package var waiting: Int
  package var paused: Bool
  /// For how long no more may be claimed, because of the queue's limit; nil where that does not hold any back.
  package var limitedFor: Duration?
  /// A suspect is next in line, and waits for an empty hand.
  package var isBlocked: Bool
  /// Some other life whose lease has ended: to be recovered.
  package var expired: WorkerLife?
  /// This life is the one of all that sees to plain pushes: ``MessageQueue/ringAtPush(atMost:hasRung:mayConnect:)``.
  package var isListener: Bool
  /// No other life is known.
  package var isAlone: Bool

  package init(
    messages: [ClaimedMessage],
    tooLarge: [ClaimedMessage],
    nextNumber: Int,
    now: Int64,
    nextDue: Duration?,
    waiting: Int,
    paused: Bool,
    limitedFor: Duration? = nil,
    isBlocked: Bool,
    expired: WorkerLife?,
    isListener: Bool,
    isAlone: Bool
  ) {
    self.messages = messages
    self.tooLarge = tooLarge
    self.nextNumber = nextNumber
    self.now = now
    self.nextDue = nextDue
    self.waiting = waiting
    self.paused = paused
    self.limitedFor = limitedFor
    self.isBlocked = isBlocked
    self.expired = expired
    self.isListener = isListener
    self.isAlone = isAlone
  }

  /// More messages wait, and may be claimed at once: these have as many bytes as one call moves.
  package var isCutShort: Bool {
    waiting > 0 && !paused && !isBlocked && limitedFor == nil && !(messages.isEmpty && tooLarge.isEmpty)
  }
}

extension MessageQueue {
  func claimCall(_ request: ClaimRequest) -> ScriptCall {
    var call = ScriptCall(
      .claim,
      keys: [
        keys.list, keys.wake, keys.later, keys.paused, keys.workers, keys.turns, keys.claimed(request.life),
        keys.limit, keys.absent,
      ]
    )
    call.append(request.life.id)
    call.append(request.life.claimPrefix)
    call.append(WorkerLife.claimNumber(request.firstNumber))
    call.append(request.limit)
    call.append(request.suspectAfter)
    call.append(request.isEmptyHanded ? "1" : "0")
    call.append(request.maxPayload)
    call.append(request.mostBytes)
    call.append(request.untriedFirst ? "1" : "0")
    if request.notesTime { call.append("1") }
    return call
  }

  /// - Returns: nil when the life is not registered any more.
  func claimAnswer(_ reply: RedisReply, to request: ClaimRequest) throws(RedisError) -> ClaimAnswer? {
    let fields = try reply.elements(0, of: .claim)
    if fields.isEmpty { return nil }
    guard var head = fields[0].bytes.map(ClaimHead.init), let now = head.number(), let due = head.number(),
      let waiting = head.number(), let hold = head.number(), let blocked = head.number(), let listens = head.number(),
      let number = head.number()
    else {
      throw RedisError(code: .unexpectedReply, message: "script claim answered \(reply.shape)")
    }
    var messages: [ClaimedMessage] = []
    var tooLarge: [ClaimedMessage] = []
    messages.reserveCapacity(fields.count - 1)
    let claimedAt = request.notesTime ? Int64(now) : nil
    for (offset, field) in fields.dropFirst().enumerated() {
      let message = ClaimedMessage(
        field,
        claimID: request.life.claimID(number + offset),
        claimNumber: number + offset,
        claimedAt: claimedAt,
        queue: name
      )
      if message.isWithheld { tooLarge.append(message) } else { messages.append(message) }
    }
    return ClaimAnswer(
      messages: messages,
      tooLarge: tooLarge,
      nextNumber: number + fields.count - 1,
      now: Int64(now),
      nextDue: due < 0 ? nil : .milliseconds(due),
      waiting: waiting,
      paused: hold < 0,
      limitedFor: hold > 0 ? .milliseconds(hold) : nil,
      isBlocked: blocked == 1,
      expired: head.rest.isEmpty ? nil : WorkerLife(id: String(decoding: head.rest, as: UTF8.self)),
      isListener: listens != 0,
      isAlone: listens == 2
    )
  }
}

/// What stands in front of the messages in a claim's answer: numbers, each with a space behind it, and a text.
private struct ClaimHead {
  private(set) var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  /// The next number; nil where there is none.
  mutating func number() -> Int? {
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative { rest.removeFirst() }
    var value = 0
    while let byte = rest.popFirst(), byte != UInt8(ascii: " ") {
      let digit = Int(byte) - 48
      guard (0...9).contains(digit), value < 1 << 56 else { return nil }
      value = value * 10 + digit
    }
    return isNegative ? -value : value
  }
}
