import Foundation
import TestSupport
import Testing

@testable import SMS

/// Runs the very program that docs/gateways.md shows.
@Suite(.timeLimit(.minutes(5))) struct ExampleProgramTests {
  private static let path = URL(fileURLWithPath: #filePath)
    .appendingPathComponent("../../../../docs/examples/gateway.py").standardizedFileURL.path

  @Test("The page shows the program as it is")
  func page() throws {
    let page = URL(fileURLWithPath: Self.path).appendingPathComponent("../../gateways.md").standardizedFileURL
    let program = try String(contentsOfFile: Self.path, encoding: .utf8)
    #expect(try String(contentsOf: page, encoding: .utf8).contains("```python\n\(program)```\n"))
  }

  @Test("The example sends, refuses and puts off, many messages at once")
  func example() async throws {
    try await withGateway([Self.path]) { gateway, notes in
      #expect(
        try await gateway.send(.sample(to: "+15551234567"), attempt: 1)
          == .permanentFailure(code: "no_such_number", reason: "555 is for films")
      )
      #expect(
        try await gateway.send(.sample(text: "busy"), attempt: 1)
          == .temporaryFailure(code: "throttled", reason: "come back later", retryAfter: .seconds(1))
      )
      let long = String(repeating: "您好😀\u{2028}\"\\", count: 30)
      let segments = try TextMessage.sample(text: long).segmentation.segments
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<500 {
          group.addTask {
            let answer = try await gateway.send(.sample(text: long, id: "é\(number)"), attempt: 1)
            #expect(answer == .accepted(providerID: "example-é\(number)", segments: segments))
          }
        }
        try await group.waitForAll()
      }
      #expect(notes.pids.count == 1)
      #expect(notes.errors == [])
    }
  }
}
