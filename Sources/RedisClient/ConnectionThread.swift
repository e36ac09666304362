import CLinux
import Dispatch
import Glibc
import Synchronization

/// One named thread that runs one actor's jobs, one after the other.
///
/// hiredis blocks. A blocking call on Swift's cooperative pool, which has as many threads as the machine has cores, stalls
/// every other task, so each ``RedisConnection`` gets a thread of its own.
///
/// Also an executor for tasks that wish to stay on this thread: the Swift runtime resumes a continuation on its pool, from
/// where the task moves on to its actor, unless the task prefers another executor.
final class ConnectionThread: SerialExecutor, TaskExecutor {
  private struct State {
    var jobs: [UnownedJob] = []
    var stopped = false
  }

  private let state = Mutex(State())
  /// Counts, so that a job that comes before the wait is not missed.
  private let wakeUps = DispatchSemaphore(value: 0)

  /// - Parameter name: shown by `top -H` and debuggers; Linux keeps the first 15 bytes.
  init(name: String) {
    // The thread holds this object until its loop ends: an executor must outlive the last job of its actor.
    let code = clinux_start_thread(
      name,
      { Unmanaged<ConnectionThread>.fromOpaque($0!).takeRetainedValue().loop() },
      Unmanaged.passRetained(self).toOpaque()
    )
    precondition(code == 0, "the system refused a thread (\(code)); raise the process limit (ulimit -u)")
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    // The job may be the actor's deinit, and be done before the next line: then the thread has ended, and only this holds it.
    let own = Unmanaged.passRetained(self)
    defer { own.release() }
    state.withLock { $0.jobs.append(job) }
    wakeUps.signal()
  }

  func asUnownedSerialExecutor() -> UnownedSerialExecutor {
    UnownedSerialExecutor(ordinary: self)
  }

  /// Ends the thread when the jobs at hand are done. Called by the actor's deinit: no job can come after it.
  func stop() {
    state.withLock { $0.stopped = true }
    wakeUps.signal()
  }

  private func loop() {
    while true {
      let (jobs, stopped) = state.withLock { state in
        defer { state.jobs.removeAll(keepingCapacity: true) }
        return (state.jobs, state.stopped)
      }
      for job in jobs {
        job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
      }
      if jobs.isEmpty {
        if stopped { return }
        wakeUps.wait()
      }
    }
  }
}
