import MessageQueue
import TestSupport
import Worker

/// What happens in one history, drawn from a seed: who works, what is pushed, what goes wrong and when. A plan can be carried out
/// again, whole or in part.
package struct Plan: Sendable {
  /// Microseconds since the beginning of the history.
  package typealias Time = Int64

  package enum Step: Sendable, Equatable {
    case push(queue: Int, count: Int, Push)
    /// SIGKILL; a new process with the same name, or another, comes after a while.
    case kill(worker: Int, back: Time, isRenamed: Bool)
    /// SIGSTOP, and SIGCONT after a while.
    case pause(worker: Int, Time)
    /// SIGTERM, so many times; a new process comes after a while.
    case stop(worker: Int, signals: Int, back: Time)
    /// SIGTSTP: claims no more. A new process comes after a while.
    case quiet(worker: Int, back: Time)
    /// A second worker with the same name is started while the first one runs.
    case double(worker: Int)
    /// The queue's Redis does not answer.
    case outage(queue: Int, Time)
    /// The server is there, but all connections are cut.
    case cut(queue: Int)
    case full(queue: Int, Time)
    case readOnly(queue: Int, Time)
    case refuse(queue: Int, Key, Time)
    /// The queue's Redis goes back to what it was so long ago.
    case rollBack(queue: Int, Time)
    /// Redis' clock jumps by so many milliseconds.
    case clock(queue: Int, Int64)
    case hold(queue: Int, Time)
    /// No more than so many messages a second may be claimed for a while, by all workers together.
    case limit(queue: Int, Int, Time)
    /// The gateway of a worker takes nothing for a while.
    case throttle(worker: Int, Time)
  }

  package enum Push: Sendable, CaseIterable {
    /// `smsq push`, which rings.
    case ours
    /// A plain LPUSH.
    case plain
    case scheduled
    /// Has been in the hands of workers that crashed.
    case suspect
    /// Kills its worker.
    case poison
    case large
  }

  package enum Key: Sendable, CaseIterable {
    case list, wake, later, dead, stats, workers, turns, health, dropping, claimed, limit
  }

  package var seed: UInt64
  package var queues: Int
  /// They are shards of one queue: none of them goes before the others.
  package var areShards = false
  package var workers: Int
  package var options: WorkerOptions
  /// A message takes up to so long at its gateway.
  package var slowest: Time
  /// Of a thousand messages so many fail for now, are refused, get no answer.
  package var failing: Int
  /// Of a thousand calls to Redis so many go wrong while things go wrong.
  package var losing: Int
  package var steps: [(at: Time, step: Step)]
  /// When nothing goes wrong any more.
  package var calmAt: Time

  /// A Redis goes back to an earlier moment. No call may be late then: see docs/reliability.md.
  var goesBack: Bool { steps.contains { if case .rollBack = $0.step { true } else { false } } }

  package static func second(_ count: Double) -> Time { Time(count * 1_000_000) }

  package init(seed: UInt64) {
    self.seed = seed
    var random = SeededGenerator(seed: seed)
    func draw(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    func time(_ range: ClosedRange<Double>) -> Time { Self.second(Double.random(in: range, using: &random)) }
    func oneOf(_ count: Int) -> Bool { draw(1...count) == 1 }

    queues = oneOf(4) ? 2 : 1
    workers = draw(1...3)
    var options = WorkerOptions(name: "")
    options.concurrency = [1, 2, 5, 20].randomElement(using: &random)!
    options.lease = .seconds([2, 10].randomElement(using: &random)!)
    options.wakeTimeout = .milliseconds([250, 2000].randomElement(using: &random)!)
    options.drain = .seconds([1, 30].randomElement(using: &random)!)
    options.maxAttempts = draw(1...4)
    options.maxCrashes = draw(2...4)
    options.backoff = Backoff(base: .milliseconds(100), max: .seconds(2))
    options.afterCrash = oneOf(5) ? .hold : .resend
    options.onUnknown = oneOf(5) ? .hold : .resend
    options.maxPayload = 1000
    options.deadLetters = DeadLetterBounds(count: oneOf(3) ? 3 : nil, age: nil)
    self.options = options
    slowest = [0, 1_000, 50_000, 3_000_000].randomElement(using: &random)!
    failing = [0, 0, 100, 400].randomElement(using: &random)!
    losing = [0, 0, 20, 100].randomElement(using: &random)!
    calmAt = time(2...12)

    steps = []
    for _ in 0..<draw(1...8) {
      let push = oneOf(3) ? Push.allCases.randomElement(using: &random)! : oneOf(2) ? .ours : .plain
      let count = push == .poison || push == .suspect ? 1 : oneOf(4) ? draw(1...60) : draw(1...5)
      let at = Time.random(in: 0...calmAt, using: &random)
      steps.append((at, .push(queue: draw(0...queues - 1), count: count, push)))
    }
    for _ in 0..<(oneOf(5) ? 0 : draw(1...5)) {
      let (queue, worker) = (draw(0...queues - 1), draw(0...workers - 1))
      let step: Step =
        switch draw(0...15) {
        case 0, 1: .kill(worker: worker, back: time(0...5), isRenamed: oneOf(2))
        case 2: .pause(worker: worker, time(0...15))
        case 3: .stop(worker: worker, signals: draw(1...2), back: time(0...5))
        case 4: .quiet(worker: worker, back: time(1...5))
        case 5: .double(worker: worker)
        case 6: .outage(queue: queue, time(0...12))
        case 7: .cut(queue: queue)
        case 8: .full(queue: queue, time(0...5))
        case 9: .readOnly(queue: queue, time(0...5))
        case 10: .refuse(queue: queue, Key.allCases.randomElement(using: &random)!, time(0...5))
        case 11, 12: .rollBack(queue: queue, time(0...4))
        case 13: .clock(queue: queue, Int64(draw(-3_600_000...3_600_000)))
        case 14: .hold(queue: queue, time(0...5))
        default: .throttle(worker: worker, time(0...5))
        }
      steps.append((Time.random(in: 0...calmAt, using: &random), step))
    }
    if oneOf(4) {
      let at = Time.random(in: 0...calmAt, using: &random)
      let rate = [1, 3, 10, 100].randomElement(using: &random)!
      steps.append((at, .limit(queue: draw(0...queues - 1), rate, time(0.5...8))))
    }
    steps.sort { $0.at < $1.at }
    areShards = queues > 1 && oneOf(2)
  }
}
