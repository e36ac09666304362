import ArgumentParser
import MessageQueue
import RedisClient
import SMS

/// Pushes a file of messages: reads and checks the next ones while Redis takes the last ones, a bounded number at a time,
/// so that memory stays the same however long the file is.
struct BulkPush {
  private let command: PushCommand
  private let queue: MessageQueue
  private let due: OutgoingMessage.Due

  /// Messages in one script call, which is atomic and keeps Redis busy for some tenths of a millisecond.
  private static let batchSize = 500
  /// Script calls in one round trip. With --max-queue it is one: each call is judged on its own, and behind one that is
  /// refused a smaller one may still fit.
  private let batchesPerTrip: Int

  /// Messages of one script call, and the lines they came from.
  private struct Batch {
    var messages = OutgoingBatch()
    var lines = LineNumbers()
  }

  private struct Summary: Encodable {
    var lines = 0
    var queued = 0
    var duplicates = 0
    /// The first lines whose ids were used before; nil where there are none.
    var duplicateLines: [Int]?
    var refused = 0
    var duplicateList = LineList()

    private enum CodingKeys: CodingKey {
      case lines, queued, duplicates, duplicateLines, refused
    }

    mutating func noteDuplicate(_ line: Int) {
      duplicates += 1
      duplicateList.append(line)
      duplicateLines = duplicateList.lines
    }
  }

  private typealias Trip = Task<[Result<EnqueueResult, RedisError>], any Error>

  init(command: PushCommand, queue: MessageQueue) {
    self.command = command
    self.queue = queue
    // Asked once and not for each line: behind it are the options' property wrappers.
    due = command.due
    batchesPerTrip = command.maxQueue == nil ? 8 : 1
  }

  func run(_ path: String) async throws {
    // Asked first, so that an absent Redis is known before a long file is read.
    let defaults = try command.defaults(now: try await queue.now())
    let input = command.strict ? try checked(path, defaults) : try open(path)

    var summary = Summary()
    var batch = Batch()
    var batches: [Batch] = []
    var underway: (trip: Trip, batches: [Batch])?
    let progress = ProgressBar(totalBytes: input.totalBytes)
    for line in input {
      summary.lines += 1
      do throws(Failure) {
        batch.messages.append(try message(line, defaults))
      } catch {
        progress.clear()
        report(line.number, error)
        summary.refused += 1
        continue
      }
      batch.lines.append(line.number)
      if batch.messages.count < Self.batchSize, batch.messages.byteCount < MessageQueue.mostBytesPerCall { continue }
      batches.append(batch)
      batch = Batch()
      if batches.count < batchesPerTrip { continue }
      try await land(underway, &summary)
      underway = (send(batches), batches)
      batches = []
      progress.update(count: summary.lines, bytes: input.bytesConsumed)
    }
    if batch.messages.count > 0 { batches.append(batch) }
    try await land(underway, &summary)
    if !batches.isEmpty { try await land((send(batches), batches), &summary) }
    progress.clear()

    try Terminal.print(
      command.json ? JSONLine.encode(summary) : text(summary),
      done: "\(text(summary)); do not push what is queued again"
    )
    if summary.refused > 0 { throw ExitCode.dataError }
  }

  private func send(_ batches: [Batch]) -> Trip {
    let (queue, maxQueue, lifetime) = (queue, command.maxQueue ?? 0, command.idLifetime)
    let messages = batches.map(\.messages)
    // Immediate: any other task waits for a thread of the pool, and where one core is all that smsq may use, the pool's one
    // thread goes on to read the next lines.
    return Task.immediate { try await queue.enqueue(pipelined: messages, maxWaiting: maxQueue, rememberIDs: lifetime) }
  }

  /// Waits for an answer and counts it. Stops where a batch was not queued, and says which lines that leaves: all
  /// behind this trip, and of the trip those of each batch that was refused. Others behind it may be in, as when
  /// workers drain a full Redis meanwhile.
  private func land(_ underway: (trip: Trip, batches: [Batch])?, _ summary: inout Summary) async throws {
    guard let (trip, batches) = underway else { return }
    let results: [Result<EnqueueResult, RedisError>]
    do {
      results = try await trip.value
    } catch let error as RedisError {
      let failure = Failure(error)
      throw Failure(
        "\(failure.description)\n\(text(summary)); whether lines \(batches[0].lines.first) to "
          + "\(batches[batches.count - 1].lines.last) were queued is not known, later ones were not",
        failure.code
      )
    }
    var problem: Failure?
    var missing: [(first: Int, last: Int)] = []
    var isRefused = false
    for (batch, result) in zip(batches, results) {
      switch result {
      case .success(.queued(let count, _, let duplicates)):
        summary.queued += count
        for position in duplicates { summary.noteDuplicate(batch.lines[position]) }
        isRefused = false
        continue
      case .success(.full(let waiting)):
        problem =
          problem
          ?? Failure(
            "queue \(queue.name) is too long: \(waiting) messages wait and --max-queue is \(command.maxQueue ?? 0)",
            .tempFail
          )
      case .failure(let error):
        problem = problem ?? Failure(error, outcome: "not all was queued")
      }
      if isRefused {
        missing[missing.count - 1].last = batch.lines.last
      } else {
        missing.append((batch.lines.first, batch.lines.last))
      }
      isRefused = true
    }
    guard let problem else { return }
    // Where the last one was refused as well, so was all from there on.
    let rest =
      isRefused
      ? "all from line \(missing.removeLast().first) on"
      : "all that begin after line \(batches[batches.count - 1].lines.last)"
    let lines = missing.isEmpty ? "" : "lines \(missing.map { "\($0) to \($1)" }.joined(separator: ", ")) and "
    throw Failure("\(problem.description)\n\(text(summary)); \(lines)\(rest) were not", problem.code)
  }

  // MARK: Lines

  private func open(_ path: String, copyOf original: String? = nil) throws -> MessageSource {
    do {
      return try MessageSource(path: path, copyOf: original, format: command.format)
    } catch {
      throw Failure(error.message, error.exitCode)
    }
  }

  /// Reads the whole input once and gives it back only if every line is good.
  private func checked(_ path: String, _ defaults: PreparedMessage.Defaults) throws -> MessageSource {
    let copy = try Spool.rereadable(path)
    var refused = 0
    let input = try open(copy, copyOf: path)
    let progress = ProgressBar(totalBytes: input.totalBytes)
    for (index, line) in input.enumerated() {
      do throws(Failure) {
        _ = try message(line, defaults)
      } catch {
        progress.clear()
        report(line.number, error)
        refused += 1
      }
      if index % 1000 == 0 { progress.update(count: index, bytes: input.bytesConsumed) }
    }
    progress.clear()
    if refused > 0 {
      throw Failure(
        "\(refused) bad line\(refused == 1 ? "" : "s"), and --strict: nothing was queued; mend them and push again",
        .dataError
      )
    }
    return try open(copy, copyOf: path)
  }

  private func message(
    _ line: BulkLine,
    _ defaults: PreparedMessage.Defaults
  ) throws(Failure) -> OutgoingMessage {
    let payload: [UInt8]
    switch line.result {
    case .success(.json(let bytes)): payload = bytes
    case .success(.columns(let columns)): payload = Self.payload(columns)
    case .failure(let error): throw Failure(error.message, error.exitCode)
    }
    do {
      let prepared = try PreparedMessage(payload: payload, defaults: defaults)
      return OutgoingMessage(payload: prepared.payload, callerID: prepared.callerID, due: due)
    } catch {
      throw Failure("\(error)", .dataError)
    }
  }

  private static func payload(_ columns: [String: String]) -> [UInt8] {
    let known = ["to", "text", "from", "id", "expires_at"]
    let names = known.filter { columns[$0] != nil } + columns.keys.filter { !known.contains($0) }.sorted()
    return PreparedMessage.payload(names.map { ($0, columns[$0]!) })
  }

  private func report(_ line: Int, _ error: Failure) {
    Terminal.note("line \(line): \(error)")
  }

  private func text(_ summary: Summary) -> String {
    var parts = ["\(summary.queued) message\(summary.queued == 1 ? "" : "s") queued"]
    if summary.duplicates > 0 {
      parts.append("\(summary.duplicates) left out, with ids that were used before (\(summary.duplicateList))")
    }
    if summary.refused > 0 { parts.append("\(summary.refused) line\(summary.refused == 1 ? "" : "s") refused") }
    return parts.joined(separator: ", ")
  }
}
