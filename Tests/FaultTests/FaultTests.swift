import Testing

/// Tries to break the promise of docs/reliability.md: nothing is lost, and twice only after a crash.
///
/// The real binary, a real redis-server, real signals. One after the other, because most of them load the machine, and
/// because what they wait for (a lease that ends, a time-out) must not come from that load.
@Suite("Faults", .serialized)
struct FaultTests {}
