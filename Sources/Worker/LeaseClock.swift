import Synchronization

/// Until when this worker may start what one of its lives has claimed, by a clock that cannot jump and that runs while the
/// process is stopped. Each life has one of its own: a message of the last life must not start because the next one has a lease.
///
/// Written by the queue's loop, as ``QueueState/leaseEnd`` says; read by handlers just before they start.
final class LeaseClock: Sendable {
  private let end = Mutex<Instant?>(nil)

  func set(_ end: Instant?) { self.end.withLock { $0 = end } }

  var holds: Bool { end.withLock { end in end.map { Instant.now < $0 } ?? false } }
}
