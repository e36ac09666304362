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

/// Messages on their way into the queue: all of them get there, or none. The first is claimed first.
///
/// Each is written down as Redis is to get it when it is added, so that nobody need keep it.
package struct OutgoingBatch: Sendable {
  /// How many there are.
  package var count: Int { payloads.count }
  /// How many bytes their payloads take on their way to Redis.
  package var byteCount: Int { payloads.byteCount }

  /// Messages in a row that are alike, which in most batches are all of them: the script need not look at each.
  fileprivate struct Run {
    let due: OutgoingMessage.Due
    let haveIDs: Bool
    var count: Int
  }

  fileprivate private(set) var runs: [Run] = []
  fileprivate private(set) var callerIDs: [String] = []
  fileprivate private(set) var payloads = RedisCommand()

  package init() {}

  package init(_ messages: some Sequence<OutgoingMessage>) {
    for message in messages { append(message) }
  }

  package mutating func append(_ message: OutgoingMessage) {
    let haveIDs = message.callerID != nil
    if runs.last.map({ $0.due != message.due || $0.haveIDs != haveIDs }) ?? true {
      runs.append(Run(due: message.due, haveIDs: haveIDs, count: 0))
    }
    runs[runs.count - 1].count += 1
    if let id = message.callerID { callerIDs.append(id) }
    payloads.append(message.due == .now ? message.payload : Self.distinct(message.payload))
  }

  /// The messages that were added, to be spread anew where a shard has refused them.
  package var messages: [OutgoingMessage] {
    var (ids, payloads) = (callerIDs[...], payloads.arguments[...])
    return runs.flatMap { run in
      (0..<run.count).map { _ in
        OutgoingMessage(payload: payloads.removeFirst(), callerID: run.haveIDs ? ids.removeFirst() : nil, due: run.due)
      }
    }
  }

  /// A scheduled message in its envelope, with an id: a sorted set would fold two identical payloads into one message.
  private static func distinct(_ payload: [UInt8]) -> [UInt8] {
    var element = Element(payload)
    element.history.id = element.history.id ?? randomID()
    return element.sealed
  }
}

package enum EnqueueResult: Sendable, Equatable {
  /// `duplicates` are the positions, from 0, of messages whose id was used before; they were not queued again.
  case queued(count: Int, waiting: Int, duplicates: [Int])
  /// Nothing was queued: the queue would be longer than the bound.
  case full(waiting: Int)
  /// Nothing was queued: it is not spread as this shard knows it. Of a shard that was never told, ``Spread/unsharded``.
  case stale(Spread)
}

extension MessageQueue {
  /// Queues a batch and rings, all or nothing.
  ///
  /// - Parameters:
  ///   - maxWaiting: the most messages that may wait, 0 for no bound.
  ///   - rememberIDs: how long a caller's id is refused a second time. Default 24 h.
  ///   - spread: what the caller knows of the queue's shards.
  /// - Throws: ``RedisError``. Of treatment `full`: nothing was queued. Of code `disconnected` or `timed-out`: the batch
  ///   may have been queued, and only one whose messages all carry a caller's id may be repeated.
  package func enqueue(
    _ messages: [OutgoingMessage],
    maxWaiting: Int = 0,
    rememberIDs: Duration = .seconds(24 * 3600),
    spread: Spread = .unsharded
  ) async throws(RedisError) -> EnqueueResult {
    let call = enqueueCall(OutgoingBatch(messages), maxWaiting, rememberIDs, spread)
    return try Self.enqueueResult(try await connection.call(call))
  }

  /// Queues batches in one round trip; each is atomic in itself. Results and errors are in the batches' order.
  package func enqueue(
    pipelined batches: [OutgoingBatch],
    maxWaiting: Int = 0,
    rememberIDs: Duration = .seconds(24 * 3600),
    spread: Spread = .unsharded
  ) async throws(RedisError) -> [Result<EnqueueResult, RedisError>] {
    let replies = try await connection.call(batches.map { enqueueCall($0, maxWaiting, rememberIDs, spread) })
    return replies.map { reply in
      Result { () throws(RedisError) in try Self.enqueueResult(reply) }
    }
  }

  private func enqueueCall(
    _ batch: OutgoingBatch,
    _ maxWaiting: Int,
    _ rememberIDs: Duration,
    _ spread: Spread
  ) -> ScriptCall {
    let remembers = rememberIDs > .zero
    let callerIDs = remembers ? batch.callerIDs : []
    var call = ScriptCall(
      .enqueue,
      keys: [keys.list, keys.wake, keys.later, keys.stats, spreadKey] + callerIDs.map(keys.seen) + [keys.absent],
      lastArguments: batch.payloads
    )
    call.append(maxWaiting)
    call.append(rememberIDs.milliseconds)
    call.append(spread.text)
    call.append(batch.runs.count)
    var nextIDKey = 6
    for run in batch.runs {
      switch run.due {
      case .now: call.append(0)
      case .after(let delay): call.append(-max(0, delay.milliseconds))
      case .at(let time): call.append(max(0, time))
      }
      let haveIDs = remembers && run.haveIDs
      call.append(haveIDs ? nextIDKey : 0)
      call.append(run.count)
      if haveIDs { nextIDKey += run.count }
    }
    return call
  }

  private static func enqueueResult(_ reply: RedisReply) throws(RedisError) -> EnqueueResult {
    let fields = try reply.elements(2, of: .enqueue)
    if fields[0].integer == -2 { return .stale(Spread(text: fields[1].string ?? "")) }
    let numbers = fields.map { Int($0.integer ?? 0) }
    if numbers[0] < 0 { return .full(waiting: numbers[1]) }
    return .queued(count: numbers[0], waiting: numbers[1], duplicates: numbers.dropFirst(2).map { $0 - 1 })
  }
}
