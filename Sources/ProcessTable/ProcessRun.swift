/// One run over the table: claims what is due, has it done, records the outcomes, until nothing is due or time is up.
package struct ProcessRun: Sendable {
  /// The run ended early: the table took no records any more.
  package struct Broken: Error {
    package var error: TableError
    /// Rows that were tried, or were just being, and whose outcomes could not be recorded: another run does them again when
    /// the lease ends.
    package var unrecorded: [Int64]
  }

  let table: ProcessTable
  let handler: any RowHandler
  let options: RunOptions
  let control: RunControl
  let report: @Sendable (RunEvent) -> Void

  package init(
    _ table: ProcessTable,
    handler: any RowHandler,
    options: RunOptions,
    control: RunControl = RunControl(),
    report: @escaping @Sendable (RunEvent) -> Void = { _ in }
  ) {
    self.table = table
    self.handler = handler
    self.options = options
    self.control = control
    self.report = report
  }

  struct State {
    let end: ContinuousClock.Instant
    /// Claimed, and not recorded yet.
    var inHand: [Int64: Task<RowOutcome, Never>] = [:]
    /// Of these, the finished ones.
    var finished: [(row: ClaimedRow, outcome: RowOutcome)] = []
    /// What the run still takes: an action that turns out to be unavailable is left out from then on.
    var actions = Set(RowAction.allCases)
    /// When the table last took a batch; nil before the first.
    var lastBatch: ContinuousClock.Instant?
    var summary = RunSummary()
  }

  /// About as long as a commit takes on a disk that is fast.
  private static let commitDelay = Duration.milliseconds(1)

  /// - Throws: ``Broken``.
  package func run() async throws -> RunSummary {
    try await withThrowingDiscardingTaskGroup { tasks in
      tasks.addTask { await control.wake(every: options.lease / 3) }
      defer { tasks.cancelAll() }
      var state = State(end: .now + options.maxRuntime)
      for await _ in control.wakes {
        gather(&state)
        // A commit waits for the disk. What else finishes within a moment, where there is anything else, goes with it.
        if !state.finished.isEmpty && state.finished.count < state.inHand.count {
          try await Task.sleep(for: Self.commitDelay)
          gather(&state)
        }
        if let result = try await batch(&state) {
          for row in result.claimed {
            let task = Task { await handler.handle(row) }
            state.inHand[row.id] = task
            tasks.addTask { control.finish(row, await task.value) }
          }
          if state.inHand.isEmpty { break }
        }
        if control.mustAbort { for task in state.inHand.values { task.cancel() } }
      }
      return state.summary
    }
  }

  private func gather(_ state: inout State) {
    for (row, outcome) in control.takeFinished() {
      state.finished.append((row, outcome))
      if case .unavailable(let reason) = outcome.result {
        state.actions.remove(row.action)
        state.summary.unavailable[row.action.rawValue] = reason
      }
    }
  }

  /// - Returns: nil when there was no reason for a batch, or the table did not take it and it is to be tried again.
  private func batch(_ state: inout State) async throws(Broken) -> BatchResult? {
    if let last = state.lastBatch, state.finished.isEmpty, ContinuousClock.now - last < options.lease / 4 { return nil }
    var batch = Batch(owner: options.owner, now: options.now(), lease: options.lease)
    batch.maxCrashes = options.maxCrashes
    batch.actions = state.actions
    let settled = state.finished.map { settle($0.row, $0.outcome) }
    batch.records = settled.map(\.record)
    if !control.mustStop, !state.actions.isEmpty, state.lastBatch == nil || ContinuousClock.now < state.end {
      let free = options.processes - state.inHand.count + state.finished.count
      batch.claim = min(free, (options.limit ?? .max) - state.summary.claimed)
    }

    let result: BatchResult
    do {
      result = try await table.take(batch)
    } catch {
      // Where outcomes are at stake, it is tried until the lease has ended: a full disk may get room again.
      if let last = state.lastBatch, !state.inHand.isEmpty, ContinuousClock.now - last < options.lease {
        Task {
          try? await Task.sleep(for: .milliseconds(500))
          control.wake()
        }
        return nil
      }
      for task in state.inHand.values { task.cancel() }
      throw Broken(error: error, unrecorded: state.inHand.keys.sorted())
    }

    state.lastBatch = .now
    for ((row, _), (_, event)) in zip(state.finished, settled) {
      state.inHand[row.id] = nil
      note(result.lost.contains(row.id) ? .lost(row.id, row.action) : event, &state.summary)
    }
    state.finished = []
    for row in result.recovered {
      note(.recovered(row.id, row.action), &state.summary)
      if row.isDead { note(.dead(row.id, reason: "in hand in \(row.crashes) killed runs"), &state.summary) }
    }
    // A run that slept for longer than its lease has lost its rows: others have them now.
    for (id, task) in state.inHand where !result.held.contains(id) { task.cancel() }
    state.summary.claimed += result.claimed.count
    return result
  }

  private func note(_ event: RunEvent, _ summary: inout RunSummary) {
    switch event {
    case .done: summary.done += 1
    case .expired: summary.expired += 1
    case .retry: summary.retried += 1
    case .dead: summary.dead += 1
    case .recovered: summary.recovered += 1
    case .lost: summary.lost += 1
    case .interrupted: summary.interrupted += 1
    case .returned: summary.returned += 1
    }
    report(event)
  }
}

// MARK: Outcomes

extension ProcessRun {
  /// What an outcome means for the row, and what to say of it.
  private func settle(_ row: ClaimedRow, _ outcome: RowOutcome) -> (record: Batch.Record, event: RunEvent) {
    var record = Batch.Record(id: row.id, state: .done)
    record.exitCode = outcome.exitCode
    record.output = outcome.output
    switch outcome.result {
    case .done:
      return (record, .done(row.id))

    case .expired(let reason):
      (record.state, record.error) = (.expired, reason)
      return (record, .expired(row.id, reason: reason))

    case .retry(let reason, let after):
      record.error = reason
      if row.attempt >= options.maxAttempts {
        record.state = .dead
        return (record, .dead(row.id, reason: "gave up after \(row.attempt) attempts: \(reason)"))
      }
      let delay = max(options.retryDelay(row.attempt), after ?? .zero)
      (record.state, record.dueAt) = (.waiting, options.now() + Int64(delay / .milliseconds(1)))
      return (record, .retry(row.id, reason: reason, after: delay))

    case .putOff(let reason, let after):
      (record.state, record.wasTried, record.error) = (.waiting, false, reason)
      record.dueAt = options.now() + Int64(after / .milliseconds(1))
      return (record, .retry(row.id, reason: reason, after: after))

    case .dead(let reason):
      (record.state, record.error) = (.dead, reason)
      return (record, .dead(row.id, reason: reason))

    case .unavailable:
      (record.state, record.wasTried) = (.waiting, false)
      return (record, .returned(row.id))

    case .interrupted:
      (record.state, record.error) = (
        .waiting, "interrupted, because the run had to stop; whether it was done is not known"
      )
      return (record, .interrupted(row.id))
    }
  }
}
