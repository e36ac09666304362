import ProcessTable
import Synchronization
import TestSupport
import Testing

@Suite struct ProcessRunTests {
  let database: TestDatabase

  init() throws { database = try TestDatabase() }

  /// Answers as a test says, and keeps the ids of the rows that it was given.
  private final class Handler: RowHandler {
    let seen = Mutex<[Int64]>([])
    let answer: @Sendable (ClaimedRow) async -> RowOutcome.Result

    init(_ answer: @escaping @Sendable (ClaimedRow) async -> RowOutcome.Result) { self.answer = answer }

    func handle(_ row: ClaimedRow) async -> RowOutcome {
      seen.withLock { $0.append(row.id) }
      return RowOutcome(await answer(row))
    }
  }

  private func options(_ owner: String = "test") -> RunOptions {
    var options = RunOptions(owner: owner)
    options.lease = .seconds(600)
    return options
  }

  private func run(
    _ options: RunOptions,
    control: RunControl = RunControl(),
    _ answer: @escaping @Sendable (ClaimedRow) async -> RowOutcome.Result
  ) async throws -> (summary: RunSummary, seen: [Int64]) {
    let handler = Handler(answer)
    let summary = try await ProcessRun(database.table, handler: handler, options: options, control: control).run()
    return (summary, handler.seen.withLock { $0.sorted() })
  }

  @Test func `A run does all that is due, and ends`() async throws {
    try await database.addSends(35)
    let (summary, seen) = try await run(options()) { _ in .done }
    #expect(seen == Array(1...35))
    #expect(summary.done == 35 && summary.claimed == 35)
    #expect(try await database.count("state = 'done' AND attempts = 1") == 35)
  }

  @Test func `Runs at the same time share the rows, and none is done twice`() async throws {
    try await database.addSends(300)
    let others = try (0..<4).map { _ in ProcessTable(try ProcessDatabase(path: database.path, access: .readWrite)) }
    let handler = Handler { _ in .done }
    try await withThrowingTaskGroup { tasks in
      for (number, table) in others.enumerated() {
        tasks.addTask { _ = try await ProcessRun(table, handler: handler, options: options("run \(number)")).run() }
      }
      try await tasks.waitForAll()
    }
    #expect(handler.seen.withLock { $0.sorted() } == Array(1...300))
  }

  @Test func `No more rows are in hand than there are processes`() async throws {
    try await database.addSends(40)
    let inHand = Atomic(0)
    let most = Atomic(0)
    var options = options()
    options.processes = 3
    _ = try await run(options) { _ in
      let now = inHand.add(1, ordering: .relaxed).newValue
      most.max(now, ordering: .relaxed)
      await Task.yield()
      inHand.subtract(1, ordering: .relaxed)
      return .done
    }
    #expect(most.load(ordering: .relaxed) <= 3)
  }

  @Test func `The limit bounds how many rows a run takes`() async throws {
    try await database.addSends(40)
    var options = options()
    options.limit = 15
    #expect(try await run(options) { _ in .done }.seen == Array(1...15))
  }

  @Test func `A run that is out of time takes one handful and finishes it`() async throws {
    try await database.addSends(40)
    var options = options()
    options.maxRuntime = .zero
    #expect(try await run(options) { _ in .done }.summary.done == 10)
  }

  @Test func `A failed row is tried again later, and given up after so many attempts`() async throws {
    try await database.addSends(1)
    let clock = Atomic(ProcessDatabase.now())
    var options = options()
    options.maxAttempts = 3
    options.retryDelay = { .seconds($0) }
    options.now = { clock.load(ordering: .relaxed) }
    for attempt in 1...3 {
      let summary = try await run(options) { _ in .retry(reason: "busy", after: nil) }.summary
      #expect(summary.retried == (attempt < 3 ? 1 : 0) && summary.dead == (attempt < 3 ? 0 : 1))
      #expect(try await run(options) { _ in .done }.seen.isEmpty, "not due yet")
      clock.add(Int64(attempt) * 1000, ordering: .relaxed)
    }
    let row = try #require(try await database.table.row(1))
    #expect(row.state == .dead && row.attempts == 3 && row.lastError == "busy")
  }

  @Test func `A time that somebody named is the least to wait`() async throws {
    try await database.addSends(1)
    var options = options()
    options.now = { 2_000_000_000_000 }
    options.retryDelay = { _ in .zero }
    _ = try await run(options) { _ in .retry(reason: "throttled", after: .seconds(30)) }
    #expect(try await database.table.row(1)?.dueAt == 2_000_000_030_000)
  }

  @Test func `What is not there is asked for once, and its rows go back untried`() async throws {
    try await database.addSends(30, action: .queue)
    try await database.addCommand(["true"])
    let (summary, seen) = try await run(options()) { row in
      row.action == .queue ? .unavailable(reason: "no Redis") : .done
    }
    #expect(seen.count == 11 && seen.contains(31))
    #expect(summary.unavailable == ["queue": "no Redis"] && summary.returned == 10 && summary.done == 1)
    #expect(try await database.count("state = 'waiting' AND attempts = 0") == 30)
  }

  @Test func `A stop finishes what is in hand and takes no more; a second one interrupts`() async throws {
    try await database.addSends(40)
    let control = RunControl()
    let summary = try await run(options(), control: control) { row in
      control.stop()
      return .done
    }.summary
    #expect((1...10).contains(summary.done) && summary.claimed == 10)
    let rest = try await database.count("state = 'waiting'")

    let abort = RunControl()
    let second = try await run(options(), control: abort) { _ in
      abort.stop()
      try? await Task.sleep(for: .seconds(1000))
      return .interrupted
    }.summary
    #expect(second.interrupted == 10)
    #expect(try await database.count("state = 'waiting'") == rest)
  }

  @Test func `A lease is renewed while a row takes longer than it`() async throws {
    try await database.addSends(1)
    let clock = Atomic(ProcessDatabase.now())
    var options = options()
    options.lease = .seconds(3)
    options.now = { clock.load(ordering: .relaxed) }
    let (database, run, other) = (database, options, self.options("other"))
    let lease = { @Sendable in try await database.values("SELECT lease_until FROM process", as: Int64.self)[0] }
    let summary = try await self.run(run) { _ in
      do {
        let first = try await lease()
        clock.add(2000, ordering: .relaxed)
        try await eventually("the lease is renewed") { try await lease() == first + 2000 }
        clock.add(2000, ordering: .relaxed)
        var later = other
        later.now = run.now
        return try await self.run(later) { _ in .done }.seen.isEmpty ? .done : .dead(reason: "another run took it")
      } catch {
        return .dead(reason: "\(error)")
      }
    }.summary
    #expect(summary.done == 1 && summary.lost == 0)
  }

  @Test func `A run that can record nothing more says which rows that concerns`() async throws {
    try await database.addSends(2)
    var options = options()
    options.lease = .seconds(1)
    let database = database
    do {
      _ = try await run(options) { _ in
        try? await database.execute("DROP TABLE IF EXISTS process")
        return .done
      }
      #expect(Bool(false), "the table is gone")
    } catch let broken as ProcessRun.Broken {
      #expect(broken.unrecorded == [1, 2])
    }
  }
}
