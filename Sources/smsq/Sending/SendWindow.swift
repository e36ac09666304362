import ArgumentParser
import Synchronization
import Wire

/// The hours of a day in which messages may be sent, by the clocks of one time zone: `08:00-21:00@Asia/Shanghai`. A pure value.
///
/// What counts is what a clock on the wall there shows. Where it is put forward over the beginning, the window opens at once;
/// where it is put back, an hour of the window may come twice.
struct SendWindow: Sendable, Equatable {
  /// In seconds of the day. The end is behind the last second that belongs to it, and before the beginning where midnight lies in
  /// between.
  let start: Int64
  let end: Int64
  let zone: ZoneOffsets

  private static let day: Int64 = 86_400

  /// - Parameter time: Unix seconds.
  func contains(_ time: Int64) -> Bool {
    let second = Self.secondOfDay(time + zone.offset(at: time))
    return start < end ? (start..<end).contains(second) : second >= start || second < end
  }

  /// When ``contains(_:)`` is first another than at this time.
  ///
  /// - Parameter time: Unix seconds.
  func nextChange(after time: Int64) -> Int64 {
    let isOpen = contains(time)
    var moment = time
    repeat {
      let second = Self.secondOfDay(moment + zone.offset(at: moment))
      // To where it begins or ends by the clocks as they go now, or to where these are changed.
      let ahead = min(Self.ahead(of: second, to: start), Self.ahead(of: second, to: end))
      moment = min(moment + ahead, zone.nextChange(after: moment) ?? .max)
    } while contains(moment) == isOpen
    return moment
  }

  private static func secondOfDay(_ time: Int64) -> Int64 {
    let rest = time % day
    return rest < 0 ? rest + day : rest
  }

  /// From 1 second to a day.
  private static func ahead(of second: Int64, to boundary: Int64) -> Int64 {
    let distance = (boundary - second) % day
    return distance > 0 ? distance : distance + day
  }
}

extension SendWindow: ExplainedArgument {
  private static let example = "08:00-21:00@Asia/Shanghai"

  /// - Throws: `ValidationError` for what is no window, and for a zone that this system does not know.
  init(explaining argument: String) throws {
    let parts = argument.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let times = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { Self.seconds($0) }
    guard times.count == 2, let start = times[0], let end = times[1], start < Self.day else {
      throw ValidationError(
        "'\(argument)' is no window: write two times of day from 00:00 to 24:00 and a time zone, as \(Self.example)"
      )
    }
    guard parts.count == 2, !parts[1].isEmpty else {
      throw ValidationError("'\(argument)' names no time zone: write it behind the times, as \(Self.example)")
    }
    // An end at 00:00 is that of the day.
    guard start % Self.day != end % Self.day else {
      throw ValidationError(
        start == end
          ? "'\(argument)' begins when it ends: write two times, as \(Self.example)"
          : "'\(argument)' is the whole day: leave the option out"
      )
    }
    do {
      self.init(start: start, end: end, zone: try ZoneOffsets(named: String(parts[1])))
    } catch {
      throw ValidationError("\(error)")
    }
  }

  var argument: String { "\(Self.text(start))-\(Self.text(end))@\(zone.name)" }

  /// `08:00` or `8:00`.
  private static func seconds(_ text: Substring) -> Int64? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, (1...2).contains(parts[0].utf8.count), parts[1].utf8.count == 2,
      parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      let hours = Int64(parts[0]), let minutes = Int64(parts[1]), minutes < 60, hours * 60 + minutes <= 1440
    else { return nil }
    return (hours * 60 + minutes) * 60
  }

  private static func text(_ seconds: Int64) -> String {
    func digits(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(digits(seconds / 3600)):\(digits(seconds / 60 % 60))"
  }
}

/// Says of each message whether it may be sent, and works that out once for each time that the window opens or closes.
final class SendHours: Sendable {
  private let window: SendWindow
  /// Between these times, Unix ms, the window is open or closed all the while.
  private let known = Mutex<(times: Range<Int64>, isOpen: Bool)>((0..<0, false))

  init(_ window: SendWindow) { self.window = window }

  /// When the window opens next, Unix ms; nil while it is open.
  ///
  /// - Parameter now: Unix ms.
  func opening(after now: Int64) -> Int64? {
    known.withLock { known in
      if !known.times.contains(now) {
        let second = now >= 0 ? now / 1000 : (now - 999) / 1000
        known = (second * 1000..<window.nextChange(after: second) * 1000, window.contains(second))
      }
      return known.isOpen ? nil : known.times.upperBound
    }
  }

  /// What the log says of messages that are put off.
  var reason: String { "outside --send-window \(window.argument)" }
}
