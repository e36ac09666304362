import RedisClient

/// One message in a worker's hand: it stands in the worker's claimed hash until its outcome is settled.
///
/// An object, because it is handed on many times, and each copy of a structure would count four references.
package final class ClaimedMessage: Sendable, Equatable {
  /// The queue that it was claimed from.
  package let queue: String
  /// Names this claim, and stands in for the message's id when the payload carries none: `<life>-<number>`.
  package let claimID: String
  /// The number of this claim, which is the end of its id: a life counts them up. -1 where the id is none of ours.
  package let claimNumber: Int
  /// What happened to the message before this claim.
  package let history: MessageHistory
  /// The payload as its producer wrote it, byte for byte; empty where it was withheld.
  package let payload: [UInt8]
  /// How many bytes the payload has.
  package let payloadSize: Int
  /// The payload is larger than the caller takes, and was left in Redis.
  package var isWithheld: Bool { payload.count < payloadSize }

  /// - Parameter claimNumber: nil to read it from the id.
  package init(
    queue: String,
    claimID: String,
    claimNumber: Int? = nil,
    history: MessageHistory,
    payload: [UInt8],
    payloadSize: Int? = nil
  ) {
    self.queue = queue
    self.claimID = claimID
    self.claimNumber = claimNumber ?? WorkerLife.number(endOf: claimID) ?? -1
    self.history = history
    self.payload = payload
    self.payloadSize = payloadSize ?? payload.count
  }

  /// Reads what scripts hand out: an element, or, of one whose payload is withheld, the header line and the bytes in all.
  ///
  /// - Parameter claimedAt: when it was first claimed, unless a header says so.
  convenience init(
    _ reply: RedisReply,
    claimID: String,
    claimNumber: Int? = nil,
    claimedAt: Int64? = nil,
    queue: QueueName
  ) {
    guard let parts = reply.array, parts.count == 2 else {
      let element = Element(reply.bytes ?? [])
      self.init(
        queue: queue.description,
        claimID: claimID,
        claimNumber: claimNumber,
        history: element.history.claimed(at: claimedAt),
        payload: element.payload
      )
      return
    }
    // A line that is no header is the payload's beginning.
    let (line, size) = (parts[0].bytes ?? [], Int(parts[1].integer ?? 0))
    let front = Element(line)
    self.init(
      queue: queue.description,
      claimID: claimID,
      claimNumber: claimNumber,
      history: front.history.claimed(at: claimedAt),
      payload: [],
      payloadSize: size - line.count + front.payload.count
    )
  }

  package static func == (a: ClaimedMessage, b: ClaimedMessage) -> Bool {
    (a.queue, a.claimID, a.history, a.payload, a.payloadSize)
      == (b.queue, b.claimID, b.history, b.payload, b.payloadSize)
  }

  /// The id to log and to hand to a gateway when the payload carries none: given at the first claim, kept ever after.
  package var assignedID: String { history.id ?? claimID }

  /// This try's number, from 1: every earlier failure and every crash counts as a try.
  package var attempt: Int { 1 + history.failures + history.crashes }
}

/// What a message that came back to the queue brings with it.
package struct MessageHistory: Sendable, Equatable, Codable {
  /// The claim id of the first claim. Nil for a message that was never claimed.
  package var id: String?
  /// How often a gateway answered with a temporary failure.
  package var failures: Int
  /// How often a worker went away with the message in hand.
  package var crashes: Int
  /// When it was first claimed, Unix ms by Redis' clock. Nil where no worker has noted it: see ``ClaimRequest/notesTime``.
  package var claimedAt: Int64?

  package init(id: String? = nil, failures: Int = 0, crashes: Int = 0, claimedAt: Int64? = nil) {
    self.id = id
    self.failures = failures
    self.crashes = crashes
    self.claimedAt = claimedAt
  }

  /// - Parameter time: of this claim, which is the first one unless another is on record.
  package func claimed(at time: Int64?) -> MessageHistory {
    if time == nil || claimedAt != nil { return self }
    var history = self
    history.claimedAt = time
    return history
  }
}
