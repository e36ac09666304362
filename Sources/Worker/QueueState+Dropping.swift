import MessageQueue

// Dead letters over their bounds: first into the log, then out of Redis. A crash in between has them logged twice; in the
// other order it would lose them.
extension QueueState {
  struct Dropping {
    /// Something was buried, or a while has passed: there may be more dead letters than the bounds allow.
    var mayHaveSurplus = false
    /// Letters over the bounds that are to be logged.
    fileprivate var toLog: [[UInt8]] = []
    /// They are being logged.
    fileprivate var isWriting = false
    /// Letters over the bounds that are in the log, and are to be removed.
    fileprivate var logged: [[UInt8]] = []
    /// The last attempt has not found that there are no more: it is to go on, or has failed.
    fileprivate(set) var isUnderWay = false
    /// Before this, no dead letter is dropped.
    fileprivate(set) var notBefore: Instant?

    /// - Parameters:
    ///   - surplus: letters over the bounds; nil when another worker is at it.
    ///   - notBefore: when to try again, if so.
    mutating func dropped(_ surplus: [[UInt8]]?, notBefore: Instant) {
      logged = []
      toLog = surplus ?? []
      if surplus?.isEmpty == true { (mayHaveSurplus, isUnderWay) = (false, false) }
      if surplus == nil { (self.notBefore, isUnderWay) = (notBefore, false) }
    }

    /// - Parameters:
    ///   - count: how many of the letters are in the log. The others were not said, or may be said again.
    ///   - notBefore: when to try again if none are: this worker has no log to write to, and another may have.
    mutating func wroteOut(_ count: Int, notBefore: Instant) {
      logged = Array(toLog.prefix(count))
      toLog = []
      isWriting = false
      if logged.isEmpty { (self.notBefore, isUnderWay) = (notBefore, false) }
    }
  }

  /// To be told of what is about to be settled, whether or not an answer comes: a death may make too many dead letters.
  mutating func noteBurials(_ settling: [Finished]) {
    for index in settling.indices {
      if case .dead = settling[index].settlement.verb { dropping.mayHaveSurplus = true }
    }
  }

  /// Logs some of the dead letters over the bounds, and removes those that are in the log. Some, because a bound that was
  /// lowered by a hundred thousand must not hold up the lease, nor what is pushed.
  mutating func drop(_ now: Instant) -> Action? {
    guard let life = lease.life, lease.isRegistered, !dropping.isWriting else { return nil }
    if !dropping.toLog.isEmpty {
      dropping.isWriting = true
      return .writeOut(dropping.toLog, until: lease.renewAt ?? now)
    }
    guard dropping.mayHaveSurplus, options.deadLetters.areSet, dropping.notBefore.map({ now >= $0 }) ?? true
    else { return nil }
    dropping.isUnderWay = true
    return .drop(dropping.logged, life)
  }
}
