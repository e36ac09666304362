import Testing

@testable import smsq

@Suite struct DatabaseOptionsTests {
  @Test(arguments: [
    ("/data", "/home/a", "/data/smsq"), (nil, "/home/a", "/home/a/.local/share/smsq"),
    ("relative", "/home/a", "/home/a/.local/share/smsq"),
  ])
  func `The default is the user's data folder`(_ dataHome: String?, _ home: String, _ folder: String) throws {
    #expect(try DatabaseOptions.dataFolder(dataHome, home: home) == folder)
  }

  @Test func `Without a home the option must be given`() {
    #expect(throws: Failure.self) { try DatabaseOptions.dataFolder(nil, home: nil) }
  }
}
