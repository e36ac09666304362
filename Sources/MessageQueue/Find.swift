import RedisClient

/// A message that was found, where it is.
package struct FoundElement: Sendable, Equatable {
  /// What Redis holds, byte for byte.
  package let stored: [UInt8]
  package let element: Element
  /// How many there are that are newer, or due later.
  package let place: Int
  /// When it is due, or died, Unix ms; nil in the list.
  package let time: Int64?

  package init(stored: [UInt8], place: Int, time: Int64?) {
    self.stored = stored
    element = Element(stored)
    self.place = place
    self.time = time
  }
}

/// Goes through the messages of one place, the newest first, while workers take some and producers push others.
///
/// In steps, each of which is short however many messages there are: to find one among a million must not stop Redis. What comes
/// in comes in before what was read, and is read again or not at all; what workers take goes from the other end. So none is missed
/// that stays, unless a person takes others out of the middle.
package struct MessagePages: Sendable {
  package enum Place: Sendable {
    case waiting, scheduled, dead
  }

  /// The most messages that one call looks at. It looks at fewer where they have more than ``MessageQueue/mostBytesPerCall``.
  package static let mostPerPage = 500

  private let queue: MessageQueue
  private let place: Place
  private let texts: [String]
  private var passed = 0

  /// - Parameter texts: what a message is to have one of in it, byte for byte, to be returned; '' is in each. One that has any of
  ///   its ASCII characters written as JSON's \u00xx is returned in any case.
  package init(of place: Place, in queue: MessageQueue, having texts: [String] = [""]) {
    self.place = place
    self.queue = queue
    self.texts = texts
  }

  /// - Returns: nil at the end; `all` is how many messages are in that place.
  package mutating func next() async throws(RedisError) -> (found: [FoundElement], all: Int)? {
    let (type, key) =
      switch place {
      case .waiting: ("list", queue.keys.list)
      case .scheduled: ("zset", queue.keys.later)
      case .dead: ("zset", queue.keys.dead)
      }
    var call = ScriptCall(.find, keys: [key])
    call.append(type)
    call.append(passed)
    call.append(Self.mostPerPage)
    call.append(MessageQueue.mostBytesPerCall)
    for text in texts { call.append(text) }
    let fields = try await queue.connection.call(call).elements(2, of: .find)
    let looked = Int(fields[0].integer ?? 0)
    if looked == 0 { return nil }
    passed += looked
    let found = stride(from: 2, to: fields.count - 2, by: 3).map { index in
      FoundElement(
        stored: fields[index + 1].bytes ?? [],
        place: Int(fields[index].integer ?? 0),
        time: place == .waiting ? nil : Self.time(fields[index + 2])
      )
    }
    return (found, Int(fields[1].integer ?? 0))
  }

  /// To be told of messages that were read and, since then, taken out.
  package mutating func forget(_ count: Int) { passed -= count }

  /// A score that only another program can have set is brought into range.
  private static func time(_ score: RedisReply) -> Int64 {
    let time = (score.string.flatMap { Double($0) } ?? 0).rounded(.up)
    return Int64(exactly: time) ?? (time < 0 ? .min : .max)
  }
}

extension MessageQueue {
  /// Some of what a life has in hand, in steps that SCAN bounds.
  ///
  /// - Parameter cursor: `0` to begin, and then what was returned, until that is `0`. Whatever stays claimed from the first call to
  ///   the last one is returned.
  package func claims(
    of life: WorkerLife,
    from cursor: String
  ) async throws(RedisError) -> (next: String, claims: [ClaimedMessage]) {
    // A few, because each may have as many bytes as a payload may.
    let reply = try await connection.run(RedisCommand("HSCAN", keys.claimed(life), cursor, "COUNT", "16"))
    guard let parts = reply.array, parts.count == 2, let next = parts[0].string, let fields = parts[1].array else {
      throw RedisError(code: .unexpectedReply, message: "HSCAN answered \(reply.shape)")
    }
    let claims = stride(from: 0, to: fields.count - 1, by: 2).map { index in
      ClaimedMessage(fields[index + 1], claimID: fields[index].string ?? "", queue: name)
    }
    return (next, claims)
  }
}
