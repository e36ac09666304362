import Glibc

/// A moment by the clock of `ContinuousClock`, which cannot jump, and which runs while the process or the machine is stopped.
///
/// The size of a `ContinuousClock.Instant` is known to Swift's runtime alone. A structure that holds one is copied, compared and
/// destroyed by calls to the runtime, field by field, and all that a worker decides stands in such structures. The size of this
/// one is known to the compiler: see decision 0037.
package struct Instant: Hashable, Comparable, Sendable {
  /// Since the clock's beginning.
  private let time: Duration

  package static var now: Instant {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return Instant(time: .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec))
  }

  package static func < (a: Instant, b: Instant) -> Bool { a.time < b.time }

  package static func + (a: Instant, b: Duration) -> Instant { Instant(time: a.time + b) }
  package static func - (a: Instant, b: Duration) -> Instant { Instant(time: a.time - b) }
  package static func += (a: inout Instant, b: Duration) { a = a + b }
  package static func - (a: Instant, b: Instant) -> Duration { a.time - b.time }
}

extension Task where Success == Never, Failure == Never {
  /// Sleeps until then, unless the task is cancelled.
  static func sleep(until end: Instant) async throws { try await sleep(for: end - Instant.now, clock: .continuous) }
}
