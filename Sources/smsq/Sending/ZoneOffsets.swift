import Glibc

/// How far a time zone's clocks are ahead of UTC, and when that changes. A pure value.
struct ZoneOffsets: Sendable, Equatable {
  let name: String
  /// In their order; each holds until the next. Times are Unix seconds, offsets seconds east of Greenwich.
  private let changes: [Change]

  struct Change: Sendable, Equatable {
    var time: Int64
    var offset: Int64
  }

  /// - Parameter changes: in their order, one at least; the first one holds before its time as well.
  init(name: String, changes: [Change]) {
    self.name = name
    self.changes = changes
  }

  static let utc = ZoneOffsets(name: "UTC", changes: [Change(time: 0, offset: 0)])

  func offset(at time: Int64) -> Int64 {
    let next = index(after: time)
    return changes[max(next - 1, 0)].offset
  }

  func nextChange(after time: Int64) -> Int64? {
    // The first one only says what holds at the beginning.
    let next = max(index(after: time), 1)
    return next < changes.count ? changes[next].time : nil
  }

  /// The first change after this time.
  private func index(after time: Int64) -> Int {
    var (low, high) = (0, changes.count)
    while low < high {
      let middle = (low + high) / 2
      if changes[middle].time <= time { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

// glibc reads the zone's file, and the rule at its end. Foundation's TimeZone knows no zone in a binary that has Swift's library
// inside. glibc's is the process' own zone, so that it is looked at once, at the start, and written down.
extension ZoneOffsets {
  struct Unknown: Error, CustomStringConvertible {
    let description: String
  }

  /// Ours: no worker runs for longer without a new start, and countries change their minds before that.
  private static let years: Int64 = 20

  /// Reads a zone of this system's.
  ///
  /// To be called while the process has one thread: what others read of the environment meanwhile may not be there.
  ///
  /// - Parameters:
  ///   - name: as `Asia/Shanghai`.
  ///   - now: Unix seconds. Changes are known from a year before that on, as Redis' clock may be another.
  init(named name: String, now: Int64 = Int64(time(nil))) throws(Unknown) {
    if name == Self.utc.name {
      self = .utc
      return
    }
    let folder = getenv("TZDIR").map { String(cString: $0) } ?? "/usr/share/zoneinfo"
    // Others are read as rules, or as UTC, by a libc that refuses nothing.
    guard Self.isZoneFile("\(folder)/\(name)", name) else {
      let hint =
        access(folder, R_OK) == 0
        ? "write a name that \(folder) has, such as Asia/Shanghai or UTC"
        : "this system has no time zones in \(folder): install tzdata, or write UTC"
      throw Unknown(description: "'\(name)' is no time zone: \(hint)")
    }
    let own = getenv("TZ").map { String(cString: $0) }
    setenv("TZ", ":\(folder)/\(name)", 1)
    tzset()
    defer {
      if let own { setenv("TZ", own, 1) } else { unsetenv("TZ") }
      tzset()
    }
    let start = now - 366 * 86_400
    var changes = [Change(time: start, offset: Self.offset(at: start))]
    // No zone changes twice within a day.
    for time in stride(from: start + 86_400, to: now + Self.years * 366 * 86_400, by: 86_400) {
      let offset = Self.offset(at: time)
      guard let last = changes.last, offset != last.offset else { continue }
      var (before, after) = (time - 86_400, time)
      while after - before > 1 {
        let middle = (before + after) / 2
        if Self.offset(at: middle) == last.offset { before = middle } else { after = middle }
      }
      changes.append(Change(time: after, offset: offset))
    }
    self.init(name: name, changes: changes)
  }

  /// By the process' own zone.
  private static func offset(at time: Int64) -> Int64 {
    var (seconds, parts) = (time_t(time), tm())
    localtime_r(&seconds, &parts)
    return Int64(parts.tm_gmtoff)
  }

  private static func isZoneFile(_ path: String, _ name: String) -> Bool {
    let isName = name.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF) || "/_+-".utf8.contains(byte)
    }
    guard isName, !name.hasPrefix("/"), let file = fopen(path, "re") else { return false }
    defer { fclose(file) }
    var mark = [UInt8](repeating: 0, count: 4)
    return fread(&mark, 1, 4, file) == 4 && mark.elementsEqual("TZif".utf8)
  }
}
