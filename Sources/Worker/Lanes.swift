import Synchronization

/// Runs a job for each message, many at a time, in as few tasks as the jobs allow.
///
/// A lane is a task that takes one message after the other. As it takes one it opens the next lane, if more wait. So where
/// a job has to wait for its gateway, each message gets a lane, and all are under way at once; and where it does not, one
/// or two lanes finish a whole batch, and no task is made for each message.
///
///     add [a b c]    lane 1 takes a, opens lane 2    lane 2 takes b, opens lane 3 ...
///
/// Nothing bounds the lanes but the number of messages that are added: the worker claims no more than it may have in hand.
final class Lanes<Message: Sendable>: Sendable {
  private struct State {
    /// Waiting messages, the next one last.
    var waiting: [Message] = []
    /// Open lanes, by number.
    var tasks: [Int: Task<Void, Never>] = [:]
    var nextLane = 0
    var isCancelled = false
  }

  private let state = Mutex(State())
  private let job: @Sendable (Message) async -> Void

  /// - Parameter job: called once for each message, with its task cancelled after ``cancel()``.
  init(_ job: @escaping @Sendable (Message) async -> Void) { self.job = job }

  /// Takes messages on, to be started in this order.
  func add(_ messages: [Message]) {
    if messages.isEmpty { return }
    state.withLock { state in
      if state.waiting.isEmpty {
        state.waiting = messages.reversed()
      } else {
        state.waiting.insert(contentsOf: messages.reversed(), at: 0)
      }
      open(&state)
    }
  }

  /// Cancels the tasks of all jobs, those that come later too.
  func cancel() {
    let tasks = state.withLock { state in
      state.isCancelled = true
      return Array(state.tasks.values)
    }
    for task in tasks { task.cancel() }
  }

  private func open(_ state: inout State) {
    let lane = state.nextLane
    state.nextLane += 1
    let task = Task { await run(lane) }
    if state.isCancelled { task.cancel() }
    state.tasks[lane] = task
  }

  private func run(_ lane: Int) async {
    // Opens a successor once: the successor opens the next one.
    var mayOpen = true
    while true {
      let message = state.withLock { state -> Message? in
        guard let message = state.waiting.popLast() else {
          state.tasks[lane] = nil
          return nil
        }
        if mayOpen && !state.waiting.isEmpty { open(&state) }
        mayOpen = false
        return message
      }
      guard let message else { return }
      await job(message)
    }
  }
}
