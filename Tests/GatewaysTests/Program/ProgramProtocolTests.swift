import SMS
import TestSupport
import Testing

@testable import Gateways

@Suite struct ProgramProtocolTests {
  @Test("A request is one line of JSON with all that a provider needs")
  func request() throws {
    let message = try TextMessage.sample(text: "您好\n\"x\"", from: "ACME", expiresAt: 0)
    #expect(
      String(decoding: ProgramRequest.line(ref: 7, message, attempt: 2), as: UTF8.self)
        == #"{"ref":7,"id":"m-1","to":"+8613800138000","text":"您好\n\"x\"","from":"ACME","attempt":2,"segments":1,"#
        + #""encoding":"ucs2","expires_at":"1970-01-01T00:00:00Z"}"# + "\n"
    )
    #expect(
      String(decoding: ProgramRequest.line(ref: 1, try .sample(text: "hi"), attempt: 1), as: UTF8.self)
        == #"{"ref":1,"id":"m-1","to":"+8613800138000","text":"hi","attempt":1,"segments":1,"encoding":"gsm7"}"# + "\n"
    )
  }

  private func request(_ payload: String) throws -> String {
    let message = try TextMessage.decode(payload: Array(payload.utf8), assignedID: "c-1", defaultCountryCode: "86")
    return String(decoding: ProgramRequest.line(ref: 1, message, attempt: 1), as: UTF8.self)
  }

  @Test(
    "Members that smsq does not know, a template's, and user_id, stand at a request's end as their producer wrote them"
  )
  func extras() throws {
    #expect(
      try request(
        #" { "template" : "SMS_1","template_params": {"code":"0123", "n":1.50, "u":"\u4e2d\/"},"to":"+8613800138000","#
          + #""user_id":900719925474099312345, "sign":"公司","x":null , "big":1e400 , "l":[ ] } "#
      )
        == #"{"ref":1,"id":"c-1","to":"+8613800138000","attempt":1,"#
        + #""template" : "SMS_1","template_params": {"code":"0123", "n":1.50, "u":"\u4e2d\/"},"#
        + #""user_id":900719925474099312345,"sign":"公司","x":null,"big":1e400,"l":[ ]}"# + "\n"
    )
    let long = String(repeating: "x", count: 100)
    #expect(
      try request(#"{"user_id":"\#(long)","to":"+8613800138000","text":"hi"}"#).hasSuffix(
        #","user_id":"\#(long)"}"# + "\n"
      )
    )
  }

  @Test("A request is one line, and no member of a payload takes the place of one of its own")
  func ownNames() throws {
    let payload =
      #"{"to":"+8613800138000","text":"hi","from":null,"queued_at":"2026-11-22T11:00:00Z","expires_at":null,"#
      + #""ref":9,"attempt":9,"segments":9,"encoding":"x","r\u0065f":9,"\u0074o2":1,"Ref":9}"#
    #expect(
      try request(payload)
        == #"{"ref":1,"id":"c-1","to":"+8613800138000","text":"hi","attempt":1,"segments":1,"encoding":"gsm7","#
        + #""\u0074o2":1,"Ref":9}"# + "\n"
    )
    #expect(
      try request("{\"to\":\"+8613800138000\",\n\"text\":\"hi\",\r\n\"x\"\n:\r\n[1,\n2]\n}\n")
        .hasSuffix(#","encoding":"gsm7","x" :  [1, 2]}"# + "\n")
    )
  }

  @Test("Of a PHP message the program gets the user's id, of the type that it had")
  func php() throws {
    for (value, json) in [("i:7;", "7"), (#"s:3:"é"";"#, #""é\"""#)] {
      let payload = #"a:4:{s:7:"user_id";\#(value)s:6:"mobile";i:13800138000;s:7:"content";s:2:"hi";s:1:"x";i:1;}"#
      #expect(try request(payload).hasSuffix(#","encoding":"gsm7","user_id":\#(json)}"# + "\n"))
    }
    #expect(try request(#"a:3:{i:0;N;i:1;i:13800138000;i:2;s:2:"hi";}"#).hasSuffix(#","encoding":"gsm7"}"# + "\n"))
  }

  private func answer(_ line: String) throws -> GatewayAnswer? {
    try ProgramAnswer(line: Array(line.utf8))?.answer(ourSegments: 2)
  }

  @Test("An accepted message is accepted, whatever else the answer gets wrong")
  func lenient() throws {
    let lines = [
      #"{"ref":1,"outcome":"accepted"}"#, #"{"outcome":"accepted","ref":1,"provider_id":null,"segments":null}"#,
      #"{"ref":1,"outcome":"accepted","segments":-1}"#, #"{"ref":1,"outcome":"accepted","segments":"many"}"#,
      #"{"ref":1,"outcome":"accepted","segments":1e99,"more":[{"a":1}]}"#,
    ]
    for line in lines { #expect(try answer(line) == .accepted(providerID: "", segments: 2), "\(line)") }
    #expect(
      try answer(#"{"ref":1,"outcome":"accepted","provider_id":12345678901234567890,"segments":3}"#)
        == .accepted(providerID: "12345678901234567890", segments: 3)
    )
  }

  @Test("What goes into logs and dead letters is bounded and printable")
  func bounded() throws {
    let long = String(repeating: "x", count: 1000)
    guard
      case .temporaryFailure(let code, let reason, _) = try answer(
        #"{"ref":1,"outcome":"retry","code":"\#(long)","reason":"a\u0000\n\u001b[31m\#(long)"}"#
      )
    else {
      Issue.record("no retry")
      return
    }
    #expect(code.count == 64)
    #expect(reason.count == 500)
    #expect(reason.hasPrefix("a???[31mx"))
  }

  @Test("A time to wait is a duration or a number of seconds, and nonsense is no time")
  func retryAfter() throws {
    let expected: [(String, Duration?)] = [
      (#""10s""#, .seconds(10)), (#""250ms""#, .milliseconds(250)), (#""5m""#, .seconds(300)), ("10", .seconds(10)),
      (#""1h""#, .seconds(3600)), ("1.5", .milliseconds(1500)), ("0", .zero), ("1e300", .seconds(86_400)),
      (#""9999h""#, .seconds(86_400)), ("-1", nil), (#""-1s""#, nil), (#""soon""#, nil), (#""nan""#, nil),
      (#""inf""#, nil), (#""""#, nil), ("null", nil), ("[1]", nil),
    ]
    for (text, duration) in expected {
      #expect(
        try answer(#"{"ref":1,"outcome":"retry","retry_after":\#(text)}"#)
          == .temporaryFailure(code: "retry", reason: "", retryAfter: duration),
        "\(text)"
      )
    }
  }

  @Test("Whoever says retry with a code of too many messages means throttled")
  func throttled() throws {
    for code in ["throttled", "too_many_requests", "queue_full", "429", "20429", "21611"] {
      let throttled = GatewayAnswer.throttled(code: code, reason: "slow down", retryAfter: .seconds(2))
      #expect(
        try answer(#"{"ref":1,"outcome":"retry","code":"\#(code)","reason":"slow down","retry_after":2}"#) == throttled
      )
      #expect(
        try answer(#"{"ref":1,"outcome":"throttled","code":"\#(code)","reason":"slow down","retry_after":2}"#)
          == throttled
      )
    }
    #expect(
      try answer(#"{"ref":1,"outcome":"retry","code":429}"#) == .throttled(code: "429", reason: "", retryAfter: nil)
    )
    for code in ["4290", "503", "", "Throttled?"] {
      #expect(try answer(#"{"ref":1,"outcome":"retry","code":"\#(code)"}"#)?.code == (code.isEmpty ? "retry" : code))
      guard case .temporaryFailure = try answer(#"{"ref":1,"outcome":"retry","code":"\#(code)"}"#) else {
        Issue.record("'\(code)' is taken for throttled")
        continue
      }
    }
    #expect(try answer(#"{"ref":1,"outcome":"failed","code":"429"}"#) == .permanentFailure(code: "429", reason: ""))
  }

  @Test("An outcome must be one of the five")
  func outcome() throws {
    for outcome in [#""Accepted""#, #""ok""#, "1", "null", "true", #"["accepted"]"#] {
      #expect(try answer(#"{"ref":1,"outcome":\#(outcome)}"#) == nil)
    }
    #expect(try answer(#"{"ref":1,"outcome":"failed"}"#) == .permanentFailure(code: "failed", reason: ""))
    #expect(try answer(#"{"ref":1,"outcome":"unknown"}"#) == .unknown(code: "unknown", reason: ""))
    #expect(
      try answer(#"{"ref":1,"outcome":"throttled"}"#) == .throttled(code: "throttled", reason: "", retryAfter: nil)
    )
  }

  @Test("A mutated answer is read or refused, and nothing worse")
  func mutated() async {
    var random = SeededGenerator(seed: 4)
    let line = Array(#"{"ref":12,"outcome":"retry","code":"c","reason":"é","retry_after":"1.5s","segments":3}"#.utf8)
    for round in 0..<20_000 {
      // Other tests wait for the same few threads.
      if round % 50 == 0 { await Task.yield() }
      var line = line
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        line[Int.random(in: line.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      _ = try? ProgramAnswer(line: line)?.answer(ourSegments: 1)
    }
  }
}
