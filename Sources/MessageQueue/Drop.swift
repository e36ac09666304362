import RedisClient

/// Bounds of the dead letters.
package struct DeadLetterBounds: Sendable, Equatable {
  /// Nil for no bound.
  package var count: Int?
  package var age: Duration?

  package init(count: Int?, age: Duration?) {
    self.count = count
    self.age = age
  }

  package var areSet: Bool { count != nil || age != nil }
}

extension MessageQueue {
  /// Removes dead letters over the bounds that have been logged, and hands out the next ones to be. May be repeated.
  ///
  /// A letter stays where it is until it comes back here as logged, so none is gone that no log has. Whoever crashes
  /// between the two leaves it to be handed out, and logged, once more.
  ///
  /// - Parameters:
  ///   - logged: what was handed out and logged, as it was handed out.
  ///   - life: who asks. Another life is handed nothing for as long as `lease`, or until this one finds nothing more or has
  ///     lost its lease.
  /// - Returns: elements as they are stored, the oldest first, 100 and ``mostBytesPerCall`` at most, but at least one; empty
  ///   when none is over the bounds, nil while another life has been handed them.
  package func drop(
    _ logged: [[UInt8]],
    keeping bounds: DeadLetterBounds,
    for life: WorkerLife,
    lease: Duration
  ) async throws(RedisError) -> [[UInt8]]? {
    var call = ScriptCall(.drop, keys: [keys.dead, keys.stats, keys.dropping, keys.workers, keys.absent])
    call.append(life.id)
    call.append(lease.milliseconds)
    call.append(bounds.count ?? 0)
    call.append(bounds.age?.milliseconds ?? 0)
    call.append(Self.mostBytesPerCall)
    for letter in logged { call.append(letter) }
    let fields = try await connection.call(call).elements(1, of: .drop)
    return fields[0].integer == 0 ? nil : fields.dropFirst().map { $0.bytes ?? [] }
  }
}
