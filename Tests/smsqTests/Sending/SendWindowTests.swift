import Testing

@testable import smsq

@Suite struct SendWindowTests {
  /// UTC and whole hours, so that what is expected can be read off.
  private static let utc = ZoneOffsets.utc
  private static let shanghai = ZoneOffsets(name: "Asia/Shanghai", changes: [.init(time: 0, offset: 8 * 3600)])
  /// New York in 2026: clocks go forward on 8 March at 02:00 and back on 1 November at 02:00.
  private static let newYork = ZoneOffsets(
    name: "America/New_York",
    changes: [
      .init(time: 1_735_689_600, offset: -5 * 3600), .init(time: 1_772_953_200, offset: -4 * 3600),
      .init(time: 1_793_512_800, offset: -5 * 3600),
    ]
  )
  /// Samoa left out 30 December 2011.
  private static let apia = ZoneOffsets(
    name: "Pacific/Apia",
    changes: [.init(time: 1_300_000_000, offset: -10 * 3600), .init(time: 1_325_239_200, offset: 14 * 3600)]
  )

  private static func time(_ text: String) -> Int64 {
    // Days of 2026 and their hours in UTC: `03-08 07:00`.
    let parts = text.split(whereSeparator: { "- :".contains($0) }).map { Int64($0)! }
    let before: [Int64] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
    return 1_767_225_600 + ((before[Int(parts[0]) - 1] + parts[1] - 1) * 24 + parts[2]) * 3600 + parts[3] * 60
  }

  private static func window(_ start: Int64, _ end: Int64, _ zone: ZoneOffsets) -> SendWindow {
    SendWindow(start: start * 60, end: end * 60, zone: zone)
  }

  @Test(
    "It opens and closes by the clocks on the wall",
    arguments: [
      // In Shanghai it is eight hours later.
      (window(8 * 60, 21 * 60, shanghai), "11-27 12:59", true, "11-27 13:00"),
      (window(8 * 60, 21 * 60, shanghai), "11-27 13:00", false, "11-28 00:00"),
      (window(8 * 60, 21 * 60, shanghai), "11-28 00:00", true, "11-28 13:00"),
      // Across midnight.
      (window(22 * 60, 6 * 60, utc), "11-27 21:59", false, "11-27 22:00"),
      (window(22 * 60, 6 * 60, utc), "11-27 23:59", true, "11-28 06:00"),
      (window(22 * 60, 6 * 60, utc), "11-28 05:59", true, "11-28 06:00"),
      (window(8 * 60, 24 * 60, utc), "11-27 23:00", true, "11-28 00:00"),
      (window(0, 8 * 60, utc), "11-27 23:00", false, "11-28 00:00"),
      // The same hour of the wall's clock, in winter and in summer.
      (window(8 * 60, 21 * 60, newYork), "03-07 03:00", false, "03-07 13:00"),
      (window(8 * 60, 21 * 60, newYork), "03-08 03:00", false, "03-08 12:00"),
      (window(8 * 60, 21 * 60, newYork), "10-31 12:00", true, "11-01 01:00"),
      (window(8 * 60, 21 * 60, newYork), "11-01 02:00", false, "11-01 13:00"),
      // 02:30 is not there on 8 March: it opens as the clocks go forward, at 03:00.
      (window(150, 240, newYork), "03-08 06:59", false, "03-08 07:00"),
      (window(150, 240, newYork), "03-08 07:00", true, "03-08 08:00"),
      // A window within the hour that is left out is not there that day.
      (window(130, 170, newYork), "03-08 06:59", false, "03-09 06:10"),
      // 01:30 comes twice on 1 November.
      (window(90, 120, newYork), "11-01 05:00", false, "11-01 05:30"),
      (window(90, 120, newYork), "11-01 05:30", true, "11-01 06:00"),
      (window(90, 120, newYork), "11-01 06:00", false, "11-01 06:30"),
      (window(90, 120, newYork), "11-01 06:30", true, "11-01 07:00"),
    ]
  )
  func changes(window: SendWindow, time: String, isOpen: Bool, change: String) {
    #expect(window.contains(Self.time(time)) == isOpen)
    #expect(window.nextChange(after: Self.time(time)) == Self.time(change))
  }

  @Test("The next change is the first minute that a look at each minute finds", arguments: 0..<3)
  func eachMinute(seed: Int) {
    let zones: [(ZoneOffsets, Int64)] = [
      (Self.newYork, 1_772_953_200), (Self.newYork, 1_793_512_800), (Self.apia, 1_325_239_200),
      (Self.shanghai, 1_795_348_800),
    ]
    var random = SystemRandomNumberGenerator()
    for _ in 0..<60 {
      let (zone, around) = zones.randomElement(using: &random)!
      let start = Int64.random(in: 0..<1440, using: &random)
      var end = Int64.random(in: 0...1440, using: &random)
      if start == end % 1440 { end = (start + 1) % 1440 }
      let window = Self.window(start, end, zone)
      let time = around + 60 * .random(in: -2880...2880, using: &random)
      var minute = time + 60
      while window.contains(minute) == window.contains(time) { minute += 60 }
      if window.nextChange(after: time) != minute {
        Issue.record("\(window.argument) at \(time): \(window.nextChange(after: time)), not \(minute)")
        return
      }
    }
  }

  @Test("A message is told when the window opens, to the millisecond, whichever way the clock goes")
  func hours() {
    let hours = SendHours(Self.window(8 * 60, 21 * 60, Self.utc))
    let opening = Self.time("11-27 08:00") * 1000
    for now in [opening - 3_600_000, opening - 1, opening, opening + 1, opening - 1, opening + 13 * 3_600_000] {
      let isOpen = now >= opening && now < opening + 13 * 3_600_000
      #expect(hours.opening(after: now) == (isOpen ? nil : now < opening ? opening : opening + 24 * 3_600_000))
    }
    #expect(hours.opening(after: -1) == Int64(8 * 3_600_000))
  }

  @Test("It is written as two times and a zone", arguments: ["08:00-21:00@UTC", "22:30-06:00@UTC", "00:00-23:59@UTC"])
  func reads(text: String) throws {
    #expect(try SendWindow(explaining: text).argument == text)
  }

  @Test("An hour may have one digit, and a day's end is 24:00")
  func shorter() throws {
    #expect(try SendWindow(explaining: "8:00-24:00@UTC") == Self.window(480, 1440, .utc))
  }

  @Test(
    "What is no window is refused with what to write",
    arguments: [
      ("", "no window"), ("08:00", "no window"), ("8-21@UTC", "no window"), ("08:00-21:60@UTC", "no window"),
      ("24:00-08:00@UTC", "no window"), ("08:00-24:01@UTC", "no window"), ("08:00–21:00@UTC", "no window"),
      ("-1:00-08:00@UTC", "no window"), ("08:00-21:00-22:00@UTC", "no window"), ("08:00 - 21:00@UTC", "no window"),
      ("٠8:00-21:00@UTC", "no window"), ("08:00-21:00", "no time zone"), ("08:00-21:00@", "no time zone"),
      ("08:00-08:00@UTC", "begins when it ends"), ("00:00-24:00@UTC", "the whole day"),
      ("08:00-21:00@Asia/Nowhere", "'Asia/Nowhere' is no time zone"), ("08:00-21:00@../../etc/passwd", "no time zone"),
      ("08:00-21:00@/etc/passwd", "no time zone"), ("08:00-21:00@CST-8", "no time zone"),
      ("08:00-21:00@Asia", "no time zone"),
      ("08:00-21:00@utc", "no time zone"), ("08:00-21:00@Asia/Shanghai\n", "no time zone"),
    ]
  )
  func refuses(text: String, words: String) throws {
    let error = try #require(throws: (any Error).self) { try SendWindow(explaining: text) }
    #expect("\(error)".contains(words), "\(error)")
  }
}
