import ProcessTable
import Synchronization

/// What cron's mail says of a run: nothing while all is well, or will be by itself at the next try; a line for what a
/// person may want to know. cron(8) sends whatever a command writes, and nothing where it writes nothing.
final class CronReport: Sendable {
  /// The most lines a run, because a mail with ten thousand is not read.
  static let maxLines = 20

  private let isVerbose: Bool
  private let lines = Mutex(0)

  init(isVerbose: Bool) { self.isVerbose = isVerbose }

  func note(_ event: RunEvent) {
    guard isVerbose || Self.isNews(event) else { return }
    let number = lines.withLock { lines in
      lines += 1
      return lines
    }
    if isVerbose || number <= Self.maxLines { Terminal.note(Self.text(event)) }
  }

  /// The last lines of the mail.
  func finish(_ summary: RunSummary) {
    let left = lines.withLock { $0 } - Self.maxLines
    if left > 0 && !isVerbose { Terminal.note("and \(left) more such lines") }
    for (action, reason) in summary.unavailable.sorted(by: { $0.key < $1.key }) {
      Terminal.note("\(action) rows were left for the next run: \(reason.printable)")
    }
    let hasNews = lines.withLock { $0 } > 0 || !summary.unavailable.isEmpty
    if hasNews { Terminal.note(Self.text(summary)) }
  }

  private static func isNews(_ event: RunEvent) -> Bool {
    switch event {
    case .dead, .recovered, .lost, .interrupted: true
    case .done, .expired, .retry, .returned: false
    }
  }

  static func text(_ event: RunEvent) -> String {
    switch event {
    case .done(let id): "row \(id) is done"
    case .expired(let id, let reason): "row \(id) has expired: \(reason.printable)"
    case .retry(let id, let reason, let after):
      "row \(id) is not done, next try in \(after.argument): \(reason.printable)"
    case .dead(let id, let reason): "row \(id) is dead: \(reason.printable)"
    case .recovered(let id, .queue):
      "row \(id) was in the hands of a run that was killed; it is not pushed twice"
    case .recovered(let id, .send), .recovered(let id, .command):
      "row \(id) was in the hands of a run that was killed; it may be done twice"
    case .lost(let id, .queue):
      "row \(id) took longer than the lease without a sign of life; it is not pushed twice"
    case .lost(let id, .send), .lost(let id, .command):
      "row \(id) took longer than the lease without a sign of life; another run may have done it too"
    case .interrupted(let id): "row \(id) was interrupted; it may be done twice"
    case .returned(let id): "row \(id) was not tried"
    }
  }

  static func text(_ summary: RunSummary) -> String {
    var parts = ["\(summary.done) rows done"]
    let others = [
      (summary.retried, "to be tried again"), (summary.returned, "not tried"), (summary.expired, "expired"),
      (summary.dead, "dead"), (summary.recovered, "taken over from killed runs"), (summary.lost, "lost"),
      (summary.interrupted, "interrupted"),
    ]
    for (count, what) in others where count > 0 { parts.append("\(count) \(what)") }
    let hint = summary.dead > 0 ? "; see them with: smsq table list --state dead" : ""
    return parts.joined(separator: ", ") + hint
  }
}
