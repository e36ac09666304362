import MessageQueue
import RedisClient
import TestSupport
import Worker

// Processes that come and go, and what else a plan has happen.
extension World {
  func start(name: String, index: Int) {
    processes += 1
    var options = plan.options
    options.name = name
    let worker = Worker(
      index: index,
      name: name,
      process: "h.\(processes).0",
      ranks: (0..<plan.queues).map { plan.areShards ? 0 : $0 },
      options: options
    )
    workers.append(worker)
    say("\(worker.process) starts as \(name)")
    for queue in 0..<plan.queues { work(worker, queue) }
  }

  /// The processes that are there of a worker of the plan.
  func running(_ index: Int) -> [Worker] { workers.filter { $0.isAlive && $0.index == index } }

  func kill(_ worker: Worker) {
    guard worker.isAlive else { return }
    say("\(worker.process) is killed")
    end(worker)
  }

  /// The process is gone, and its connections with it.
  func end(_ worker: Worker) {
    worker.isAlive = false
    worker.isStopped = false
    for queue in servers.indices { disconnect(worker, queue) }
  }

  func resume(_ worker: Worker) {
    guard worker.isStopped else { return }
    say("\(worker.process) goes on")
    worker.isStopped = false
    let delayed = worker.delayed
    worker.delayed = []
    for happening in delayed { happen(happening) }
  }

  func signal(_ worker: Worker, to phase: WorkerControl.Phase) {
    worker.told = max(worker.told, phase)
    say("\(worker.process) is told: \(worker.told)")
    for queue in servers.indices {
      worker.loops[queue].endsWaits = true
      endWait(worker, queue)
      wake(worker, queue)
    }
  }

  func carryOut(_ step: Plan.Step) {
    say("* \(step)")
    books.note(step, at: now)
    switch step {
    case .push(let queue, let count, let push): self.push(queue, count, push)
    case .kill(let index, let back, let isRenamed):
      for worker in running(index) {
        kill(worker)
        later(back, .start(name: isRenamed ? "\(worker.name)r" : worker.name, index: index))
      }
    case .pause(let index, let time):
      for worker in running(index) where !worker.isStopped {
        worker.isStopped = true
        worker.wasStopped = true
        later(time, .resume(worker))
      }
    case .stop(let index, let signals, let back):
      for worker in running(index) where worker.told < .draining {
        signal(worker, to: .draining)
        let drain = Time(plan.options.drain / .microseconds(1))
        let second = time(upTo: Plan.second(2))
        if signals > 1 { later(second, .signal(worker, .aborting)) }
        // Two seconds are for giving back; and a loop may be in a call that gets no answer, and get none when it leaves.
        let patience = Time(plan.options.lease / .microseconds(1))
        later((signals > 1 ? min(drain, second) : drain) + patience + Plan.second(3), .mustHaveEnded(worker))
        later(back, .start(name: worker.name, index: index))
      }
    case .quiet(let index, let back):
      for worker in running(index) where worker.told == .running {
        signal(worker, to: .quiet)
        later(back, .start(name: worker.name + "q", index: index))
      }
    case .double(let index):
      if let worker = running(index).first { start(name: worker.name, index: index) }
    case .throttle(let index, let time):
      for worker in running(index) { worker.throttledUntil = now + time }
    case .cut(let queue): cutAll(queue)
    case .outage(let queue, let time):
      servers[queue].isAway = true
      cutAll(queue)
      later(time, .restore(queue: queue, step))
    case .full(let queue, let time):
      servers[queue].redis.faults.isFull = true
      later(time, .restore(queue: queue, step))
    case .readOnly(let queue, let time):
      servers[queue].redis.faults.isReadOnly = true
      later(time, .restore(queue: queue, step))
    case .refuse(let queue, let key, let time):
      guard let key = key.simulated(servers[queue].redis.state, choice: Int.random(in: 0..<100, using: &random)) else {
        break
      }
      servers[queue].redis.faults.refusedKey = key
      later(time, .restore(queue: queue, step))
    case .rollBack(let queue, let time): rollBack(queue, to: now - time)
    case .clock(let queue, let jump):
      servers[queue].skew += jump
      // It goes right again, or what is due by it would be due in an hour.
      if jump < 0 { later(Plan.second(10), .step(.clock(queue: queue, -jump))) }
    case .limit(let queue, let rate, let time):
      setLimit(queue, QueueLimit(Rate(rate, per: .seconds(1))))
      later(time, .restore(queue: queue, step))
    case .hold(let queue, let time):
      try? servers[queue].redis.pause()
      later(time, .restore(queue: queue, step))
    }
  }

  /// Idle workers must find what is pushed at once, or when a wait is over.
  func probe() {
    hasProbed = true
    for queue in servers.indices {
      let state = servers[queue].redis.state
      let isIdle =
        state.waiting.isEmpty && state.later.count == 0 && state.lives.allSatisfy(\.claims.isEmpty)
        && workers.contains { $0.isAlive && $0.told == .running && !$0.isStopped && $0.hands.inHand == 0 }
      let number = books.pushed + 1
      push(queue, 1, chance(500) ? .ours : .plain)
      let patience = plan.options.wakeTimeout + .milliseconds(500)
      if isIdle { books.mustBeSent(number, by: now + Time(patience / .microseconds(1))) }
    }
  }

  /// - Returns: whether Redis took it.
  @discardableResult
  func setLimit(_ queue: Int, _ limit: QueueLimit?) -> Bool {
    guard !servers[queue].isAway, (try? servers[queue].redis.setLimit(limit)) != nil else { return false }
    books.limited(queue, limit, at: now)
    servers[queue].limitRingsUntil = now + Time(MessageQueue.limitRings / .microseconds(1))
    for wait in servers[queue].waits where wait.call.isAtLimit { waitIsOver(queue, wait.number, isChanged: true) }
    return true
  }

  func note(activity count: Int) {
    let second = now / 1_000_000
    activity = (second, (activity.second == second ? activity.count : 0) + count)
  }

  func restore(_ queue: Int, _ step: Plan.Step) {
    say("* over: \(step)")
    switch step {
    case .outage: servers[queue].isAway = false
    case .full: servers[queue].redis.faults.isFull = false
    case .readOnly: servers[queue].redis.faults.isReadOnly = false
    case .refuse: servers[queue].redis.faults.refusedKey = nil
    case .limit:
      if !setLimit(queue, nil) { later(Plan.second(1), .restore(queue: queue, step)) }
    case .hold:
      // Whoever is to take it up tries until it is.
      if (try? servers[queue].redis.resume()) == nil || servers[queue].redis.state.isPaused {
        later(Plan.second(1), .restore(queue: queue, step))
      }
    default: break
    }
  }
}

extension Plan.Key {
  /// - Parameter choice: any number, to choose a life by.
  func simulated(_ state: SimulatedRedis.State, choice: Int) -> SimulatedRedis.Key? {
    switch self {
    case .claimed: state.lives.isEmpty ? nil : .claimed(state.lives[choice % state.lives.count].life)
    case .list: .list
    case .wake: .wake
    case .later: .later
    case .dead: .dead
    case .stats: .stats
    case .workers: .workers
    case .turns: .turns
    case .health: .health
    case .dropping: .dropping
    case .limit: .limit
    }
  }
}
