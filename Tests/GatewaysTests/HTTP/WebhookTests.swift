import SMS
import Testing

@testable import Gateways

@Suite struct WebhookTests {
  private func reading(_ status: Int, _ body: String = "", _ headers: String..., isCut: Bool = false) throws
    -> GatewayAnswer
  {
    let head = (["HTTP/1.1 \(status) Said"] + headers).joined(separator: "\r\n")
    let answer = HTTPAnswer(status: status, head: head, body: Array(body.utf8), isCut: isCut)
    return Webhook(secret: nil).reading(answer, to: try .sample(), now: 0)
  }

  @Test("A template is posted with its parameters and its signature, in the text's place")
  func template() throws {
    let message = try TextMessage.templateSample(#","sign":"阿里云""#)
    #expect(
      String(decoding: Webhook(secret: nil).request(for: message, attempt: 1, now: 0).body, as: UTF8.self)
        == #"{"id":"m-1","to":"+8613800138000","attempt":1,"template":"SMS_1","template_params":{"code":"123456"},"sign":"阿里云"}"#
    )
    let answer = HTTPAnswer(status: 200, head: "HTTP/1.1 200 OK", body: [])
    #expect(Webhook(secret: nil).reading(answer, to: message, now: 0) == .accepted(providerID: "", segments: nil))
  }

  @Test(
    "The status alone says what became of a message",
    arguments: [
      (200, GatewayAnswer.accepted(providerID: "", segments: 1)), (201, .accepted(providerID: "", segments: 1)),
      (204, .accepted(providerID: "", segments: 1)), (299, .accepted(providerID: "", segments: 1)),
      (400, .permanentFailure(code: "400", reason: "Said")), (406, .permanentFailure(code: "406", reason: "Said")),
      (413, .permanentFailure(code: "413", reason: "Said")), (422, .permanentFailure(code: "422", reason: "Said")),
      (451, .permanentFailure(code: "451", reason: "Said")), (499, .permanentFailure(code: "499", reason: "Said")),
      (429, .throttled(code: "429", reason: "Said", retryAfter: nil)),
      (503, .throttled(code: "503", reason: "Said", retryAfter: nil)),
      (408, .temporaryFailure(code: "408", reason: "Said", retryAfter: nil)),
      (409, .temporaryFailure(code: "409", reason: "Said", retryAfter: nil)),
      (425, .temporaryFailure(code: "425", reason: "Said", retryAfter: nil)),
      (500, .temporaryFailure(code: "500", reason: "Said", retryAfter: nil)),
      (502, .temporaryFailure(code: "502", reason: "Said", retryAfter: nil)),
      (599, .temporaryFailure(code: "599", reason: "Said", retryAfter: nil)),
      (504, .unknown(code: "504", reason: "Said")),
    ]
  )
  func status(status: Int, expected: GatewayAnswer) throws {
    #expect(try reading(status) == expected)
    // An error page of a proxy, or a cut answer: the same.
    #expect(try reading(status, "<html>") == expected)
    #expect(try reading(status, #"{"outcome":"fail"#, isCut: true) == expected)
    #expect(try reading(status, "[]") == expected)
  }

  @Test(
    "What is wrong with the address or the login makes no dead letters",
    arguments: [301, 302, 307, 308, 401, 402, 403, 404, 405, 407, 410]
  )
  func wrongAddress(status: Int) throws {
    guard case .temporaryFailure("\(status)", _, nil) = try reading(status) else {
      Issue.record("\(try reading(status))")
      return
    }
  }

  @Test("A redirect says where to, and what to do")
  func redirect() throws {
    let answer = try reading(301, "", "Location: https://b.example/sms?token=1")
    #expect(
      answer
        == .temporaryFailure(
          code: "301",
          reason: "the server redirects to https://b.example/sms, which is not followed: correct --gateway",
          retryAfter: nil
        )
    )
  }

  @Test(
    "Behind 2xx an outcome counts, as a program's",
    arguments: [
      (#"{"outcome":"accepted","provider_id":"p","segments":3}"#, GatewayAnswer.accepted(providerID: "p", segments: 3)),
      (#"{"provider_id":"p"}"#, .accepted(providerID: "p", segments: 1)),
      ("{}", .accepted(providerID: "", segments: 1)),
      (#"{"outcome":null}"#, .accepted(providerID: "", segments: 1)),
      (
        #"{"outcome":"throttled","retry_after":"7s"}"#,
        .throttled(code: "throttled", reason: "", retryAfter: .seconds(7))
      ),
      (#"{"outcome":"retry","code":"x"}"#, .temporaryFailure(code: "x", reason: "", retryAfter: nil)),
      (#"{"outcome":"retry","code":"429"}"#, .throttled(code: "429", reason: "", retryAfter: nil)),
      (#"{"outcome":"failed","reason":"no such number"}"#, .permanentFailure(code: "failed", reason: "no such number")),
      (#"{"outcome":"unknown"}"#, .unknown(code: "unknown", reason: "")),
      ("OK", .accepted(providerID: "", segments: 1)), ("", .accepted(providerID: "", segments: 1)),
    ]
  )
  func outcome(body: String, expected: GatewayAnswer) throws { #expect(try reading(200, body) == expected) }

  @Test("An outcome that nobody knows leaves it open")
  func unknownOutcome() throws {
    #expect(try reading(200, #"{"outcome":"sent"}"#).code == "no_answer")
  }

  @Test("Behind another status the body explains, and does not decide")
  func explanation() throws {
    #expect(
      try reading(400, #"{"outcome":"accepted","code":"21211","reason":"no such\nnumber"}"#)
        == .permanentFailure(code: "21211", reason: "no such?number")
    )
    #expect(
      try reading(429, #"{"retry_after":3}"#) == .throttled(code: "429", reason: "Said", retryAfter: .seconds(3))
    )
    #expect(
      try reading(503, #"{"retry_after":3}"#, "Retry-After: 5")
        == .throttled(code: "503", reason: "Said", retryAfter: .seconds(5))
    )
    #expect(
      try reading(500, "", "Retry-After: 5") == .temporaryFailure(code: "500", reason: "Said", retryAfter: .seconds(5))
    )
  }

  @Test("A request is what a program reads, without its ref, with the id in headers")
  func request() throws {
    let message = try TextMessage.sample(text: "hi", from: "ACME", id: "order 4\u{E9}x", expiresAt: 1000)
    let request = Webhook(secret: nil).request(for: message, attempt: 2, now: 1_614_265_330_999)
    let line = ProgramRequest.line(ref: 1, message, attempt: 2)
    #expect(
      String(decoding: request.body, as: UTF8.self) + "\n"
        == String(decoding: line, as: UTF8.self).replacing(#""ref":1,"#, with: "")
    )
    #expect(
      request.headers == [
        "Content-Type: application/json", "Idempotency-Key: order%204%C3%A9x",
        "webhook-id: order%204%C3%A9x",
        "webhook-timestamp: 1614265330",
      ]
    )
  }

  // The example of Standard Webhooks' own libraries.
  @Test("A signature is that of Standard Webhooks")
  func signature() throws {
    let secret = try WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    let signature = secret.signature(
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
      seconds: 1_614_265_330,
      body: Array(#"{"test": 2432232314}"#.utf8)
    )
    #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    let request = Webhook(secret: secret).request(for: try .sample(id: "a.b"), attempt: 1, now: 5999)
    #expect(request.headers.last == "webhook-signature: " + secret.signature(id: "a.b", seconds: 5, body: request.body))
  }

  @Test("A secret is Base64 behind whsec_, and what it is without")
  func secrets() throws {
    // HMAC-SHA256 of RFC 4231's second test case, with the key "Jefe".
    let (plain, encoded) = (try WebhookSecret("Jefe"), try WebhookSecret("whsec_SmVmZQ=="))
    #expect(plain == encoded)
    #expect(try WebhookSecret("whsec_SmVmZTE=") == WebhookSecret("Jefe1"))
    for text in ["", "whsec_", "whsec_abc", "whsec_!!!!", "whsec_====", "whsec_YQ=a"] {
      #expect(throws: HTTPSetupError.self, "\(text)") { try WebhookSecret(text) }
    }
    do {
      _ = try WebhookSecret("whsec_hunter2")
    } catch {
      #expect(!"\(error)".contains("hunter2"))
    }
  }
}
