import ArgumentParser
import Testing

@testable import smsq

@Suite("Exit codes")
struct ExitCodeTests {
  @Test("They are those of sysexits.h")
  func values() {
    let codes: [ExitCode] = [
      .usage, .dataError, .unavailable, .software, .osError, .ioError, .tempFail, .noPermission, .config,
    ]
    #expect(codes.map(\.rawValue) == [64, 65, 69, 70, 71, 74, 75, 77, 78])
    #expect(ExitCode.usage == .validationFailure)
  }

  @Test("What nobody foresaw is a bug: 70; help is none, nor is wrong usage, nor what a command ends with itself")
  func unforeseen() {
    struct Unforeseen: Error {}
    for (error, code) in [
      (Unforeseen(), 70), (CleanExit.helpRequest(), 0), (ValidationError("no"), 64), (ExitCode.tempFail, 75),
    ] as [(any Error, Int32)] {
      #expect(ExitCode(endingWith: error).rawValue == code, "\(error)")
    }
  }
}
