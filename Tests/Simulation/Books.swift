import MessageQueue
import RedisClient
import Worker

/// What the world knows of each message, to hold against what the workers make of it.
struct Books {
  struct Entry {
    let queue: Int
    /// How often a gateway took it.
    var sent = 0
    /// It may be taken once more: its worker went away, Redis forgot, nobody knows.
    var mayRepeat = false
    /// How often it was taken from a worker that lives, because Redis went back or a lease was over: whoever had it in hand may
    /// not know, and sends it as well.
    var taken = 0
    /// It need not be anywhere any more: refused and dropped, expired, or Redis forgot that it was pushed.
    var isDone = false
  }

  /// The first thing that was found wrong.
  var fault: String?
  private var entries: [Int: Entry] = [:]
  private(set) var pushed = 0
  /// Messages that must be sent by a time.
  private var dueBy: [Int: World.Time] = [:]
  /// Claims whose messages a gateway took.
  private var accepted: Set<String> = []
  /// Claims that have been handed out.
  private var claims: Set<String> = []
  /// The last message that was claimed for the first time, by queue: they go out in the order in which they came.
  private var lastClaimed: [Int: Int] = [:]
  private var checks = 0
  /// What may be claimed of a limited queue, and what was, since when the limit is as it is.
  private var limits: [Int: (limit: QueueLimit, since: World.Time, claimed: Int, extra: Double)] = [:]
  /// Queues whose Redis went back.
  private var wentBack: Set<Int> = []
  /// A lease may end though its worker is there.
  private var leasesMayEnd = false

  // MARK: Messages

  /// A payload is `m`, the message's number, and a letter for its kind; and filling, of a large one.
  mutating func nextPayload(_ push: Plan.Push) -> (Int, [UInt8]) {
    pushed += 1
    let kind =
      switch push {
      case .poison: "p";
      case .large: "l";
      default: "o"
      }
    let text = [UInt8]("m\(pushed)\(kind)".utf8)
    return (pushed, push == .large ? text + [UInt8](repeating: 120, count: 1_000) : text)
  }

  static func number(_ payload: some Sequence<UInt8>) -> Int {
    var number = 0
    for byte in payload.dropFirst() {
      guard (48...57).contains(byte) else { break }
      number = number * 10 + Int(byte - 48)
    }
    return number
  }

  static func kind(_ message: ClaimedMessage) -> Plan.Push {
    message.payload.last == UInt8(ascii: "p") ? .poison : .ours
  }

  mutating func accepted(_ number: Int, _ queue: Int) { entries[number] = Entry(queue: queue) }

  mutating func mustBeSent(_ number: Int, by time: World.Time) { dueBy[number] = time }

  // MARK: Events

  mutating func note(_ step: Plan.Step, at time: Plan.Time) {
    switch step {
    // Not where all workers are cut off: those that come back first give the others time.
    case .clock(let queue, let jump):
      leasesMayEnd = true
      // It may fill the bucket once more.
      limits[queue]?.extra += min(Double(max(0, jump)) / 1000, 3)
    case .pause, .rollBack: leasesMayEnd = true
    default: break
    }
  }

  mutating func note(_ note: QueueState.Note, _ worker: World.Worker, _ queue: Int, _ world: World) {
    switch note {
    case .leaseLost:
      if !leasesMayEnd && world.plan.losing == 0 { fault = "\(worker.process) lost its lease though nothing was wrong" }
      for held in worker.inHand.values where held.queue == queue { mayRepeat(held.message) }
    case .outcomeLost(let finished):
      if let number = claimNumbers[finished.settlement.claimID] { entries[number]?.mayRepeat = true }
    case .claimsMissing:
      if !wentBack.contains(queue) && !leasesMayEnd && world.plan.losing == 0 {
        fault = "\(worker.process) misses claims though nothing was wrong"
      }
    case .claimsUnknown:
      if !wentBack.contains(queue) && world.plan.losing == 0 {
        fault = "\(worker.process) does not know claims of its own"
      }
    default: break
    }
  }

  /// The messages of claims, by claim id.
  private var claimNumbers: [String: Int] = [:]

  /// Redis has answered a claim.
  mutating func claimed(_ answer: ClaimAnswer?, _ queue: Int, _ world: World) {
    checkLimit(answer, queue, world)
    for message in answer?.messages ?? [] where claims.insert(message.claimID).inserted {
      let number = Self.number(message.payload)
      claimNumbers[message.claimID] = number
      guard message.history.id == nil else { continue }
      if let last = lastClaimed[queue], last > number {
        fault = "m\(number) is claimed after m\(last), which came later"
      }
      lastClaimed[queue] = number
    }
  }

  /// A queue is limited, or is not any more.
  mutating func limited(_ queue: Int, _ limit: QueueLimit?, at time: World.Time) {
    limits[queue] = limit.map { ($0, time, 0, 0) }
  }

  private mutating func checkLimit(_ answer: ClaimAnswer?, _ queue: Int, _ world: World) {
    guard var limit = limits[queue], let answer else { return }
    let messages = answer.messages + answer.tooLarge
    limit.claimed += messages.count { !claims.contains($0.claimID) }
    for message in answer.tooLarge { claims.insert(message.claimID) }
    limits[queue] = limit
    let rate = Double(limit.limit.rate.count) / (limit.limit.rate.per / .seconds(1))
    // A tenth of a second's worth, and one that is late, for the beginning, and for each time that the clock goes forth.
    let most = (Double(world.now - limit.since) / 1e6) * rate + (1 + limit.extra) * max(2, rate / 10 + 1)
    if Double(limit.claimed) > most { fault = "\(limit.claimed) are claimed, and the limit allows \(most)" }
  }

  /// A handler begins with a message.
  mutating func started(_ message: ClaimedMessage, _ worker: World.Worker, _ queue: Int, _ world: World) {
    let others = worker.inHand.count
    if others >= world.plan.options.concurrency { fault = "\(worker.process) has more in hand than it may" }
    let suspectAfter = max(1, world.plan.options.maxCrashes - 1)
    if others > 0, message.history.crashes >= suspectAfter {
      fault = "a suspect joins others in the hand of \(worker.process)"
    }
    if worker.inHand.values.contains(where: { $0.message.history.crashes >= suspectAfter }) {
      fault = "m\(Self.number(message.payload)) joins a suspect in the hand of \(worker.process)"
    }
  }

  /// A gateway takes a message.
  mutating func sent(_ message: ClaimedMessage, _ world: World) {
    let number = Self.number(message.payload)
    accepted.insert(message.claimID)
    guard var entry = entries[number] else { return fault = "m\(number) was never pushed" }
    if entry.sent > 0 && !entry.mayRepeat {
      if entry.taken == 0 { fault = "m\(number) is sent again" }
      entry.taken -= 1
    }
    entry.sent += 1
    entry.mayRepeat = false
    entries[number] = entry
    if let time = dueBy.removeValue(forKey: number), world.now > time { fault = "m\(number) is found late" }
    world.say("  m\(number) is sent as \(message.claimID)")
  }

  mutating func mayRepeat(_ message: ClaimedMessage) { entries[Self.number(message.payload)]?.mayRepeat = true }

  func sent(ofQueue queue: Int) -> Int { entries.values.count { $0.queue == queue && $0.sent > 0 } }

  /// Settlements are about to be carried out.
  mutating func willSettle(_ settlements: [Settlement], of holder: ClaimHolder, _ queue: Int, _ world: World) {
    let redis = world.servers[queue].redis
    guard let life = redis.state.lives.first(where: { $0.life.id == holder.life.id }) else { return }
    for settlement in settlements {
      guard let number = holder.life.number(ofClaim: settlement.claimID),
        let claim = life.claims.first(where: { $0.number == number })
      else { continue }
      let message = Self.number(claim.element.payload)
      switch (settlement.verb, holder) {
      case (.sent, .own):
        if !accepted.contains(settlement.claimID) { fault = "\(settlement.claimID) is settled as sent, and was not" }
      case (.expired, _): entries[message]?.isDone = true
      case (_, .fenced):
        if life.leaseEnd == 0 { tookOver(message, holder.life, world) }
      case (_, .lost):
        if !wentBack.contains(queue) && world.plan.losing == 0 { fault = "m\(message) is taken for lost" }
        if world.workers.contains(where: { $0.isAlive && $0.inHand[settlement.claimID] != nil }) {
          fault = "m\(message) is taken for lost, and is in hand"
        }
        entries[message]?.mayRepeat = true
      default: break
      }
    }
  }

  private mutating func tookOver(_ message: Int, _ life: WorkerLife, _ world: World) {
    let isThere = world.workers.contains { $0.isAlive && !$0.isStopped && $0.process == life.process }
    if isThere && !leasesMayEnd && world.plan.losing == 0 {
      fault = "m\(message) is taken from \(life.id), which is well"
    }
    entries[message]?.mayRepeat = true
    if world.workers.contains(where: { $0.isAlive && $0.process == life.process }) { entries[message]?.taken += 1 }
  }

  mutating func willDrop(_ letters: [[UInt8]]) {
    for letter in letters { entries[Self.number(Element(letter).payload)]?.isDone = true }
  }

  /// Redis is what it was before.
  mutating func rolledBack(_ queue: Int, _ world: World) {
    wentBack.insert(queue)
    // What it had let through is forgotten, and perhaps the limit.
    limits[queue] = world.servers[queue].redis.state.limit.map { ($0.limit, world.now, 0, 1) }
    lastClaimed[queue] = nil
    let here = Set(world.servers[queue].redis.state.numbers)
    for (number, entry) in entries where entry.queue == queue {
      if here.contains(number) {
        entries[number]?.taken += 1
        entries[number]?.isDone = false
      } else if entry.sent == 0 {
        entries[number]?.isDone = true
      }
    }
  }

  mutating func ended(_ worker: World.Worker, _ queue: Int, unfinished: Int, _ world: World) {
    guard unfinished == 0, world.plan.losing == 0, !leasesMayEnd else { return }
    for life in world.servers[queue].redis.state.lives where life.life.process == worker.process && !life.claims.isEmpty
    {
      fault = "\(worker.process) ends clean and leaves \(life.claims.count) claims"
    }
  }

  // MARK: Checks

  /// What must hold after each call.
  mutating func check(_ queue: Int, _ world: World) {
    checks += 1
    guard checks % 32 == 0 else { return }
    checkPlaces(queue, world)
  }

  private mutating func checkPlaces(_ queue: Int, _ world: World) {
    let numbers = world.servers[queue].redis.state.numbers
    let places = Set(numbers)
    if places.count < numbers.count {
      let twice = Dictionary(grouping: numbers) { $0 }.filter { $0.value.count > 1 }.keys.sorted()
      fault = "in two places: \(twice.map { "m\($0)" })"
    }
    for (number, entry) in entries
    where entry.queue == queue && entry.sent == 0 && !entry.isDone && !places.contains(number) {
      fault = "m\(number) is nowhere"
    }
  }

  /// What must hold at the end.
  mutating func close(_ world: World) -> String? {
    for queue in world.servers.indices {
      checkPlaces(queue, world)
      let state = world.servers[queue].redis.state
      let claims = state.lives.reduce(0) { $0 + $1.claims.count }
      if !state.waiting.isEmpty || state.later.count > 0 || claims > 0 {
        fault =
          fault
          ?? "q\(queue) is not done: \(state.waiting.count) wait, \(state.later.count) are scheduled, \(claims) claimed"
      }
    }
    return fault
  }
}

extension SimulatedRedis.State {
  /// The numbers of all messages that are here, once for each place.
  var numbers: [Int] {
    var numbers = waiting.map { Books.number($0.payload) }
    numbers += later.members.map { Books.number($0.element.payload) }
    numbers += dead.members.map { Books.number($0.element.payload) }
    for life in lives { numbers += life.claims.map { Books.number($0.element.payload) } }
    return numbers
  }
}
