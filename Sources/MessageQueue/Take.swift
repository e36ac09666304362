import RedisClient

/// A message to be taken out of the queue, as it was found there.
package struct Taking: Sendable, Equatable {
  package enum Place: Sendable, Equatable {
    /// Scheduled, or to be tried again.
    case later
    /// In the list, with so many that are newer.
    case list(newer: Int)
    /// Next in line.
    case oldest
  }

  package let place: Place
  /// What Redis holds, byte for byte.
  package let stored: [UInt8]
  /// What is to lie in its place where it is too deep in the list to be taken out; nil to leave it.
  package var standIn: [UInt8]?
  /// The id that its caller gave it, which is free again then.
  package var callerID: String?
  /// A record of what became of it, by its id.
  package var record: (id: String, end: MessageEnd)?

  package init(_ stored: [UInt8], at place: Place) {
    self.stored = stored
    self.place = place
  }

  package static func == (a: Self, b: Self) -> Bool {
    a.place == b.place && a.stored == b.stored && a.standIn == b.standIn && a.callerID == b.callerID
      && a.record?.id == b.record?.id && a.record?.end == b.record?.end
  }
}

/// What came of that.
package enum Taken: Int, Sendable {
  /// It is not there any more, or has moved.
  case notThere
  case out
  /// It lies too deep, and the stand-in is where it was.
  case replaced
  case tooDeep
  /// Those before it took long enough: it is to be asked for again.
  case notTried
}

/// Messages on their way to another queue.
package struct MovingBatch: Sendable, Equatable {
  /// The list that they go to: a queue, or one of its shards.
  package let to: QueueName
  /// Names the batch, so that it arrives once.
  package let name: String
  /// As they are stored, those that are to be first in line first.
  package let elements: [[UInt8]]

  package init(to: QueueName, name: String, elements: [[UInt8]]) {
    self.to = to
    self.name = name
    self.elements = elements
  }
}

extension MessageQueue {
  /// The most messages that one call takes.
  package static let mostTakenPerCall = 500
  /// How deep in the list a message may lie to be taken out: Redis looks at each one between it and the nearer end, 60 ns each.
  package static let deepestTaken = 50_000
  /// For how long a queue knows that a batch has arrived: whoever began to move it was stopped, and goes on later.
  private static let arrivalLifetime = Duration.seconds(7 * 86_400)

  package enum TakenFor: String, Sendable {
    case cancelled, purged
  }

  /// Takes messages out for good, frees the ids that their callers gave them, and counts them.
  ///
  /// - Parameters:
  ///   - messages: at most ``mostTakenPerCall``, bounded by the caller in bytes.
  ///   - lifetime: how long their records are kept.
  ///   - deepest: see ``deepestTaken``.
  /// - Returns: what came of each. After a call whose answer was lost, the repeat finds them not there.
  package func take(
    _ messages: [Taking],
    for purpose: TakenFor,
    keepingRecords lifetime: Duration = .zero,
    deepest: Int = Self.deepestTaken
  ) async throws(RedisError) -> [Taken] {
    if messages.isEmpty { return [] }
    let call = takeCall(messages, purpose.rawValue, to: "", batch: "", lifetime, deepest)
    return try await connection.call(call).elements(messages.count, of: .take).map {
      Taken(rawValue: Int($0.integer ?? 0)) ?? .notThere
    }
  }

  /// Takes messages out to be moved: they are kept beside the queue until ``depart(_:)``.
  ///
  /// - Parameters:
  ///   - messages: as above, those that are to be first in line first.
  ///   - target: the list that they go to.
  /// - Returns: nil where there is a batch that has to be moved first.
  package func take(
    _ messages: [Taking],
    toMoveTo target: QueueName,
    deepest: Int = Self.deepestTaken
  ) async throws(RedisError) -> [Taken]? {
    if messages.isEmpty { return [] }
    let call = takeCall(messages, "", to: target.description, batch: randomID(), .zero, deepest)
    let fields = try await connection.call(call).elements(1, of: .take)
    if fields[0].integer == -1 { return nil }
    return fields.map { Taken(rawValue: Int($0.integer ?? 0)) ?? .notThere }
  }

  private func takeCall(
    _ messages: [Taking],
    _ counter: String,
    to target: String,
    batch: String,
    _ lifetime: Duration,
    _ deepest: Int
  ) -> ScriptCall {
    let keepsRecords = lifetime > .zero
    var keys = [keys.list, keys.wake, keys.later, keys.stats, keys.moving]
    var indices: [(id: Int, record: Int)] = []
    for message in messages {
      var index = (id: 0, record: 0)
      if let id = message.callerID {
        keys.append(self.keys.seen(id))
        index.id = keys.count
      }
      if keepsRecords, let record = message.record {
        keys.append(self.keys.done(record.id))
        index.record = keys.count
      }
      indices.append(index)
    }
    var call = ScriptCall(.take, keys: keys + [self.keys.absent])
    call.append(counter)
    call.append(target)
    call.append(batch)
    call.append(lifetime.milliseconds)
    call.append(deepest)
    for (message, index) in zip(messages, indices) {
      switch message.place {
      case .later: call.append("later")
      case .list(let newer): call.append(newer)
      case .oldest: call.append("oldest")
      }
      call.append(message.stored)
      call.append(message.standIn ?? [])
      call.append(index.id)
      call.append(index.record)
      call.append(message.record?.end.text ?? "")
    }
    return call
  }

  /// The messages that are next in line, as they are stored, the next one first.
  ///
  /// - Returns: fewer than asked for where they have more than ``mostBytesPerCall``, but at least one.
  package func oldest(_ count: Int) async throws(RedisError) -> [[UInt8]] {
    var call = ScriptCall(.peek, keys: [keys.list])
    call.append(count)
    call.append(Self.mostBytesPerCall)
    return try await connection.call(call).elements(1, of: .peek).dropFirst().map { $0.bytes ?? [] }
  }

  /// How many messages wait.
  package func waiting() async throws(RedisError) -> Int {
    Int(try await connection.run(RedisCommand("LLEN", keys.list)).integer ?? 0)
  }

  /// The batch that was taken out and has not departed; nil for none.
  package func movingBatch() async throws(RedisError) -> MovingBatch? {
    let fields = try await connection.run(RedisCommand("HGETALL", keys.moving)).array ?? []
    var (to, name, elements) = (QueueName?.none, "", [(Int, [UInt8])]())
    for index in stride(from: 0, to: fields.count - 1, by: 2) {
      switch fields[index].string {
      case "to": to = fields[index + 1].string.flatMap { QueueName($0) }
      case "batch": name = fields[index + 1].string ?? ""
      case let field:
        if let number = field.flatMap({ Int($0) }) { elements.append((number, fields[index + 1].bytes ?? [])) }
      }
    }
    guard let to else { return nil }
    return MovingBatch(to: to, name: name, elements: elements.sorted { $0.0 < $1.0 }.map(\.1))
  }

  /// Puts a batch into this queue, behind all that waits, and rings. May be repeated: it arrives once.
  package func arrive(_ batch: MovingBatch) async throws(RedisError) {
    let keys = [keys.list, keys.wake, keys.stats, keys.arrived(batch.name), keys.absent]
    var call = ScriptCall(.arrive, keys: keys)
    call.append(Self.arrivalLifetime.milliseconds)
    for element in batch.elements { call.append(element) }
    _ = try await connection.call(call)
  }

  /// Forgets a batch that has arrived where it goes to. May be repeated.
  package func depart(_ batch: MovingBatch) async throws(RedisError) {
    var call = ScriptCall(.depart, keys: [keys.moving, keys.stats, keys.absent])
    call.append(batch.name)
    _ = try await connection.call(call)
  }
}
