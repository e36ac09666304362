/// Does what a row asks for.
package protocol RowHandler: Sendable {
  /// Called once a claim, several at a time, each in a task of its own. Cancellation means that the run must stop now:
  /// return `interrupted` as soon as possible.
  func handle(_ row: ClaimedRow) async -> RowOutcome
}

/// How a run behaves. The defaults are those of `smsq cron`.
package struct RunOptions: Sendable {
  /// Names the run; no other has ever had the same name.
  package var owner: String
  /// The most rows in hand at once.
  package var processes = 10
  /// The most rows to take in this run; nil for no bound.
  package var limit: Int?
  /// After this time nothing more is claimed; what is in hand is finished.
  package var maxRuntime = Duration.seconds(55)
  /// How long after its last sign of life a run counts as killed. Renewed every third of it.
  package var lease = Duration.seconds(60)
  package var maxAttempts = 10
  /// Killed runs with a row in hand before it is given up.
  package var maxCrashes = 3
  /// How long to wait after so many failed tries, from 1.
  package var retryDelay: @Sendable (Int) -> Duration = { _ in .seconds(60) }
  package var now: @Sendable () -> Int64 = { ProcessDatabase.now() }

  package init(owner: String) { self.owner = owner }
}

/// What a run has to say, as it happens.
package enum RunEvent: Sendable, Equatable {
  case done(Int64)
  case expired(Int64, reason: String)
  case retry(Int64, reason: String, after: Duration)
  case dead(Int64, reason: String)
  /// A killed run had it in hand.
  case recovered(Int64, RowAction)
  /// This run's lease ended while it had the row in hand: another run may do it as well.
  case lost(Int64, RowAction)
  /// It goes back, and whether it was done is not known.
  case interrupted(Int64)
  /// It goes back untried, because what its action needs is not there.
  case returned(Int64)
}

/// What came of a run.
package struct RunSummary: Sendable, Equatable, Codable {
  package var claimed = 0
  package var done = 0
  package var expired = 0
  package var retried = 0
  package var dead = 0
  package var recovered = 0
  package var lost = 0
  package var interrupted = 0
  /// Rows that were not tried, for the reasons in `unavailable`.
  package var returned = 0
  /// What was not there, by the action that needed it.
  package var unavailable: [String: String] = [:]
}
