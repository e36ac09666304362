import MessageQueue
import RedisClient
import Worker

// Redis' side of the world, and what lies between.
extension World {
  private static let gone = RedisError(code: .disconnected, message: "connection lost")
  private static let silent = RedisError(code: .timedOut, message: "no answer in time")
  private static let interrupted = RedisError(code: .interrupted, message: "the connection was closed on purpose")

  // MARK: On the way

  /// Sends a call, and lets go wrong what may.
  ///
  /// - Returns: whether the loop goes on without its answer.
  func send(_ action: QueueState.Action, _ worker: Worker, _ queue: Int) -> Bool {
    let isBeside = if case .wait(let wait) = action { wait.isBeside } else { false }
    var call = Call(number: nextCall(), worker: worker, queue: queue, action: action, isBeside: isBeside)
    if isBeside {
      worker.waits[queue] = call.number
    } else {
      (worker.loops[queue].call, worker.loops[queue].pending) = (call.number, call)
      worker.loops[queue].hasArrived = false
    }
    worker.loops[queue].calls += 1
    if case .leave = action {
      worker.loops[queue].endsWaits = true
      endWait(worker, queue)
    }
    say("\(worker.process) q\(queue) \(call.number): \(action.brief)")
    if worker.loops[queue].isInterrupted {
      later(0, .answer(call, call.failure(Self.interrupted, jitter: 0)))
      return isBeside
    }
    let way = 30 + time(upTo: 300)
    let patience = Plan.second(plan.options.lease / .seconds(2))
    guard !isCalm, chance(plan.losing) else {
      later(way, .arrive(call))
      return isBeside
    }
    switch Int.random(in: 0..<5, using: &random) {
    case 0:
      say("  is lost on the way")
      fail(call, after: chance(500) ? way : patience)
    case 1:
      say("  its answer is lost")
      call.isLost = true
      later(way, .arrive(call))
      fail(call, after: chance(500) ? 2 * way : patience)
    case 2 where !call.isWait && !plan.goesBack:
      say("  is late")
      call.isLost = true
      later(patience + time(upTo: Plan.second(2)), .arrive(call))
      fail(call, after: patience)
    case 3 where !call.isWait && !plan.goesBack:
      say("  comes twice")
      later(way, .arrive(call))
      call.isLost = true
      later(way + time(upTo: Plan.second(2)), .arrive(call))
    default:
      later(way + time(upTo: patience - 1), .arrive(call))
    }
    return isBeside
  }

  private func fail(_ call: Call, after delay: Time) {
    later(delay, .answer(call, call.failure(chance(500) ? Self.gone : Self.silent, jitter: jitter())))
  }

  func jitter() -> Double { Double.random(in: 0...1, using: &random) }

  func answered(_ call: Call, _ event: QueueState.Event) {
    let (worker, queue) = (call.worker, call.queue)
    if call.isBeside {
      // The wait may have been ended before.
      guard worker.waits[queue] == call.number else { return }
      worker.waits[queue] = nil
      return tell(worker, queue, event)
    }
    guard worker.loops[queue].call == call.number else { return }
    worker.loops[queue].call = nil
    worker.loops[queue].events.append(event)
    work(worker, queue)
  }

  /// The loop's calls are cut short from now on.
  func interrupt(_ worker: Worker, _ queue: Int) {
    worker.loops[queue].isInterrupted = true
    guard let number = worker.loops[queue].call else { return wake(worker, queue) }
    forget(queue) { $0 == number }
    worker.loops[queue].call = nil
    worker.loops[queue].events.append(.failed(Self.interrupted, jitter: 0))
    work(worker, queue)
  }

  /// A worker's wait at the bell ends now.
  func endWait(_ worker: Worker, _ queue: Int) {
    guard let index = servers[queue].waits.firstIndex(where: { $0.call.worker === worker }) else { return }
    let call = servers[queue].waits.remove(at: index).call
    later(0, .answer(call, .heard(.failed(Self.interrupted))))
  }

  /// All connections of a worker to one queue's Redis are gone, with what blocks there.
  func disconnect(_ worker: Worker, _ queue: Int) {
    servers[queue].waits.removeAll { $0.call.worker === worker }
    servers[queue].rings.removeAll { $0.worker === worker }
  }

  private func forget(_ queue: Int, _ isIt: (Int) -> Bool) { servers[queue].waits.removeAll { isIt($0.call.number) } }

  /// All connections to a queue's Redis break. Whether what is on its way was carried out is chance.
  func cutAll(_ queue: Int) {
    let waits = servers[queue].waits
    servers[queue].waits = []
    servers[queue].rings = []
    for wait in waits { later(time(upTo: 1000), .answer(wait.call, .heard(.failed(Self.gone)))) }
    // What is under way breaks, too: some of it before it got there.
    for worker in workers where worker.isAlive {
      guard let call = worker.loops[queue].pending, worker.loops[queue].call == call.number, !call.isWait else {
        continue
      }
      if !worker.loops[queue].hasArrived {
        if chance(500) { arrive(call) }
        cutOff.insert(call.number)
      }
      later(0, .answer(call, call.failure(Self.gone, jitter: jitter())))
    }
  }

  // MARK: At Redis

  func arrive(_ call: Call) {
    let queue = call.queue
    if cutOff.contains(call.number) { return }
    if call.worker.loops[queue].call == call.number { call.worker.loops[queue].hasArrived = true }
    if servers[queue].isAway {
      if !call.isLost {
        later(chance(700) ? 100 : Plan.second(0.5), .answer(call, call.failure(Self.gone, jitter: jitter())))
      }
      return
    }
    switch call.action {
    case .wait(let wait): beginWait(wait, call)
    case .askForRing(let ring): beginRing(ring, call)
    default:
      let event = execute(call)
      reply(call, event)
    }
    serveBlocked(queue)
  }

  private func reply(_ call: Call, _ event: QueueState.Event) {
    if !call.isLost { later(30 + time(upTo: 300), .answer(call, event)) }
  }

  private func beginWait(_ wait: QueueState.Wait, _ call: Call) {
    if call.worker.loops[call.queue].endsWaits { return reply(call, .heard(.failed(Self.interrupted))) }
    if wait.isAtLimit && now < servers[call.queue].limitRingsUntil {
      return endWait(call, refusal: nil, isChanged: true)
    }
    // One whose loop has given it up blocks until its connection is found to be dead.
    do throws(RedisError) {
      if !wait.isAtLimit, try servers[call.queue].redis.takeToken() { return endWait(call, refusal: nil) }
    } catch {
      return endWait(call, refusal: error)
    }
    servers[call.queue].waits.append((call.number, call))
    let micros = Time(wait.timeout / .microseconds(1))
    later(micros + time(upTo: 100_000), .waitOver(queue: call.queue, call.number))
  }

  /// The blocking command is over; the claim behind it is carried out.
  private func endWait(_ call: Call, refusal: RedisError?, isChanged: Bool = false) {
    guard case .wait(let wait) = call.action else { return }
    if wait.isAtLimit { return reply(call, .heard(isChanged ? .rang : .limitHolds)) }
    guard let claim = wait.claim else {
      return reply(call, .heard(refusal.map { .failed($0) } ?? .rang))
    }
    do throws(RedisError) {
      let answer = try servers[call.queue].redis.claim(claim, now: redisTime(call.queue))
      books.claimed(answer, call.queue, self)
      reply(call, .heard(.claimed(answer, refusal: refusal)))
    } catch {
      reply(call, .heard(.failed(error)))
    }
    books.check(call.queue, self)
  }

  private func beginRing(_ ring: QueueState.Ring, _ call: Call) {
    let (worker, queue) = (call.worker, call.queue)
    if servers[queue].rings.contains(where: { $0.worker === worker }) {
      // It holds.
    } else {
      do throws(RedisError) {
        if try servers[queue].redis.findsMessage() {
          servers[queue].redis.ring()
        } else {
          servers[queue].rings.append((call.number, worker))
          later(Time(ring.timeout / .microseconds(1)), .waitOver(queue: queue, call.number))
        }
      } catch {
        return reply(call, .askedForRing(error))
      }
    }
    reply(call, .askedForRing(nil))
  }

  /// - Parameter isChanged: the limit was, for which it waited.
  func waitIsOver(_ queue: Int, _ number: Int, isChanged: Bool = false) {
    if let index = servers[queue].waits.firstIndex(where: { $0.number == number }) {
      endWait(servers[queue].waits.remove(at: index).call, refusal: nil, isChanged: isChanged)
    } else if let index = servers[queue].rings.firstIndex(where: { $0.number == number }) {
      servers[queue].rings.remove(at: index)
      servers[queue].redis.ring()
    }
    serveBlocked(queue)
  }

  /// Serves who blocks at the messages, and at the bell, as far as there are any.
  func serveBlocked(_ queue: Int) {
    if !servers[queue].redis.state.waiting.isEmpty, !servers[queue].rings.isEmpty {
      let rings = servers[queue].rings.count
      servers[queue].rings = []
      for _ in 0..<rings { servers[queue].redis.ring() }
    }
    while let index = servers[queue].waits.firstIndex(where: { !$0.call.isAtLimit }) {
      guard let took = try? servers[queue].redis.takeToken(), took else { break }
      endWait(servers[queue].waits.remove(at: index).call, refusal: nil)
    }
    remember(queue)
  }

  /// Keeps some of what Redis was, to go back to.
  private func remember(_ queue: Int) {
    if let last = servers[queue].past.last, now - last.at < 100_000 { return }
    servers[queue].past.append((now, servers[queue].redis.state))
  }

  func rollBack(_ queue: Int, to time: Time) {
    let past = servers[queue].past.last { $0.at <= time } ?? servers[queue].past.first
    guard let past else { return }
    say("  to what it was at \(Double(past.at) / 1e6)")
    servers[queue].redis.state = past.state
    servers[queue].past.removeAll { $0.at > past.at }
    books.rolledBack(queue, self)
    cutAll(queue)
  }

  private func execute(_ call: Call) -> QueueState.Event {
    let (queue, now) = (call.queue, redisTime(call.queue))
    let options = plan.options
    defer { books.check(queue, self) }
    do throws(RedisError) {
      switch call.action {
      case .join(let life):
        let older = try servers[queue].redis.join(life, lease: options.lease, now: now)
        return .joined(
          older: older,
          gone: older.filter { life in !workers.contains { $0.process == life.process && $0.isAlive } }
        )
      case .renew(let life, let lastClaim):
        return .renewed(try servers[queue].redis.renew(life, lease: options.lease, lastClaim: lastClaim, now: now))
      case .checkSafety: return .foundUnsafe([])
      case .turn(let turn):
        let settlements = turn.settling.map(\.settlement)
        books.willSettle(settlements, of: .own(turn.request.life), queue, self)
        let answer = try servers[queue].redis.turn(settling: settlements, claiming: turn.request, now: now)
        books.claimed(answer.claimed, queue, self)
        return .turned(
          .init(settled: answer.settled, refusal: answer.refusal, claimed: answer.claimed, jitter: jitter())
        )
      case .fence(let life, let isGone):
        return .fenced(try servers[queue].redis.fence(life, isGone: isGone, now: now))
      case .settle(let settlements, let holder):
        books.willSettle(settlements, of: holder, queue, self)
        return .settled(try servers[queue].redis.settle(settlements, of: holder, now: now))
      case .compare(let life, let known, let before):
        return .compared(try servers[queue].redis.reconcile(life, known: known, before: before))
      case .drop(let logged, let life):
        books.willDrop(logged)
        return .dropped(
          try servers[queue].redis.drop(logged, keeping: options.deadLetters, for: life, lease: options.lease, now: now)
        )
      case .count(let lost):
        servers[queue].redis.count(lost: lost)
        return .counted
      case .leave(let life): return .left(try servers[queue].redis.leave(life))
      default: fatalError("no call to Redis")
      }
    } catch {
      return .failed(error, jitter: jitter())
    }
  }

  // MARK: Producers

  func push(_ queue: Int, _ count: Int, _ push: Plan.Push) {
    if servers[queue].isAway { return }
    for _ in 0..<count {
      let (number, payload) = books.nextPayload(push)
      let history = MessageHistory(id: "m\(number)", crashes: push == .suspect ? plan.options.maxCrashes - 1 : 0)
      let sealed = SimulatedElement(history: history, payload: payload).sealed
      do throws(RedisError) {
        switch push {
        case .plain: try servers[queue].redis.lpush(payload)
        case .suspect: try servers[queue].redis.lpush(sealed)
        case .scheduled:
          let due = Duration.milliseconds(Int64.random(in: 1...5_000, using: &random))
          let message = OutgoingMessage(payload: sealed, due: .after(due))
          _ = try servers[queue].redis.enqueue([message], now: redisTime(queue))
        default:
          _ = try servers[queue].redis.enqueue([OutgoingMessage(payload: payload)], now: redisTime(queue))
        }
        note(activity: 1)
        books.accepted(number, queue)
      } catch {
        say("  refused: \(error.code.rawValue)")
      }
      serveBlocked(queue)
    }
    books.check(queue, self)
  }
}

extension World.Call {
  var isWait: Bool {
    switch action {
    case .wait, .askForRing: true
    default: false
    }
  }

  var isAtLimit: Bool { if case .wait(let wait) = action { wait.isAtLimit } else { false } }

  /// How its loop learns that it failed.
  func failure(_ error: RedisError, jitter: Double) -> QueueState.Event {
    switch action {
    case .wait: .heard(.failed(error))
    case .askForRing: .askedForRing(error)
    default: .failed(error, jitter: jitter)
    }
  }
}

extension QueueState.Action {
  /// In few words, for a history that is printed.
  var brief: String {
    switch self {
    case .turn(let turn):
      "turn settles \(turn.settling.map { "\($0.settlement.claimID) \($0.settlement.verb.name)" }) "
        + "claims \(turn.request.limit) from \(turn.request.firstNumber)"
    case .wait(let wait):
      "waits \(wait.timeout)\(wait.isBeside ? " beside" : "") "
        + (wait.claim.map { "claims \($0.limit) from \($0.firstNumber)" } ?? "")
    case .settle(let settlements, let holder):
      "settles \(settlements.map { "\($0.claimID) \($0.verb.name)" }) of \(holder.life.id)"
    case .join(let life): "joins as \(life.id)"
    case .renew(let life, _): "renews \(life.id)"
    case .fence(let life, let isGone): "fences \(life.id)\(isGone ? ", gone" : "")"
    case .compare(_, let known, let before): "compares \(known), before \(before)"
    case .drop(let letters, _): "drops \(letters.count)"
    case .leave(let life): "leaves \(life.id)"
    default: "\(self)"
    }
  }
}
