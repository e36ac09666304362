import Synchronization

/// Runs a job for each message, many at a time, in as few tasks as the jobs allow.
///
/// A lane is a task that takes one message after the other. As it takes one it opens the next lane, if more wait. So where
/// a job has to wait for its gateway, each message gets a lane, and all are under way at once; and where it does not, one
/// or two lanes finish a whole batch, and no task is made for each message.
///
///     add [a b c]    lane 1 takes a, opens lane 2    lane 2 takes b, opens lane 3 ...
///
/// A few messages that come alone are begun on the thread that adds them: to wake another one takes longer than to handle
/// them. What has to wait there goes on elsewhere.
///
/// Nothing bounds the lanes but the number of messages that are added: the worker claims no more than it may have in hand.
final class Lanes<Message: Sendable>: Sendable {
  private struct State {
    /// Waiting messages, the next one last.
    var waiting: [Message] = []
    /// Open lanes, by number; nil while one is being opened.
    var tasks: [Int: Task<Void, Never>?] = [:]
    var nextLane = 0
    var isCancelled = false

    mutating func newLane() -> Int {
      nextLane += 1
      tasks.updateValue(nil, forKey: nextLane)
      return nextLane
    }

    /// Keeps a lane's task for as long as it is open, to be cancelled.
    mutating func set(_ task: Task<Void, Never>, for lane: Int) {
      if isCancelled { task.cancel() }
      if tasks.keys.contains(lane) { tasks.updateValue(task, forKey: lane) }
    }
  }

  /// As many as are handled in the time that it takes to wake a thread, where none has to wait.
  private static var few: Int { 16 }

  private let state = Mutex(State())
  private let lowWater: Int
  private let runsLow: @Sendable () -> Void
  private let job: @Sendable (Message) async -> Void

  /// - Parameters:
  ///   - lowWater: when no more than so many messages wait to be begun, more are wanted.
  ///   - runsLow: called as their number falls to that.
  ///   - job: called once for each message, with its task cancelled after ``cancel()``.
  init(
    lowWater: Int,
    runsLow: @escaping @Sendable () -> Void,
    job: @escaping @Sendable (Message) async -> Void
  ) {
    self.lowWater = lowWater
    self.runsLow = runsLow
    self.job = job
  }

  /// More than `lowWater` messages wait: the cores have enough to do for now. Never where jobs only wait for a gateway,
  /// because then all are begun at once.
  var hasPlenty: Bool { state.withLock { $0.waiting.count > lowWater } }

  /// Takes messages on, to be started in this order.
  func add(_ messages: [Message]) {
    if messages.isEmpty { return }
    let beginHere = state.withLock { state in
      if state.waiting.isEmpty {
        state.waiting = messages.reversed()
        if messages.count <= Self.few { return true }
      } else {
        state.waiting.insert(contentsOf: messages.reversed(), at: 0)
      }
      let lane = state.newLane()
      state.set(Task { await run(lane, opensNext: true) }, for: lane)
      return false
    }
    if beginHere { while beginLane() {} }
  }

  /// Begins a lane on this thread, which takes message after message until one has to wait.
  ///
  /// - Returns: false when no message was left.
  private func beginLane() -> Bool {
    let lane = state.withLock { $0.waiting.isEmpty ? nil : $0.newLane() }
    guard let lane else { return false }
    let task = Task.immediate { await run(lane, opensNext: false) }
    state.withLock { $0.set(task, for: lane) }
    return true
  }

  /// Takes back what has not been begun, in the order in which it would have been.
  func takeWaiting() -> [Message] {
    state.withLock { state in
      defer { state.waiting = [] }
      return state.waiting.reversed()
    }
  }

  /// Cancels the tasks of all jobs, those that come later too.
  func cancel() {
    let tasks = state.withLock { state in
      state.isCancelled = true
      return state.tasks.values.compactMap(\.self)
    }
    for task in tasks { task.cancel() }
  }

  private func run(_ lane: Int, opensNext: Bool) async {
    // Opens a successor once: the successor opens the next one.
    var mayOpen = opensNext
    while true {
      var isLow = false
      let message = state.withLock { state -> Message? in
        guard let message = state.waiting.popLast() else {
          state.tasks[lane] = nil
          return nil
        }
        isLow = state.waiting.count == lowWater
        if mayOpen && !state.waiting.isEmpty {
          let next = state.newLane()
          state.set(Task { await run(next, opensNext: true) }, for: next)
        }
        mayOpen = false
        return message
      }
      guard let message else { return }
      if isLow { runsLow() }
      await job(message)
    }
  }
}
