import Testing

@testable import smsq

@Suite struct CronReportTests {
  @Test func `What may be done twice is said, and a push never is`() {
    #expect(CronReport.text(.recovered(17, .send)).hasSuffix("it may be done twice"))
    #expect(CronReport.text(.recovered(17, .command)).hasSuffix("it may be done twice"))
    #expect(CronReport.text(.lost(17, .send)).hasSuffix("another run may have done it too"))
    #expect(CronReport.text(.lost(17, .command)).hasSuffix("another run may have done it too"))
    #expect(CronReport.text(.recovered(17, .queue)).hasSuffix("it is not pushed twice"))
    #expect(CronReport.text(.lost(17, .queue)).hasSuffix("it is not pushed twice"))
  }

  @Test func `A reason from anybody stays on its line`() {
    let reason = "no\n\u{1B}[2Jroute"
    let shown = #": no\u000a\u001b[2Jroute"#
    #expect(CronReport.text(.dead(17, reason: reason)).hasSuffix(shown))
    #expect(CronReport.text(.expired(17, reason: reason)).hasSuffix(shown))
    #expect(CronReport.text(.retry(17, reason: reason, after: .seconds(1))).hasSuffix(shown))
  }
}
