import Foundation
import SMS
import Synchronization
import TestSupport
import Testing

@testable import Gateways

/// Against a real server, over real sockets. One by one: connections that were idle for seconds, on a busy host, are made anew.
@Suite(.serialized) struct HTTPGatewayTests {
  private func withGateway<Result>(
    _ url: String,
    timeout: Duration = .seconds(30),
    ca: String? = nil,
    secret: String? = nil,
    _ body: (HTTPGateway) async throws -> Result
  ) async throws -> Result {
    var options = HTTPGateway.Options()
    options.timeout = timeout
    options.caFile = ca
    let gateway = try HTTPGateway(
      webhook: try GatewayURL(url),
      secret: try secret.map { try WebhookSecret($0) },
      options: options
    )
    do {
      let result = try await body(gateway)
      await gateway.stop()
      return result
    } catch {
      await gateway.stop()
      throw error
    }
  }

  private func answer(_ url: String, timeout: Duration = .seconds(30), ca: String? = nil) async throws -> GatewayAnswer
  {
    try await withGateway(url, timeout: timeout, ca: ca) { try await $0.send(.sample(), attempt: 1) }
  }

  @Test(
    "A server's answer is the message's",
    arguments: [
      ("/200", nil as String?), ("/200?body={\"outcome\":\"failed\",\"code\":\"gone\"}", "gone"), ("/400", "400"),
      ("/429", "429"),
      ("/500", "500"), ("/302?Location=/elsewhere", "302"), ("/large", nil), ("/continue", nil),
    ]
  )
  func answers(path: String, code: String?) async throws {
    let server = try await HTTPTestServer()
    let url = server.url(path.replacing("{", with: "%7B").replacing("}", with: "%7D").replacing("\"", with: "%22"))
    #expect(try await answer(url).code == code)
    // A redirect is not followed, and nothing is sent again.
    #expect(try await server.requests(1).count == 1)
  }

  @Test("Retry-After is heard in both its kinds")
  func retryAfter() async throws {
    let server = try await HTTPTestServer()
    #expect(
      try await answer(server.url("/429?Retry-After=7"))
        == .throttled(code: "429", reason: "Said", retryAfter: .seconds(7))
    )
    let dates = "Date=Sun,+06+Nov+1994+08:49:37+GMT&Retry-After=Sun,+06+Nov+1994+08:49:47+GMT"
    #expect(
      try await answer(server.url("/503?" + dates)) == .throttled(code: "503", reason: "Said", retryAfter: .seconds(10))
    )
  }

  @Test(
    "A server that has the request and gives no whole answer leaves it open",
    arguments: [
      "/silence", "/close", "/half", "/reset", "/trickle", "/garbage",
    ]
  )
  func noAnswer(path: String) async throws {
    let server = try await HTTPTestServer()
    let answer = try await answer(server.url(path), timeout: .seconds(2))
    guard case .unknown("no_answer", let reason) = answer else {
      Issue.record("\(answer)")
      return
    }
    #expect(!reason.isEmpty)
    #expect(try await server.requests(1).count == 1)
  }

  // libcurl would send it again on a new connection, as it takes the old one for dead.
  @Test("What a kept connection took with it when it closed is not sent a second time")
  func keptConnectionCloses() async throws {
    let server = try await HTTPTestServer()
    try await withGateway(server.url("/second")) { gateway async throws in
      #expect(try await gateway.send(.sample(id: "first"), attempt: 1).code == nil)
      #expect(try await gateway.send(.sample(id: "second"), attempt: 1).code == "no_answer")
      let requests = try await server.requests(2)
      #expect(requests.map { $0.headers["idempotency-key"] } == ["first", "second"])
      #expect(Set(requests.map(\.connection)).count == 1)
      // And the next one goes through.
      #expect(try await gateway.send(.sample(id: "third"), attempt: 1).code == nil)
    }
  }

  @Test("Without a connection nothing was sent")
  func notSent() async throws {
    let port = try FreePort.take()
    let tls = try await HTTPTestServer()
    for url in [
      "http://127.0.0.1:\(port)/", "http://no-such-host.invalid/", tls.url("/200").replacing("http:", with: "https:"),
    ] {
      let answer = try await answer(url)
      guard case .temporaryFailure("gateway_down", let reason, nil) = answer else {
        Issue.record("\(url): \(answer)")
        continue
      }
      #expect(!reason.isEmpty)
    }
  }

  @Test("A server that accepts no connection in time was not sent to")
  func noConnection() async throws {
    let (listener, port) = try StuckListener.open()
    defer { listener.close() }
    #expect(try await answer("http://127.0.0.1:\(port)/", timeout: .milliseconds(600)).code == "gateway_down")
  }

  @Test("TLS is with the server that is meant, and with no other")
  func tls() async throws {
    let authority = try await TestAuthority.shared()
    let good = try await HTTPTestServer(authority.issue())
    #expect(try await answer(good.url("/200"), ca: authority.caFile).code == nil)
    #expect(try await answer(good.url("/200", host: "localhost"), ca: authority.caFile).code == nil)
    #expect(try await good.requests(2).count == 2)

    let other = try await TestAuthority()
    let faulty = [
      // Of an authority that nobody knows, and of one that is not ours.
      try await HTTPTestServer(authority.selfSigned()), try await HTTPTestServer(other.issue()),
      try await HTTPTestServer(authority.issue(names: "DNS:other.example")),
      try await HTTPTestServer(authority.issue(dates: ("20200101000000Z", "20200201000000Z"))),
    ]
    for server in faulty {
      guard
        case .temporaryFailure("gateway_down", let reason, nil) = try await answer(
          server.url("/200"),
          ca: authority.caFile
        )
      else {
        Issue.record("taken")
        continue
      }
      #expect(reason.contains("SSL"), "\(reason)")
      #expect(server.requests.isEmpty)
    }
    // Without the option the system's authorities count.
    if let system = try? await answer(good.url("/200")) { #expect(system.code == "gateway_down") }
  }

  @Test("A CA file that cannot be used is said at the start")
  func wrongAuthorities() throws {
    for path in ["/no/such/file", "/etc/passwd", "/tmp"] {
      var options = HTTPGateway.Options()
      options.caFile = path
      do {
        _ = try HTTPGateway(webhook: try GatewayURL("https://127.0.0.1/"), secret: nil, options: options)
        Issue.record("taken: \(path)")
      } catch let error as HTTPSetupError {
        #expect(error.description.contains(path))
      }
    }
  }

  @Test("A connection is kept for the next message, with its TLS, and no more are opened than are in flight")
  func keepsConnections() async throws {
    let authority = try await TestAuthority.shared()
    let server = try await HTTPTestServer(authority.issue())
    try await withGateway(server.url("/200?delay=20"), ca: authority.caFile) { gateway async throws in
      for round in 0..<20 {
        let codes = try await send(8, "r\(round)", to: gateway)
        #expect(codes == Array(repeating: nil, count: 8))
      }
    }
    #expect(try await server.requests(160).count == 160)
    #expect(Set(server.requests.map(\.connection)).count <= 8)
  }

  @Test("Hundreds are in flight at once, and each has its own answer", arguments: [100, 500])
  func manyAtOnce(count: Int) async throws {
    let server = try await HTTPTestServer(isQuiet: true)
    try await withGateway(server.url("/200?delay=50")) { gateway async throws in
      for round in 0..<4 {
        let codes = try await send(count, "r\(round)", to: gateway)
        #expect(codes == Array(repeating: nil, count: count))
      }
    }
    try await eventually("the connections are counted") { server.connections > 0 }
    #expect(server.connections <= count)
  }

  private func send(_ count: Int, _ prefix: String, to gateway: HTTPGateway) async throws -> [String?] {
    try await withThrowingTaskGroup(of: String?.self) { group in
      for number in 0..<count {
        group.addTask { try await gateway.send(.sample(id: "\(prefix)-\(number)"), attempt: 1).code }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
  }

  @Test("A request that nobody answers holds up no other", arguments: [false, true])
  func silence(overTLS: Bool) async throws {
    let authority = try await TestAuthority.shared()
    let server = try await HTTPTestServer(overTLS ? authority.issue() : nil)
    let ca = overTLS ? authority.caFile : nil
    try await withGateway(server.url("/silence"), ca: ca) { gateway async throws in
      let sending = (0..<10).map { number in Task { try await gateway.send(.sample(id: "\(number)"), attempt: 1) } }
      try await eventually("all are in flight") { server.requests.count == 10 }
      for task in sending { task.cancel() }
    }
  }

  @Test("What may not begin any more is not sent, although the connection is there")
  func mayNotBegin() async throws {
    final class Holder: MessageHolder {
      let holds: @Sendable () -> Bool = { false }
      let now: @Sendable () -> Int64 = { 0 }
    }
    let server = try await HTTPTestServer()
    try await withGateway(server.url("/200")) { gateway async throws in
      await #expect(throws: NotHandedOver.self) {
        try await gateway.send(.sample(), attempt: Attempt(1, for: Holder()))
      }
      // Its holder is asked when everything else is ready.
      try await eventually("it was connected") { server.connections == 1 }
      #expect(server.requests.isEmpty)
      #expect(try await gateway.send(.sample(), attempt: 1).code == nil)
    }
  }

  @Test("Cancellation ends a wait at once, and says what the server cannot have")
  func cancellation() async throws {
    let server = try await HTTPTestServer()
    try await withGateway(server.url("/silence")) { gateway async throws in
      let sending = Task { try await gateway.send(.sample(), attempt: 1) }
      try await eventually("the server has it") { server.requests.count == 1 }
      sending.cancel()
      await #expect(throws: CancellationError.self) { try await sending.value }
    }
    let (listener, port) = try StuckListener.open()
    defer { listener.close() }
    try await withGateway("http://127.0.0.1:\(port)/") { gateway async throws in
      let sending = Task { try await gateway.send(.sample(), attempt: 1) }
      sending.cancel()
      await #expect(throws: NotHandedOver.self) { try await sending.value }
    }
  }

  @Test("Stopping gives up what is in flight, and what comes later was not sent")
  func stop() async throws {
    let server = try await HTTPTestServer()
    try await withGateway(server.url("/silence")) { gateway async throws in
      let sending = Task { try await gateway.send(.sample(), attempt: 1) }
      try await eventually("the server has it") { server.requests.count == 1 }
      await gateway.stop()
      await #expect(throws: CancellationError.self) { try await sending.value }
      #expect(try await gateway.send(.sample(), attempt: 1).code == "gateway_down")
      await gateway.stop()
    }
  }

  @Test("A request is signed, and a login in the URL goes along")
  func signature() async throws {
    let server = try await HTTPTestServer()
    let url = server.url("/200").replacing("http://", with: "http://user:pass@")
    try await withGateway(url, secret: "Jefe") { gateway async throws in
      #expect(gateway.name == "127.0.0.1:\(server.port)")
      _ = try await gateway.send(.sample(text: "您好", id: "m 1"), attempt: 3)
    }
    let request = try #require(try await server.requests(1).first)
    let seconds = try #require(request.headers["webhook-timestamp"].flatMap { Int64($0) })
    let expected = try WebhookSecret("Jefe").signature(id: "m%201", seconds: seconds, body: Array(request.body.utf8))
    #expect(request.method == "POST")
    #expect(request.headers["webhook-signature"] == expected)
    #expect(request.headers["authorization"] == "Basic dXNlcjpwYXNz")
    #expect(request.headers["expect"] == nil)
    #expect(request.body.contains(#""text":"您好","attempt":3"#))
  }

  @Test("Twilio gets a form at the account's address, with its login")
  func twilio() async throws {
    let server = try await HTTPTestServer()
    var account = TwilioAccount(sid: "AC1", user: "SK1", password: "secret", sender: .address("+15005550006"))
    account.baseURL = server.url("")
    let gateway = try HTTPGateway(twilio: account)
    #expect(gateway.name == "twilio")
    #expect(try await gateway.send(.sample(text: "hi"), attempt: 1) == .accepted(providerID: "", segments: 1))
    await gateway.stop()
    let request = try #require(try await server.requests(1).first)
    #expect(request.path == "/2010-04-01/Accounts/AC1/Messages.json")
    #expect(request.headers["authorization"] == "Basic U0sxOnNlY3JldA==")
    #expect(request.body == "To=%2B8613800138000&Body=hi&From=%2B15005550006")
  }
}

/// A port that nobody accepts at, and whose queue is full: a connection to it is neither made nor refused.
private struct StuckListener {
  private let descriptors: [Int32]

  static func open() throws -> (StuckListener, Int) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 0) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    guard isListening else { throw NeverHappened(description: "a port to listen on") }
    // They fill the queue, and do not wait for it.
    let clients = (0..<3).map { _ in
      let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
      withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = connect(client, $0, length) }
      }
      return client
    }
    return (StuckListener(descriptors: [listener] + clients), Int(UInt16(bigEndian: address.sin_port)))
  }

  func close() { for descriptor in descriptors { _ = Foundation.close(descriptor) } }
}
