import ArgumentParser
import Testing

@testable import smsq

@Suite struct ScheduleTests {
  @Test func `Five minutes are the old minute modulo five`() throws {
    let schedule = try Schedule(explaining: "5m")
    #expect((0..<1440).filter(schedule.includes(minute:)) == Array(stride(from: 0, to: 1440, by: 5)))
  }

  @Test func `Hours count from midnight`() throws {
    let schedule = try Schedule(explaining: "2h")
    #expect((0..<1440).filter(schedule.includes(minute:)).count == 12)
    #expect(schedule.includes(minute: 0) && !schedule.includes(minute: 60))
  }

  @Test(arguments: ["0m", "30s", "90s", "25h", "5", ""])
  func `What is no whole number of minutes in a day is refused`(_ argument: String) {
    #expect(throws: ValidationError.self) { try Schedule(explaining: argument) }
  }

  @Test func `The current minute is one of the day`() {
    #expect((0..<1440).contains(Schedule.currentMinute()))
  }
}
