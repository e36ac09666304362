import Foundation
import SMS
import TestSupport
import Testing

@testable import Gateways

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
          == .throttled(code: "busy", reason: "come back later", retryAfter: .seconds(1))
      )
      let long = String(repeating: "您好😀\u{2028}\"\\", count: 30)
      let segments = try TextMessage.sample(text: long).segmentation?.segments
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

  /// A provider whose answer to a message is what the message's text says.
  private static let provider = """
    import email.utils, http.server, json, socket, time
    class Provider(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def log_message(self, *_): pass
        def do_POST(self):
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, *more = message["text"].split()
            if status == "hang":
                time.sleep(1000)
            if status in ("close", "half"):
                if status == "half": self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 99\\r\\n\\r\\nha")
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            body = b'{"id": "%s"}' % self.headers["Idempotency-Key"].encode() if status == "201" else b"no JSON"
            self.send_response(int(status))
            self.send_header("Content-Length", str(len(body)))
            if more: self.send_header("Retry-After", more[0] if more[0] != "date" else email.utils.formatdate(time.time() + 3600))
            self.end_headers()
            self.wfile.write(body)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()
    """

  /// The outcome's name, the code, and the time to wait in seconds.
  private struct Reading: Equatable, CustomStringConvertible {
    var outcome: String
    var code: String?
    var wait: Int?
    var description: String { "\(outcome) \(code ?? "") \(wait.map(String.init) ?? "")" }

    init(_ outcome: String, _ code: String? = nil, wait: Int? = nil) {
      (self.outcome, self.code, self.wait) = (outcome, code, wait)
    }

    init(_ answer: GatewayAnswer) {
      code = answer.code
      switch answer {
      case .accepted(let providerID, _): (outcome, code) = ("accepted", providerID)
      case .throttled(_, _, let retryAfter):
        (outcome, wait) = ("throttled", retryAfter.map { Int($0.components.seconds) })
      case .temporaryFailure(_, _, let retryAfter):
        (outcome, wait) = ("retry", retryAfter.map { Int($0.components.seconds) })
      case .permanentFailure: outcome = "failed"
      case .unknown: outcome = "unknown"
      }
    }
  }

  @Test("The example says what a provider's status, silence, and broken connection mean")
  func provider() async throws {
    let provider = try ChildProcess("python3", ["-c", Self.provider])
    try await eventually("the provider is up") { provider.stdout.hasSuffix("\n") }
    let port = try #require(Int(provider.stdout.trimmingCharacters(in: .whitespacesAndNewlines)))
    let command = [
      "/usr/bin/env", "GATEWAY_URL=http://127.0.0.1:\(port)/messages", "GATEWAY_CALL_TIMEOUT=3", Self.path,
    ]
    try await withGateway(command) { gateway, notes in
      let expected: [(text: String, reading: Reading)] = [
        ("201", Reading("accepted", "m%20%C3%A9")), ("200", Reading("accepted", "")),
        ("429", Reading("throttled", "429")), ("429 7", Reading("throttled", "429", wait: 7)),
        ("429 soon", Reading("throttled", "429")), ("503 2", Reading("retry", "503", wait: 2)),
        ("503", Reading("retry", "503")), ("500", Reading("unknown", "500")), ("502", Reading("unknown", "502")),
        ("504", Reading("unknown", "504")), ("400", Reading("failed", "400")), ("422", Reading("failed", "422")),
        ("401", Reading("retry", "401")), ("404", Reading("retry", "404")), ("302", Reading("retry", "302")),
        ("hang", Reading("unknown", "no_response")), ("close", Reading("unknown", "no_response")),
        ("half", Reading("unknown", "no_response")),
      ]
      for (text, reading) in expected {
        let answer = try await gateway.send(.sample(text: text, id: "m é"), attempt: 1)
        #expect(Reading(answer) == reading, "\(text)")
      }
      let dated = try await Reading(gateway.send(.sample(text: "429 date"), attempt: 1))
      #expect(dated.outcome == "throttled")
      #expect((1...3_600).contains(dated.wait ?? 0))
      // Where no clock of ours looks, the program does.
      let expired = try await gateway.send(.sample(text: "201", expiresAt: 1_000), attempt: 1)
      #expect(Reading(expired) == Reading("retry", "expired"))
      #expect(notes.errors == [])
    }
    // It lives as long as its variable.
    #expect(provider.isRunning)
  }

  @Test("The example says that nothing was sent where nobody takes the connection")
  func unreachable() async throws {
    // Port 1 is nobody's.
    try await withGateway(["/usr/bin/env", "GATEWAY_URL=http://127.0.0.1:1/", Self.path]) { gateway, _ in
      let answer = try await gateway.send(.sample(), attempt: 1)
      #expect(Reading(answer) == Reading("retry", "unreachable"))
    }
  }
}
