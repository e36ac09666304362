/// Runs histories, many at a time, and shows those that fail.
package enum Simulate {
  package struct Outcome: Sendable {
    package var count = 0
    /// What is wrong, by seed.
    package var faults: [(seed: UInt64, fault: String)] = []
  }

  /// - Parameters:
  ///   - first: the first seed; the others follow.
  ///   - most: the most histories to run.
  ///   - time: for how long to begin new ones; nil for as long as it takes.
  ///   - failed: called for each that fails, as it does.
  package static func run(
    from first: UInt64,
    most: Int,
    for time: Duration? = nil,
    tasks: Int,
    failed: @escaping @Sendable (UInt64, String) -> Void = { _, _ in }
  ) async -> Outcome {
    let end = time.map { ContinuousClock.now + $0 }
    return await withTaskGroup { group in
      for task in 0..<tasks {
        group.addTask {
          var outcome = Outcome()
          for offset in stride(from: task, to: most, by: tasks) {
            if let end, ContinuousClock.now >= end { break }
            let seed = first &+ UInt64(offset)
            outcome.count += 1
            guard let fault = World(Plan(seed: seed)).run() else { continue }
            outcome.faults.append((seed, fault))
            failed(seed, fault)
          }
          return outcome
        }
      }
      return await group.reduce(into: Outcome()) {
        $0.count += $1.count; $0.faults += $1.faults
      }
    }
  }

  /// Shows one history, event by event. Of one that fails no more than it takes to fail.
  ///
  /// - Returns: what is wrong; nil where nothing is.
  package static func replay(_ seed: UInt64, show: @escaping (String) -> Void) -> String? {
    var plan = Plan(seed: seed)
    if World(plan).run() != nil { plan = shortened(plan) }
    return World(plan, trace: show).run()
  }

  /// Leaves out what does not matter, as long as something is wrong.
  static func shortened(_ plan: Plan) -> Plan {
    var plan = plan
    var isShorter = true
    func tries(_ change: (inout Plan) -> Void) {
      var shorter = plan
      change(&shorter)
      if World(shorter).run() != nil { (plan, isShorter) = (shorter, true) }
    }
    while isShorter {
      isShorter = false
      for index in plan.steps.indices.reversed() { tries { $0.steps.remove(at: index) } }
      for index in plan.steps.indices {
        if case .push(let queue, let count, let push) = plan.steps[index].step, count > 1 {
          tries { $0.steps[index].step = .push(queue: queue, count: count / 2, push) }
        }
      }
      if plan.losing > 0 { tries { $0.losing = 0 } }
      if plan.failing > 0 { tries { $0.failing = 0 } }
      if plan.workers > 1 { tries { $0.workers -= 1 } }
    }
    return plan
  }
}
