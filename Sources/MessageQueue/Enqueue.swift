import RedisClient

/// A message on its way into the queue.
package struct OutgoingMessage: Sendable {
  package enum Due: Sendable, Equatable {
    case now
    /// So long from now by Redis' clock.
    case after(Duration)
    /// Unix milliseconds.
    case at(Int64)
  }

  package var payload: [UInt8]
  /// An id that the caller chose: accepted once for as long as ids are remembered. Nil for a generated id.
  package var callerID: String?
  package var due: Due

  package init(payload: [UInt8], callerID: String? = nil, due: Due = .now) {
    self.payload = payload
    self.callerID = callerID
    self.due = due
  }
}

package enum EnqueueResult: Sendable, Equatable {
  /// `duplicates` are the positions, from 0, of messages whose id was used before; they were not queued again.
  case queued(count: Int, waiting: Int, duplicates: [Int])
  /// Nothing was queued: the queue would be longer than the bound.
  case full(waiting: Int)
}

extension MessageQueue {
  /// Queues a batch and rings, all or nothing; the first of the batch is claimed first.
  ///
  /// - Parameters:
  ///   - maxWaiting: the most messages that may wait, 0 for no bound.
  ///   - rememberIDs: how long a caller's id is refused a second time. Default 24 h.
  /// - Throws: ``RedisError``. Of treatment `full`: nothing was queued. Of code `disconnected` or `timed-out`: the batch
  ///   may have been queued, and only one whose messages all carry a caller's id may be repeated.
  package func enqueue(
    _ batch: [OutgoingMessage],
    maxWaiting: Int = 0,
    rememberIDs: Duration = .seconds(24 * 3600)
  ) async throws(RedisError) -> EnqueueResult {
    try Self.enqueueResult(try await connection.call(enqueueCall(batch, maxWaiting, rememberIDs)))
  }

  /// Queues batches in one round trip; each is atomic in itself. Results and errors are in the batches' order.
  package func enqueue(
    pipelined batches: [[OutgoingMessage]],
    maxWaiting: Int = 0,
    rememberIDs: Duration = .seconds(24 * 3600)
  ) async throws(RedisError) -> [Result<EnqueueResult, RedisError>] {
    let replies = try await connection.call(batches.map { enqueueCall($0, maxWaiting, rememberIDs) })
    return replies.map { reply in
      Result { () throws(RedisError) in try Self.enqueueResult(reply) }
    }
  }

  private func enqueueCall(_ batch: [OutgoingMessage], _ maxWaiting: Int, _ rememberIDs: Duration) -> ScriptCall {
    let remembers = rememberIDs > .zero
    let callerIDs = remembers ? batch.compactMap(\.callerID) : []
    var call = ScriptCall(
      .enqueue,
      keys: [keys.list, keys.wake, keys.later, keys.stats] + callerIDs.map(keys.seen)
    )
    call.reserve(batch.reduce(0) { $0 + $1.payload.count + 16 })
    call.append(maxWaiting)
    call.append(rememberIDs.milliseconds)
    // In runs of messages that are alike, which in most batches are all of them: the script need not look at each.
    var nextIDKey = 5
    var rest = batch[...]
    while let first = rest.first {
      let haveIDs = remembers && first.callerID != nil
      let run = rest.prefix { $0.due == first.due && (remembers && $0.callerID != nil) == haveIDs }
      switch first.due {
      case .now: call.append(0)
      case .after(let delay): call.append(-max(0, delay.milliseconds))
      case .at(let time): call.append(max(0, time))
      }
      call.append(haveIDs ? nextIDKey : 0)
      call.append(run.count)
      for message in run { call.append(first.due == .now ? message.payload : Self.distinct(message.payload)) }
      if haveIDs { nextIDKey += run.count }
      rest = rest[run.endIndex...]
    }
    return call
  }

  /// A scheduled message in its envelope, with an id: a sorted set would fold two identical payloads into one message.
  private static func distinct(_ payload: [UInt8]) -> [UInt8] {
    var element = Element(payload)
    element.history.id = element.history.id ?? randomID()
    return element.sealed
  }

  private static func enqueueResult(_ reply: RedisReply) throws(RedisError) -> EnqueueResult {
    let numbers = try reply.elements(2, of: .enqueue).map { Int($0.integer ?? 0) }
    if numbers[0] < 0 { return .full(waiting: numbers[1]) }
    return .queued(count: numbers[0], waiting: numbers[1], duplicates: numbers.dropFirst(2).map { $0 - 1 })
  }
}

extension Duration {
  /// Whole milliseconds, rounded up: a wait is never shorter than asked for.
  package var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  }
}
