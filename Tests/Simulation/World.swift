import MessageQueue
import RedisClient
import TestSupport
import Worker

/// Workers, producers and Redis in one thread and in virtual time: one history, as a plan and a seed have it.
///
/// Workers are the real ``QueueState`` and ``Hands``; their loops, handlers and connections are this world's, and Redis is
/// ``SimulatedRedis``. Nothing here looks at a clock or draws numbers of its own, so a seed has one history.
package final class World {
  package typealias Time = Plan.Time

  /// Indirect, because the agenda moves them often.
  indirect enum Happening {
    case step(Plan.Step)
    /// A worker's loop looks.
    case look(Worker, queue: Int, sleep: Int)
    /// A call gets to Redis.
    case arrive(Call)
    /// Its answer gets to the loop, or its failure.
    case answer(Call, QueueState.Event)
    /// A blocked wait, or a blocked ring, is over.
    case waitOver(queue: Int, Int)
    case finish(Worker, queue: Int, Finished)
    case event(Worker, queue: Int, QueueState.Event)
    case interrupt(Worker, queue: Int)
    /// A worker that was told to end must have.
    case mustHaveEnded(Worker)
    case signal(Worker, WorkerControl.Phase)
    case start(name: String, index: Int)
    case resume(Worker)
    case restore(queue: Int, Plan.Step)
    /// Nothing goes wrong any more.
    case calm
    /// Something is pushed to queues with nothing in them.
    case probe
  }

  /// One process of a worker.
  final class Worker {
    let index: Int
    let name: String
    let process: String
    var isAlive = true
    /// By SIGSTOP.
    var isStopped = false
    /// It ever was.
    var wasStopped = false
    var told = WorkerControl.Phase.running
    var hands: Hands
    var loops: [Loop]
    /// The gateway takes nothing before this.
    var throttledUntil: Time = 0
    /// Messages that its handlers have, by claim id.
    var inHand: [String: Held] = [:]
    var lives = 0
    /// The wait beside each loop, by the number of its call.
    var waits: [Int: Int] = [:]
    /// What comes for it while it is stopped.
    var delayed: [Happening] = []

    /// - Parameter ranks: see ``Hands/open(rank:)``; one a queue.
    init(index: Int, name: String, process: String, ranks: [Int], options: WorkerOptions) {
      self.index = index
      self.name = name
      self.process = process
      hands = Hands(concurrency: options.concurrency, ranks: ranks)
      loops = ranks.indices.map { Loop(QueueState(at: $0, options: options)) }
    }
  }

  struct Loop {
    var state: QueueState
    var finished: [Finished] = []
    var events: [QueueState.Event] = []
    /// The call that it waits for.
    var call: Int?
    /// Counts its rests, so that what was to end an earlier one ends no other.
    var sleep = 0
    var isResting = false
    var hasEnded = false
    var isInterrupted = false
    /// Its waits end at once from now on.
    var endsWaits = false
    /// Decisions, and calls to Redis, in this virtual second.
    var decisions = 0
    var calls = 0
    var second: Time = -1
    /// The call that it waits for, to be cut off, and whether it has got to Redis.
    var pending: Call?
    var hasArrived = false

    init(_ state: QueueState) { self.state = state }
  }

  /// A message that a handler has.
  struct Held {
    let message: ClaimedMessage
    let queue: Int
    let lifeNumber: Int
  }

  /// A call to Redis.
  struct Call {
    let number: Int
    let worker: Worker
    let queue: Int
    let action: QueueState.Action
    /// Its loop does not wait for it.
    let isBeside: Bool
    /// Whether its answer gets back.
    var isLost = false
  }

  /// One queue's Redis, with what blocks there.
  struct Server {
    var redis: SimulatedRedis
    /// What it was at some moments, the last one last.
    var past: [(at: Time, state: SimulatedRedis.State)] = []
    /// Redis' clock, as far as it is not the world's: ms.
    var skew: Int64 = 0
    var isAway = false
    /// Waits at the bell, in the order in which they came.
    var waits: [(number: Int, call: Call)] = []
    /// Until when a change of the limit rings.
    var limitRingsUntil: Time = 0
    /// Requests to ring.
    var rings: [(number: Int, worker: Worker)] = []
  }

  let plan: Plan
  var random: SeededGenerator
  var now: Time = 0
  var servers: [Server]
  var workers: [Worker] = []
  var books: Books
  /// Messages that were pushed, begun and finished in this virtual second: what calls to Redis are made for.
  var activity = (second: Time(-1), count: 0)
  var trace: ((String) -> Void)?
  private var agenda = Agenda<Happening>()
  private var calls = 0
  /// Calls that were cut off before they got to Redis.
  var cutOff: Set<Int> = []
  var hasProbed = false
  var processes = 0
  private let epoch: Instant

  package init(_ plan: Plan, trace: ((String) -> Void)? = nil) {
    self.plan = plan
    self.trace = trace
    random = SeededGenerator(seed: plan.seed ^ 0x9E37_79B9_7F4A_7C15)
    servers = (0..<plan.queues).map { Server(redis: SimulatedRedis(queue: "q\($0)")) }
    books = Books()
    epoch = Self.epoch
    for index in 0..<plan.workers { start(name: "w\(index)", index: index) }
    for (at, step) in plan.steps { agenda.add(at, .step(step)) }
    // Who was stopped goes on fifteen seconds later at the latest.
    agenda.add(plan.calmAt + Plan.second(17), .calm)
  }

  /// Any instant will do: only what lies between two of them matters.
  private static let epoch = Instant.now

  var instant: Instant { epoch + .microseconds(now) }
  func time(_ instant: Instant) -> Time { Time((instant - epoch) / .microseconds(1)) }
  func redisTime(_ queue: Int) -> Int64 { 1_700_000_000_000 + now / 1000 + servers[queue].skew }
  var isCalm: Bool { now >= plan.calmAt }

  func chance(_ thousandths: Int) -> Bool {
    thousandths > 0 && Int.random(in: 0..<1000, using: &random) < thousandths
  }

  func time(upTo most: Time) -> Time { most <= 0 ? 0 : Time.random(in: 0...most, using: &random) }

  func nextCall() -> Int {
    calls += 1
    return calls
  }

  func later(_ delay: Time, _ happening: Happening) { agenda.add(now + delay, happening) }

  func say(_ line: @autoclosure () -> String) {
    guard let trace else { return }
    let micros = String(now % 1_000_000 + 1_000_000).dropFirst()
    trace("\(now / 1_000_000).\(micros) \(line())")
  }

  // MARK: The course of things

  /// Runs the history to its end, or to a moment before that.
  ///
  /// - Returns: what is wrong with it; nil where nothing is.
  package func run(until moment: Time = .max) -> String? {
    // Leases, retries, schedules, and the pauses of whoever was cut off are over by then.
    let end = plan.calmAt + Plan.second(150)
    while let at = agenda.first {
      if at > moment { return nil }
      if at > end { break }
      now = at
      if let happening = agenda.next() { happen(happening) }
      if let fault = books.fault { return fault }
      if isCalm && isDone { break }
    }
    return books.close(self)
  }

  /// How many of a queue's messages gateways have taken, each counted once.
  package func sent(ofQueue queue: Int) -> Int { books.sent(ofQueue: queue) }

  /// Nothing waits, is scheduled or in hand, of what was pushed.
  private var isDone: Bool {
    guard hasProbed else { return false }
    return servers.allSatisfy { server in
      server.redis.state.waiting.isEmpty && server.redis.state.later.count == 0
        && server.redis.state.lives.allSatisfy(\.claims.isEmpty)
    } && workers.allSatisfy { !$0.isAlive || !$0.isStopped }
  }

  func happen(_ happening: Happening) {
    switch happening {
    case .step(let step): carryOut(step)
    case .look(let worker, let queue, let sleep):
      if whileRunning(worker, happening), worker.loops[queue].sleep == sleep, worker.loops[queue].isResting {
        work(worker, queue)
      }
    case .arrive(let call): arrive(call)
    case .answer(let call, let event):
      if whileRunning(call.worker, happening) { answered(call, event) }
    case .waitOver(let queue, let number): waitIsOver(queue, number)
    case .finish(let worker, let queue, let finished):
      if whileRunning(worker, happening) { finish(worker, queue, finished) }
    case .event(let worker, let queue, let event):
      if whileRunning(worker, happening) { tell(worker, queue, event) }
    case .interrupt(let worker, let queue):
      if whileRunning(worker, happening) { interrupt(worker, queue) }
    case .start(let name, let index): start(name: name, index: index)
    case .resume(let worker): resume(worker)
    case .restore(let queue, let step): restore(queue, step)
    case .calm:
      // A Redis that went back may be paused again.
      for queue in servers.indices {
        try? servers[queue].redis.resume()
        setLimit(queue, nil)
      }
      // Who ran into one that was newer may have been the last one.
      if !workers.contains(where: { $0.isAlive && $0.told == .running }) { start(name: "last", index: 0) }
      // New ones let others renew before they take over, and all pauses are over.
      later(Plan.second(11) + time(upTo: Plan.second(1)), .probe)
    case .probe: probe()
    case .mustHaveEnded(let worker):
      if worker.isAlive && !worker.wasStopped { books.fault = "\(worker.process) was told to end, and has not" }
    case .signal(let worker, let phase):
      if whileRunning(worker, happening) { signal(worker, to: phase) }
    }
  }

  /// What comes for a process that is stopped comes when it goes on.
  func whileRunning(_ worker: Worker, _ happening: Happening) -> Bool {
    if worker.isStopped { worker.delayed.append(happening) }
    return worker.isAlive && !worker.isStopped
  }
}
