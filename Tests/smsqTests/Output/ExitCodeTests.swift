import ArgumentParser
import Testing

@testable import smsq

@Suite("Exit codes")
struct ExitCodeTests {
  @Test("They are those of sysexits.h")
  func values() {
    let codes: [ExitCode] = [.usage, .dataError, .unavailable, .software, .tempFail, .noPermission, .config]
    #expect(codes.map(\.rawValue) == [64, 65, 69, 70, 75, 77, 78])
    #expect(ExitCode.usage == .validationFailure)
  }
}
