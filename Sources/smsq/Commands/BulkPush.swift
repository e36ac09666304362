import ArgumentParser
import MessageQueue
import RedisClient
import SMS

/// Pushes a file of messages: reads and checks the next ones while Redis takes the last ones, a bounded number at a time,
/// so that memory stays the same however long the file is.
struct BulkPush {
  private let command: PushCommand
  private let queue: ShardedQueue
  private let due: OutgoingMessage.Due

  init(command: PushCommand, queue: ShardedQueue) {
    self.command = command
    self.queue = queue
    // Asked once and not for each line: behind it are the options' property wrappers.
    due = command.due
  }

  func run(_ path: String) async throws {
    // Asked first, so that an absent Redis is known before a long file is read.
    let defaults = try command.defaults(now: try await queue.first.now())
    let input = command.strict ? try checked(path, defaults) : try open(path)

    var lanes = PushLanes(command, to: queue)
    let progress = ProgressBar(totalBytes: input.totalBytes)
    for line in input {
      lanes.summary.lines += 1
      let message: OutgoingMessage
      do throws(Failure) {
        message = try self.message(line, defaults)
      } catch {
        progress.clear()
        report(line.number, error)
        lanes.summary.refused += 1
        continue
      }
      guard lanes.add(message, line: line.number) else { continue }
      if try await lanes.go() { progress.update(count: lanes.summary.lines, bytes: input.bytesConsumed) }
    }
    try await lanes.finish()
    progress.clear()

    let summary = lanes.summary
    try Terminal.print(
      command.json ? JSONLine.encode(summary) : summary.text,
      done: "\(summary.text); do not push what is queued again"
    )
    if summary.refused > 0 { throw ExitCode.dataError }
  }

  // MARK: Lines

  private func open(_ path: String, copyOf original: String? = nil) throws -> MessageSource {
    do {
      return try MessageSource(
        path: path,
        copyOf: original,
        format: command.format,
        substitutes: ["text": "template"]
      )
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
    case .success(.columns(let columns)):
      do {
        payload = try Self.payload(columns)
      } catch {
        throw Failure("\(error)", .dataError)
      }
    case .failure(let error): throw Failure(error.message, error.exitCode)
    }
    do {
      let prepared = try PreparedMessage(payload: payload, defaults: defaults)
      return OutgoingMessage(payload: prepared.payload, callerID: prepared.callerID, due: due)
    } catch {
      throw Failure("\(error)", .dataError)
    }
  }

  private static func payload(_ columns: [String: String]) throws(MessageError) -> [UInt8] {
    let known = ["to", "text", "from", "id", "expires_at"]
    var columns = columns
    // The one column that is no string.
    let parameters = columns.removeValue(forKey: "template_params")
    let names = known.filter { columns[$0] != nil } + columns.keys.filter { !known.contains($0) }.sorted()
    return PreparedMessage.payload(
      names.map { ($0, columns[$0]!) },
      parameters: try parameters.map { text throws(MessageError) in try TemplateParameters(json: text) }
    )
  }

  private func report(_ line: Int, _ error: Failure) {
    Terminal.note("line \(line): \(error)")
  }
}
