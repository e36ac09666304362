import ArgumentParser
import MessageQueue
import RedisClient

/// Where the lines of a file go: a lane for each shard of the queue, and one where it has no others.
///
/// In each lane the next batches are filled while Redis takes the last ones. Lines of a shard stay in their order. That a queue has
/// shards, or another number of them, is learned when one of them refuses a batch: what is not queued yet is spread anew then.
struct PushLanes {
  /// Messages of one script call, and the lines they came from.
  private struct Batch {
    var messages = OutgoingBatch()
    var lines = LineNumbers()
  }

  /// Batches that are under way to a shard.
  private struct Trip {
    let batches: [Batch]
    let answers: Task<Result<[Result<EnqueueResult, RedisError>], RedisError>, Never>
  }

  /// What came of a trip.
  private struct Landing {
    /// Of each batch whether it is in.
    var areIn: [Bool] = []
    /// What was not queued, by whether that is known.
    var unknown: [Batch] = []
    var refused: [Batch] = []
    /// Not queued either: a shard knows of other shards.
    var stale: (batches: [Batch], found: Spread)?
    var problem: Failure?
  }

  private struct Lane {
    var full: [Batch] = []
    /// The one that is being filled, unless that is done elsewhere.
    var open = Batch()
    var trip: Trip?
  }

  /// Messages in one script call, which is atomic and keeps Redis busy for some tenths of a millisecond.
  private static let batchSize = 500
  /// So many messages without an id go to the same shard, one behind the other: few enough to spread a short file, and enough to
  /// name the lines of a batch in few words.
  private static let mostInARow = 10
  /// So often nothing may come of being told of other shards.
  private static let mostRefusals = 20

  var summary = PushSummary()
  private let command: PushCommand
  private var pusher: Pusher
  private var lanes = [Lane()]
  /// The batch that is being filled, and whose it is.
  private var batch = Batch()
  private var current = 0
  /// The lane of messages without an id, and how many more it gets in a row.
  private var row = (lane: 0, left: 0)
  private var lastLine = 0
  private var refusals = 0

  init(_ command: PushCommand, to queue: ShardedQueue) {
    self.command = command
    pusher = Pusher(to: queue)
  }

  // MARK: Lines

  /// Takes a message.
  ///
  /// - Returns: whether it is time for ``go()``.
  mutating func add(_ message: OutgoingMessage, line: Int) -> Bool {
    if lanes.count > 1 { turn(to: lane(for: message)) }
    lastLine = line
    batch.messages.append(message)
    batch.lines.append(line)
    return batch.messages.count >= Self.batchSize || batch.messages.byteCount >= MessageQueue.mostBytesPerCall
  }

  private mutating func lane(for message: OutgoingMessage) -> Int {
    if let id = message.callerID { return pusher.shard(for: id) }
    if row.left == 0 { row = (pusher.shard(for: nil), Self.mostInARow) }
    row.left -= 1
    return row.lane
  }

  /// Goes on with another lane's batch.
  private mutating func turn(to lane: Int) {
    if lane == current { return }
    lanes[current].open = batch
    batch = lanes[lane].open
    lanes[lane].open = Batch()
    current = lane
  }

  /// Sends what is full.
  ///
  /// - Returns: false where it is too little yet.
  mutating func go() async throws -> Bool {
    lanes[current].full.append(batch)
    batch = Batch()
    // Several calls in one round trip. With --max-queue it is one: each call is judged on its own, and behind one that is refused
    // a smaller one may still fit.
    let enough = command.maxQueue == nil ? max(1, 8 / lanes.count) : 1
    if lanes[current].full.count < enough { return false }
    try await land(current)
    for lane in lanes.indices where lanes[lane].full.count >= enough && lanes[lane].trip == nil { depart(lane) }
    return true
  }

  /// Sends what is left, and waits for all answers.
  mutating func finish() async throws {
    repeat {
      lanes[current].open = batch
      batch = Batch()
      for lane in lanes.indices where lanes[lane].open.messages.count > 0 {
        lanes[lane].full.append(lanes[lane].open)
        lanes[lane].open = Batch()
      }
      let spread = pusher.spread
      for lane in lanes.indices {
        try await land(lane)
        // The lanes are others now.
        if pusher.spread != spread { break }
        if !lanes[lane].full.isEmpty { depart(lane) }
      }
    } while batch.messages.count > 0
      || lanes.contains { $0.trip != nil || !$0.full.isEmpty || $0.open.messages.count > 0 }
    summary.sortDuplicates()
  }

  // MARK: Trips

  private mutating func depart(_ lane: Int) {
    let batches = command.maxQueue == nil ? lanes[lane].full : Array(lanes[lane].full.prefix(1))
    lanes[lane].full.removeFirst(batches.count)
    let (shard, spread, lifetime) = (pusher.queue.shard(lane), pusher.spread, command.idLifetime)
    let (messages, most) = (batches.map(\.messages), spread.part(of: command.maxQueue ?? 0))
    // Immediate: any other task waits for a thread of the pool, and where one core is all that smsq may use, the pool's one
    // thread goes on to read the next lines.
    let answers = Task.immediate {
      do throws(RedisError) {
        let answers = try await shard.enqueue(
          pipelined: messages,
          maxWaiting: most,
          rememberIDs: lifetime,
          spread: spread
        )
        return Result<[Result<EnqueueResult, RedisError>], RedisError>.success(answers)
      } catch {
        return .failure(error)
      }
    }
    lanes[lane].trip = Trip(batches: batches, answers: answers)
  }

  /// Waits for a lane's answer and counts it. Stops where a batch was not queued, and says which lines that leaves.
  private mutating func land(_ lane: Int) async throws {
    guard let trip = lanes[lane].trip else { return }
    let landing = await count(trip, of: lane)
    if let problem = landing.problem {
      throw lanes.count == 1
        ? failure(problem, landing, trip) : await failure(problem, landing.unknown, landing.refused)
    }
    guard let (batches, found) = landing.stale else { return }
    do {
      refusals += 1
      if refusals > Self.mostRefusals { throw Pusher.unsettled(pusher.queue.name) }
      let known = pusher.spread
      try await pusher.learn(found, from: lane, of: known)
      // It was the shard that has learned.
      if pusher.spread == known { return lanes[lane].full.insert(contentsOf: batches, at: 0) }
    } catch let error as RedisError {
      throw await failure(Failure(error, outcome: "not all was queued"), [], batches)
    }
    try await spreadAnew(batches)
  }

  private mutating func count(_ trip: Trip, of lane: Int) async -> Landing {
    lanes[lane].trip = nil
    var landing = Landing()
    let results: [Result<EnqueueResult, RedisError>]
    switch await trip.answers.value {
    case .success(let answers): results = answers
    case .failure(let error):
      (landing.problem, landing.unknown) = (Failure(error), trip.batches)
      return landing
    }
    for (batch, result) in zip(trip.batches, results) {
      switch result {
      case .success(.queued(let count, _, let duplicates)):
        summary.queued += count
        for position in duplicates {
          summary.noteDuplicate(batch.lines[position], isInOrder: lanes.count == 1)
        }
        refusals = 0
        landing.areIn.append(true)
        continue
      case .success(.stale(let found)):
        landing.stale = ((landing.stale?.batches ?? []) + [batch], max(found, landing.stale?.found ?? found))
        landing.areIn.append(false)
        continue
      case .success(.full(let waiting)):
        let text = command.tooLong(waiting, pusher.queue.shard(lane), pusher.spread)
        landing.problem = landing.problem ?? Failure(text, .tempFail)
      case .failure(let error):
        landing.problem = landing.problem ?? Failure(error, outcome: "not all was queued")
      }
      landing.refused.append(batch)
      landing.areIn.append(false)
    }
    if landing.problem != nil, let stale = landing.stale { landing.refused += stale.batches }
    return landing
  }

  /// Spreads what is not queued over the shards that there are now, in the order of its lines.
  private mutating func spreadAnew(_ refused: [Batch]) async throws {
    var left = refused
    for lane in lanes.indices {
      guard let trip = lanes[lane].trip else { continue }
      let landing = await count(trip, of: lane)
      if let problem = landing.problem { throw await failure(problem, landing.unknown, left + landing.refused) }
      left += landing.stale?.batches ?? []
    }
    left += waiting
    let messages = left.flatMap { batch in
      batch.messages.messages.enumerated().map { (line: batch.lines[$0], message: $1) }
    }
    lanes = Array(repeating: Lane(), count: pusher.spread.shards)
    (batch, current, row) = (Batch(), 0, (0, 0))
    let last = lastLine
    for (line, message) in messages.sorted(by: { $0.line < $1.line }) where add(message, line: line) {
      lanes[current].full.append(batch)
      batch = Batch()
    }
    lastLine = last
  }

  /// What has not been sent.
  private var waiting: [Batch] { lanes.flatMap { $0.full + [$0.open] } + [batch] }

  // MARK: What is said of lines that are not in

  /// Of one lane: all behind this trip, and of the trip the lines of each batch that was refused. Others behind it may be in, as
  /// when workers drain a full Redis meanwhile.
  private func failure(_ problem: Failure, _ landing: Landing, _ trip: Trip) -> Failure {
    let (first, last) = (trip.batches[0].lines.first, trip.batches[trip.batches.count - 1].lines.last)
    if !landing.unknown.isEmpty {
      return Failure(
        "\(problem.description)\n\(summary.text); whether lines \(first) to \(last) were queued is not known, later ones were not",
        problem.code
      )
    }
    var missing: [(first: Int, last: Int)] = []
    var isRefused = false
    for (batch, isIn) in zip(trip.batches, landing.areIn) {
      if !isIn && isRefused {
        missing[missing.count - 1].last = batch.lines.last
      } else if !isIn {
        missing.append((batch.lines.first, batch.lines.last))
      }
      isRefused = !isIn
    }
    // Where the last one was refused as well, so was all from there on.
    let rest = isRefused ? "all from line \(missing.removeLast().first) on" : "all that begin after line \(last)"
    let lines = missing.isEmpty ? "" : "lines \(missing.map { "\($0) to \($1)" }.joined(separator: ", ")) and "
    return Failure("\(problem.description)\n\(summary.text); \(lines)\(rest) were not", problem.code)
  }

  /// Of several lanes: waits for all that is under way, and names each line.
  private mutating func failure(_ problem: Failure, _ unknown: [Batch], _ refused: [Batch]) async -> Failure {
    var (unknown, refused) = (unknown, refused)
    for lane in lanes.indices {
      guard let trip = lanes[lane].trip else { continue }
      let landing = await count(trip, of: lane)
      unknown += landing.unknown
      refused += landing.refused
      if landing.problem == nil { refused += landing.stale?.batches ?? [] }
    }
    refused += waiting
    summary.sortDuplicates()
    func list(_ batches: [Batch]) -> LineList {
      var list = LineList(mostRanges: .max)
      let lines = batches.flatMap { batch in (0..<batch.lines.count).map { batch.lines[$0] } }
      for line in lines.sorted() { list.append(line) }
      return list
    }
    let (open, missing) = (list(unknown), list(refused))
    let doubt = open.isEmpty ? "" : "whether \(open) were queued is not known; "
    let lines = missing.isEmpty ? "" : "\(missing) and "
    return Failure(
      "\(problem.description)\n\(summary.text); \(doubt)\(lines)all that begin after line \(lastLine) were not",
      problem.code
    )
  }
}
