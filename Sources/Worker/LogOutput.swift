/// Where log lines go.
package protocol LogOutput: Sendable {
  /// Waits until all lines so far have left this process, so that they outlive it, but not for longer than the timeout.
  ///
  /// - Returns: how many lines were thrown away until now, ever; nil when some still wait: the reader stalls, or is gone.
  func flushed(within timeout: Duration) async -> Int?
}
