import MessageQueue

/// How a worker comes to its end. A pure value; its queues share it.
package struct Stop: Sendable {
  /// How long an abort waits for handlers to give back what they have in hand, and for Redis to record it.
  static let abortTime = Duration.seconds(2)

  private var saidQuiet = false
  private var drainUntil: Instant?
  /// Nothing is waited for any longer.
  private(set) var abortUntil: Instant?
  /// A newer worker with this one's name.
  package private(set) var successor: WorkerLife?
  /// What it was told from outside; one that is superseded drains; and a drain ends.
  private(set) var phase = WorkerControl.Phase.running

  /// What comes before the end of the time for giving back: what is given back goes back in one turn until then.
  var gatherUntil: Instant? { abortUntil.map { $0 - Self.abortTime / 2 } }

  /// Whether all that is not done yet is left undone.
  func isOver(_ now: Instant) -> Bool { abortUntil.map { $0 <= now } ?? false }

  /// When time alone changes something; nil for never.
  func next(after now: Instant) -> Instant? {
    let moments = phase == .draining ? [drainUntil] : [gatherUntil, abortUntil]
    return moments.compactMap(\.self).filter { $0 > now }.min()
  }

  mutating func superseded(by life: WorkerLife) { successor = successor ?? life }

  /// Acts on a phase that is new: sets its clock.
  ///
  /// - Parameter told: what the worker was told from outside.
  /// - Returns: what is new.
  mutating func advance(to told: WorkerControl.Phase, drain: Duration, now: Instant) -> [WorkerControl.Phase] {
    // Nearly always.
    if told == .running && successor == nil { return [] }
    var news: [WorkerControl.Phase] = []
    phase = max(phase, successor == nil ? told : max(told, .draining))
    if phase == .quiet && !saidQuiet {
      saidQuiet = true
      news.append(.quiet)
    }
    if phase == .draining {
      if drainUntil == nil {
        drainUntil = now + drain
        news.append(.draining)
      }
      if let drainUntil, now >= drainUntil { phase = .aborting }
    }
    if phase == .aborting && abortUntil == nil {
      abortUntil = now + Self.abortTime
      news.append(.aborting)
    }
    return news
  }
}
