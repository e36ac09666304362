import MessageQueue
import Simulation
import TestSupport

/// Draws calls as workers make them that crash, stall, forget, repeat themselves and are late.
struct CallGenerator {
  private struct Worker {
    var life: WorkerLife
    var nextNumber = 0
    var hand: [ClaimedMessage] = []
    /// Dead letters that it was handed, and has logged.
    var logged: [[UInt8]] = []
  }

  private var workers: [Worker] = []
  private var known: [WorkerLife] = []
  private var earlier: [Call] = []
  /// What was handed out to be settled: claims of fenced lives, and lost ones.
  private var handedOut: [(ClaimHolder, [ClaimedMessage])] = []
  private var pushed = 0

  private static let leases = [Duration.seconds(10), .milliseconds(9_999), .seconds(60), .seconds(1800)]

  mutating func next(
    in state: SimulatedRedis.State,
    at now: Int64,
    using generator: inout SeededGenerator
  ) -> Call {
    if workers.isEmpty { for index in 0..<4 { workers.append(Worker(life: newLife(index, &generator))) } }
    if Int.random(in: 0..<16, using: &generator) == 0, let late = earlier.randomElement(using: &generator) {
      return late
    }
    let call = draw(state, now, &generator)
    earlier.append(call)
    if earlier.count > 40 { earlier.removeFirst() }
    return call
  }

  mutating func note(_ answer: Answer, to call: Call) {
    switch (call, answer) {
    case (.claim(let request), .claimed(let claimed?)), (.turn(_, let request), .turned(_, _, let claimed?)):
      guard let index = workers.firstIndex(where: { $0.life == request.life }) else { return }
      workers[index].nextNumber = max(workers[index].nextNumber, claimed.nextNumber)
      let held = Set(workers[index].hand.map(\.claimID))
      workers[index].hand += (claimed.messages + claimed.tooLarge).filter { !held.contains($0.claimID) }
    case (.fence(let life, _, _, _), .fenced(let fenced?)):
      if !fenced.claims.isEmpty { handedOut.append((.fenced(life), fenced.claims)) }
    case (.reconcile(let life, _, _, _, _), .reconciled(let answer?)):
      if !answer.lost.isEmpty { handedOut.append((.lost(life), answer.lost)) }
    case (.drop(_, _, let life), .letters(let letters)):
      guard let index = workers.firstIndex(where: { $0.life == life }) else { return }
      workers[index].logged = letters ?? []
    default:
      break
    }
  }

  private mutating func draw(_ state: SimulatedRedis.State, _ now: Int64, _ generator: inout SeededGenerator) -> Call {
    let index = Int.random(in: workers.indices, using: &generator)
    let life = workers[index].life
    // A worker that cannot claim is of little use: most register before anything else, and most pauses are short.
    let isRegistered = state.lives.contains { $0.life == life && $0.isRegistered && $0.leaseEnd! > now }
    if !isRegistered && Int.random(in: 0..<3, using: &generator) > 0 { return join(index, &generator) }
    if state.limit != nil && Int.random(in: 0..<12, using: &generator) == 0 { return .limit(nil) }
    if state.isPaused && Int.random(in: 0..<4, using: &generator) == 0 { return .resume }
    switch Int.random(in: 0..<71, using: &generator) {
    case 0..<6: return .lpush(payload(&generator))
    case 6..<12: return enqueue(state, now, &generator)
    case 12..<20: return .claim(request(index, state, &generator))
    case 20..<30: return .turn(settlements(index, &generator), request(index, state, &generator))
    case 30..<33:
      let holder: ClaimHolder = Bool.random(using: &generator) ? .own(life) : .lost(life)
      return .settle(settlements(index, &generator), of: holder)
    case 33..<34: return join(index, &generator)
    case 34..<43:
      let lastClaim = [nil, Duration.zero, .milliseconds(1_234)].randomElement(using: &generator)!
      return .renew(life, lease: Self.leases.randomElement(using: &generator)!, lastClaim: lastClaim)
    case 43: return .leave(known.randomElement(using: &generator)!)
    case 44..<47:
      return .fence(
        known.suffix(8).randomElement(using: &generator)!,
        isGone: Bool.random(using: &generator),
        limit: [0, 1, 1, 2, 3, 500].randomElement(using: &generator)!,
        mostBytes: mostBytes(&generator)
      )
    case 47..<50: return settleHandedOut(&generator) ?? .takeToken
    case 50..<53:
      let hand = workers[index].hand.filter { _ in Int.random(in: 0..<3, using: &generator) > 0 }
      return .reconcile(
        life,
        known: hand.compactMap { life.number(ofClaim: $0.claimID) },
        before: [.max, workers[index].nextNumber, 2].randomElement(using: &generator)!,
        limit: [1, 2, 500].randomElement(using: &generator)!,
        mostBytes: mostBytes(&generator)
      )
    case 53..<57:
      let bounds = DeadLetterBounds(
        count: [nil, 1, 3].randomElement(using: &generator)!,
        age: [nil, .seconds(5), .seconds(1000)].randomElement(using: &generator)!
      )
      let logged = Bool.random(using: &generator) ? workers[index].logged : []
      return .drop(logged, keeping: bounds, for: life)
    case 57: return .revive(someDead(state, &generator))
    case 58: return .remove(someDead(state, &generator))
    case 59: return .countLost(2)
    case 60: return .pause
    case 61: return .resume
    case 62: return .takeToken
    case 63...64: return reshard(state, &generator)
    case 67:
      let rate = Rate(
        [1, 3, 7, 100, 5000].randomElement(using: &generator)!,
        per: [.seconds(1), .seconds(60), .milliseconds(1)].randomElement(using: &generator)!
      )
      return .limit(QueueLimit(rate, parts: [1, 3].randomElement(using: &generator)!))
    case 65...66: return .raise(spread(near: state.spread, &generator))
    case 68...69: return .take(someToTake(state, &generator))
    default: return .ringAtPush
    }
  }

  private mutating func join(_ index: Int, _ generator: inout SeededGenerator) -> Call {
    if Int.random(in: 0..<3, using: &generator) == 0 { workers[index] = Worker(life: newLife(index, &generator)) }
    return .join(workers[index].life, lease: Self.leases.randomElement(using: &generator)!)
  }

  private mutating func newLife(_ index: Int, _ generator: inout SeededGenerator) -> WorkerLife {
    let epoch = String(String(UInt64.random(in: 0...(.max), using: &generator) | 1 << 63, radix: 16).prefix(16))
    let process = Bool.random(using: &generator) ? "@p.\(index)" : ""
    // Two of one name.
    let life = WorkerLife(id: "w\(index % 3)\(process)@\(epoch)")!
    known.append(life)
    return life
  }

  /// Of sizes around the bounds; some look like headers, some are envelopes of messages that were in crashes.
  private mutating func payload(_ generator: inout SeededGenerator) -> [UInt8] {
    pushed += 1
    let text = "m\(pushed)"
    switch Int.random(in: 0..<20, using: &generator) {
    case 0...1: return []
    case 2:
      return Bool.random(using: &generator)
        ? Array("smsq1 {oops".utf8) : Array("smsq1 {oops\n\(text)".utf8) + filling(50...60, &generator)
    case 3...6:
      let history = MessageHistory(
        id: "x\(pushed)",
        failures: .random(in: 0...11, using: &generator),
        crashes: .random(in: 0...3, using: &generator)
      )
      return Element(history: history, payload: Array(text.utf8) + filling(0...60, &generator)).sealed
    // Few: in a debug build each of their bytes is compared by a call.
    case 7 where pushed.isMultiple(of: 4): return Array(text.utf8) + filling(16_380...16_386, &generator)
    case 8 where pushed.isMultiple(of: 4): return Array(text.utf8) + filling(4_090...4_100, &generator)
    default: return Array(text.utf8) + filling(0...60, &generator)
    }
  }

  private func filling(_ count: ClosedRange<Int>, _ generator: inout SeededGenerator) -> [UInt8] {
    Array(repeating: UInt8(ascii: "x"), count: .random(in: count, using: &generator))
  }

  private mutating func enqueue(
    _ state: SimulatedRedis.State,
    _ now: Int64,
    _ generator: inout SeededGenerator
  ) -> Call {
    let messages = (0..<Int.random(in: 1...6, using: &generator)).map { _ in
      let due: OutgoingMessage.Due =
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: .after(.zero)
        case 1: .after(.milliseconds(.random(in: 1...3_000, using: &generator)))
        case 2: .at(now + .random(in: -2...2, using: &generator))
        default: .now
        }
      var payload = payload(&generator)
      if due != .now, Element(payload).history.id == nil {
        payload = Element(history: MessageHistory(id: "s\(pushed)"), payload: payload).sealed
      }
      return OutgoingMessage(payload: payload, due: due)
    }
    let spread = Int.random(in: 0..<8, using: &generator) == 0 ? spread(near: state.spread, &generator) : state.spread
    return .enqueue(messages, maxWaiting: Bool.random(using: &generator) ? 0 : 12, spread)
  }

  /// As it is, as it was, or as it may be.
  private func spread(near known: Spread, _ generator: inout SeededGenerator) -> Spread {
    let generation = known.generation + Int.random(in: -1...1, using: &generator)
    return generation < 1
      ? .unsharded : Spread(generation: generation, shards: [1, 1, 2, 8].randomElement(using: &generator)!)
  }

  private func reshard(_ state: SimulatedRedis.State, _ generator: inout SeededGenerator) -> Call {
    let isKnown = Int.random(in: 0..<4, using: &generator) > 0
    let known = ShardNumbers(
      served: state.served ?? 1,
      spread: isKnown ? state.spread : spread(near: state.spread, &generator)
    )
    let shards = [1, 2, 8].randomElement(using: &generator)!
    let spread = Bool.random(using: &generator) ? known.spread : known.spread.changed(to: shards)
    return .reshard(from: known, to: ShardNumbers(served: max(spread.shards, shards), spread: spread))
  }

  private func request(
    _ index: Int,
    _ state: SimulatedRedis.State,
    _ generator: inout SeededGenerator
  ) -> ClaimRequest {
    let worker = workers[index]
    // Now and then just as many bytes as the next ones have.
    let nextOnes = state.waiting.suffix(.random(in: 1...6, using: &generator)).reduce(0) { $0 + $1.byteCount }
    let mostBytes = Int.random(in: 0..<3, using: &generator) == 0 ? max(1, nextOnes) : mostBytes(&generator)
    var number = worker.nextNumber
    // One that comes late, or from a worker that does not know what it was given.
    if Int.random(in: 0..<8, using: &generator) == 0 { number = .random(in: 0...(number + 2), using: &generator) }
    return ClaimRequest(
      life: worker.life,
      firstNumber: number,
      limit: [0, 1, 2, 3, 6, 500].randomElement(using: &generator)!,
      suspectAfter: 2,
      isEmptyHanded: Bool.random(using: &generator),
      maxPayload: [60, 4_096, 262_144].randomElement(using: &generator)!,
      mostBytes: mostBytes,
      untriedFirst: Bool.random(using: &generator),
      notesTime: Bool.random(using: &generator)
    )
  }

  private func mostBytes(_ generator: inout SeededGenerator) -> Int {
    switch Int.random(in: 0..<3, using: &generator) {
    case 0: .random(in: 1...300, using: &generator)
    case 1: .random(in: 4_000...20_000, using: &generator)
    default: MessageQueue.mostBytesPerCall
    }
  }

  private mutating func settlements(_ index: Int, _ generator: inout SeededGenerator) -> [Settlement] {
    workers[index].hand.shuffle(using: &generator)
    // A few, or nearly all.
    let held = workers[index].hand.count
    let count =
      Int.random(in: 0..<4, using: &generator) == 0
      ? max(0, held - 2) : .random(in: 0...min(5, held), using: &generator)
    let settled = workers[index].hand.prefix(count)
    // Now and then it forgets that it has asked.
    if Int.random(in: 0..<6, using: &generator) > 0 { workers[index].hand.removeFirst(count) }
    return settled.map { settlement(of: $0, &generator) }
  }

  private func settlement(of message: ClaimedMessage, _ generator: inout SeededGenerator) -> Settlement {
    let crashes = Int.random(in: 0...1, using: &generator)
    let reason = ["why", "naïve \"/\\\u{1}"].randomElement(using: &generator)!
    let verb: Settlement.Verb =
      switch Int.random(in: 0..<9, using: &generator) {
      case 0...1: .sent
      case 8: .later(message.element(), at: 1_800_000_000_000 + .random(in: 0...3, using: &generator))
      case 2: .expired
      case 7:
        .ended(
          MessageEnd(
            [.sent, .expired].randomElement(using: &generator)!,
            attempts: 1 + crashes,
            parts: 1,
            providerID: reason
          ),
          id: message.assignedID,
          // Longer than any walk takes.
          keptFor: .seconds(3600)
        )
      case 3:
        .retry(message.element(failures: 1), after: .milliseconds([0, 1, 700].randomElement(using: &generator)!))
      case 4...5: .dead(message.element(crashes: crashes, reason: reason))
      default: .back(message.element(crashes: crashes))
      }
    return Settlement(claimID: message.claimID, verb)
  }

  private mutating func settleHandedOut(_ generator: inout SeededGenerator) -> Call? {
    guard let index = handedOut.indices.randomElement(using: &generator) else { return nil }
    let (holder, claims) = handedOut[index]
    if Bool.random(using: &generator) { handedOut.remove(at: index) }
    return .settle(claims.map { settlement(of: $0, &generator) }, of: holder)
  }

  /// One or two of them, and now and then one that is not there.
  private func someDead(_ state: SimulatedRedis.State, _ generator: inout SeededGenerator) -> [[UInt8]] {
    var letters = state.dead.members.shuffled(using: &generator).prefix(2).map(\.element.sealed)
    if Bool.random(using: &generator) { letters.append(Array("gone".utf8)) }
    return letters
  }

  /// A few that wait or are scheduled, found where they are or where they were a few pushes ago, and now and then one that is gone.
  private func someToTake(_ state: SimulatedRedis.State, _ generator: inout SeededGenerator) -> [Taking] {
    var messages: [Taking] = []
    if let later = state.later.members.randomElement(using: &generator) {
      messages.append(Taking(later.element.sealed, at: .later))
    }
    for _ in 0..<2 {
      guard let place = state.waiting.indices.randomElement(using: &generator) else { break }
      let newer = max(0, place - Int.random(in: 0...3, using: &generator))
      messages.append(Taking(state.waiting[place].sealed, at: .list(newer: newer)))
    }
    if let oldest = state.waiting.last { messages.append(Taking(oldest.sealed, at: .oldest)) }
    if Bool.random(using: &generator) { messages.append(Taking(Array("gone".utf8), at: .list(newer: 0))) }
    return messages
  }
}
