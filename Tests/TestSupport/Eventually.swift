/// A condition did not come true in time.
package struct NeverHappened: Error, CustomStringConvertible {
  package let description: String

  package init(description: String) { self.description = description }
}

/// Polls until `condition` holds.
///
/// The deadline is no expectation: it is there for the test that would otherwise hang, and is long because the machine may
/// be busy.
///
/// - Throws: ``NeverHappened`` at the deadline, or what `condition` throws.
package func eventually(
  within deadline: Duration = .seconds(20),
  _ what: String,
  _ condition: () async throws -> Bool
) async throws {
  let end = ContinuousClock.now + deadline
  while try await !condition() {
    if ContinuousClock.now > end { throw NeverHappened(description: "not within \(deadline): \(what)") }
    try await Task.sleep(for: .milliseconds(5))
  }
}
