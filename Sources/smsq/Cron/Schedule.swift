import ArgumentParser
import Glibc

/// In which minutes a run has something to do: those of the local day that the interval divides, as the old `minute % 5`.
///
/// A crontab can say it by itself, as `*/5 * * * *`; this is for one line that serves several rhythms, and for those who
/// may not edit the crontab.
struct Schedule: ExplainedArgument, Hashable {
  let minutes: Int

  init(explaining argument: String) throws {
    let duration = try Duration(explaining: argument)
    let (seconds, attoseconds) = duration.components
    guard attoseconds == 0, seconds % 60 == 0, (60...86_400).contains(seconds) else {
      throw ValidationError("'\(argument)' is no schedule: write whole minutes from 1m to 24h")
    }
    minutes = Int(seconds / 60)
  }

  var argument: String { Duration.seconds(minutes * 60).argument }

  /// - Parameter minute: of the local day, from 0 at midnight.
  func includes(minute: Int) -> Bool { minute.isMultiple(of: minutes) }

  /// The minute of the local day, from 0 at midnight.
  static func currentMinute() -> Int {
    var now = time(nil)
    var local = tm()
    localtime_r(&now, &local)
    return Int(local.tm_hour) * 60 + Int(local.tm_min)
  }
}
