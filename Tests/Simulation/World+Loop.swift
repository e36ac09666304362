import MessageQueue
import RedisClient
import Worker

// A worker's side of the world: what `QueueLoop`, the dispatcher and the handlers do in the real one.
extension World {
  /// Has one loop go on until it has to wait.
  func work(_ worker: Worker, _ queue: Int) {
    while worker.isAlive, !worker.isStopped, worker.loops[queue].call == nil, !worker.loops[queue].hasEnded {
      worker.loops[queue].isResting = false
      countDecision(worker, queue)
      if books.fault != nil { return }
      let conditions = QueueState.Conditions(
        now: instant,
        told: worker.told,
        gateway: worker.throttledUntil > now
          ? .init(most: 0, next: instant + .microseconds(worker.throttledUntil - now)) : .init()
      )
      let (finished, events) = (worker.loops[queue].finished, worker.loops[queue].events)
      (worker.loops[queue].finished, worker.loops[queue].events) = ([], [])
      if !finished.isEmpty { worker.loops[queue].state.got(.finished(finished), now: instant, &worker.hands) }
      for event in events { worker.loops[queue].state.got(event, now: instant, &worker.hands) }
      let action = worker.loops[queue].state.next(conditions, &worker.hands)
      noteState(worker, queue)
      if !perform(action, worker, queue) { return }
    }
  }

  /// Tells a loop what came of what it asked for, and has it go on.
  func tell(_ worker: Worker, _ queue: Int, _ event: QueueState.Event) {
    worker.loops[queue].events.append(event)
    wake(worker, queue)
  }

  func wake(_ worker: Worker, _ queue: Int) {
    guard worker.isAlive, worker.loops[queue].isResting else { return }
    later(0, .look(worker, queue: queue, sleep: worker.loops[queue].sleep))
  }

  private func noteState(_ worker: Worker, _ queue: Int) {
    for note in worker.loops[queue].state.takeNotes() {
      say("\(worker.process) q\(queue) says \(note.brief)")
      books.note(note, worker, queue, self)
    }
    for other in worker.hands.takeToTell() { wake(worker, other) }
  }

  /// A loop that decides over and over without a need is a fault of its own.
  private func countDecision(_ worker: Worker, _ queue: Int) {
    let second = now / 1_000_000
    if worker.loops[queue].second != second {
      (worker.loops[queue].second, worker.loops[queue].decisions, worker.loops[queue].calls) = (second, 0, 0)
    }
    worker.loops[queue].decisions += 1
    let reasons = 300 + 20 * (activity.second == second ? activity.count : 0)
    if worker.loops[queue].decisions > 4 * reasons || worker.loops[queue].calls > reasons {
      books.fault = "\(worker.process) goes round and round for q\(queue) in second \(second)"
    }
  }

  /// - Returns: whether the loop goes on at once.
  private func perform(_ action: QueueState.Action, _ worker: Worker, _ queue: Int) -> Bool {
    switch action {
    case .beginLife:
      worker.lives += 1
      let digits = String(1_000_000 + random.next() % 1_000_000)
      let life = WorkerLife(id: "\(worker.name)@\(worker.process)@\(digits)\(queue)\(worker.lives)")!
      worker.loops[queue].events.append(.began(life))
    case .start(let arrived):
      start(arrived, worker, queue)
    case .cutShort(let until):
      for (claimID, held) in worker.inHand.sorted(by: { $0.key < $1.key }) where chance(800) {
        let finished = rule(.unfinished, of: held.message, held.lifeNumber, worker)
        books.mayRepeat(held.message)
        worker.inHand[claimID] = nil
        deliver(finished, worker, held.queue)
      }
      later(time(until) - now, .interrupt(worker, queue: queue))
    case .writeOut(let letters, _):
      later(time(upTo: 100_000), .event(worker, queue: queue, .wroteOut(chance(900) ? letters.count : 0)))
    case .rest(let until):
      worker.loops[queue].isResting = true
      worker.loops[queue].sleep += 1
      if let until {
        later(max(0, time(until) - now), .look(worker, queue: queue, sleep: worker.loops[queue].sleep))
      }
      // What came while it made up its mind wakes it.
      if !worker.loops[queue].events.isEmpty || !worker.loops[queue].finished.isEmpty { wake(worker, queue) }
      return false
    case .end(let unfinished):
      say("\(worker.process) q\(queue) ends, \(unfinished) unfinished")
      worker.loops[queue].hasEnded = true
      books.ended(worker, queue, unfinished: unfinished, self)
      if worker.loops.allSatisfy(\.hasEnded) { end(worker) }
      return false
    default:
      return send(action, worker, queue)
    }
    return true
  }

  // MARK: Handlers

  private func start(_ arrived: QueueState.Arrived, _ worker: Worker, _ queue: Int) {
    note(activity: arrived.messages.count)
    for message in arrived.messages {
      guard worker.isAlive else { return }
      let holds = worker.loops[queue].state.leaseEnd.map { $0 > instant } ?? false
      guard holds, worker.told < .aborting else {
        deliver(rule(nil, of: message, arrived.lifeNumber, worker), worker, queue)
        continue
      }
      books.started(message, worker, queue, self)
      worker.inHand[message.claimID] = Held(message: message, queue: queue, lifeNumber: arrived.lifeNumber)
      if Books.kind(message) == .poison {
        kill(worker)
        later(Plan.second(1), .start(name: worker.name, index: worker.index))
        return
      }
      let outcome = draw(message)
      let finished = rule(outcome, of: message, arrived.lifeNumber, worker)
      if case .unknown = outcome { books.mayRepeat(message) }
      later(time(upTo: isCalm ? min(plan.slowest, 50_000) : plan.slowest), .finish(worker, queue: queue, finished))
    }
  }

  private func draw(_ message: ClaimedMessage) -> Outcome {
    guard chance(plan.failing), !isCalm else {
      books.sent(message, self)
      return .sent
    }
    switch Int.random(in: 0..<6, using: &random) {
    case 0: return .refused(reason: "refused")
    case 1:
      books.sent(message, self)
      return .unknown(reason: "silence")
    case 2: return .throttled(reason: "slow down", after: .milliseconds(100))
    case 3: return .expired
    case 4: return .notStarted
    default: return .retry(reason: "down", after: nil)
    }
  }

  private func rule(_ outcome: Outcome?, of message: ClaimedMessage, _ life: Int, _ worker: Worker) -> Finished {
    let ruling = Ruling(
      outcome,
      of: message,
      GatewayWatch.Verdict(),
      isCancelled: worker.told == .aborting,
      jitter: Double.random(in: 0..<1, using: &random),
      options: plan.options
    )
    return Finished(ruling.verb, of: message, lifeNumber: life)
  }

  func finish(_ worker: Worker, _ queue: Int, _ finished: Finished) {
    guard worker.inHand.removeValue(forKey: finished.settlement.claimID) != nil else { return }
    deliver(finished, worker, queue)
  }

  private func deliver(_ finished: Finished, _ worker: Worker, _ queue: Int) {
    note(activity: 1)
    worker.loops[queue].finished.append(finished)
    worker.hands.finished(1, queue)
    for other in worker.hands.takeToTell() { wake(worker, other) }
    wake(worker, queue)
  }
}

extension QueueState.Note {
  /// In few words, for a history that is printed.
  var brief: String {
    switch self {
    case .outcomeLost(let finished): "outcome-lost \(finished.settlement.claimID) \(finished.settlement.verb.name)"
    case .buried(let message, let reason, _): "dead \(message.claimID): \(reason)"
    case .recovered(let count, let life): "recovered \(count) from \(life.id)"
    case .superseded(let life, _): "superseded by \(life.id)"
    case .redisLost(let error): "redis-lost \(error.code.rawValue)"
    case .queueError(let error): "queue-error \(error.code.rawValue)"
    default: "\(self)"
    }
  }
}
