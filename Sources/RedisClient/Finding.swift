/// What one check found: one line for a person, one object for a script.
package struct Finding: Sendable, Hashable {
  package enum Level: String, Sendable, Comparable {
    case ok
    /// It works, and something about it can cost messages or time.
    case warning
    /// It does not work, or loses messages.
    case problem

    package static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }

    private var rank: Int {
      switch self {
      case .ok: 0
      case .warning: 1
      case .problem: 2
      }
    }
  }

  /// What was checked: a setting's name, a key, a program.
  package let check: String
  package let level: Level
  /// What there is.
  package let found: String
  /// What to do about it.
  package let hint: String?

  package init(_ check: String, _ level: Level, _ found: String, hint: String? = nil) {
    self.check = check
    self.level = level
    self.found = found
    self.hint = hint
  }
}
