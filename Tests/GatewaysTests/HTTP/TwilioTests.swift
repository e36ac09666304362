import SMS
import Testing

@testable import Gateways

@Suite struct TwilioTests {
  private func form(_ sender: TwilioAccount.Sender?, _ message: TextMessage, now: Int64 = 0) -> String {
    String(decoding: Twilio(sender: sender).request(for: message, attempt: 1, now: now).body, as: UTF8.self)
  }

  private func reading(_ status: Int, _ body: String, _ headers: String...) throws -> GatewayAnswer {
    let head = (["HTTP/1.1 \(status) Said"] + headers).joined(separator: "\r\n")
    let answer = HTTPAnswer(status: status, head: head, body: Array(body.utf8))
    return Twilio(sender: nil).reading(answer, to: try .sample(), now: 0)
  }

  @Test("A message is a form")
  func request() throws {
    let message = try TextMessage.sample(text: "a&b=c +%您\n")
    #expect(form(nil, message) == "To=%2B8613800138000&Body=a%26b%3Dc%20%2B%25%E6%82%A8%0A")
  }

  @Test("A template is refused, and says why")
  func template() throws {
    #expect(Twilio(sender: nil).refusal(of: try .sample()) == nil)
    let refusal = Twilio(sender: nil).refusal(of: try .templateSample())
    guard case .permanentFailure("template", let reason) = refusal else {
      Issue.record("\(String(describing: refusal))")
      return
    }
    #expect(reason.contains("texts only"))
  }

  @Test("The message's own sender comes before the standard one")
  func sender() throws {
    let service = TwilioAccount.Sender("MG0123456789abcdef0123456789ABCDEF")
    #expect(service == .service("MG0123456789abcdef0123456789ABCDEF"))
    #expect(TwilioAccount.Sender("+15005550006") == .address("+15005550006"))
    #expect(TwilioAccount.Sender("MGMT") == .address("MGMT"))
    #expect(form(service, try .sample()).hasSuffix("&MessagingServiceSid=MG0123456789abcdef0123456789ABCDEF"))
    #expect(form(.address("+15005550006"), try .sample()).hasSuffix("&From=%2B15005550006"))
    #expect(form(service, try .sample(from: "ACME")).hasSuffix("&From=ACME"))
  }

  @Test(
    "Twilio lets a message wait no longer than it is of use",
    arguments: [
      (61_500 as Int64, "61"), (500, "1"), (-5000, "1"), (90_000_000, "36000"),
    ]
  )
  func validity(left: Int64, expected: String) throws {
    let now: Int64 = 1_700_000_000_000
    #expect(form(nil, try .sample(expiresAt: now + left), now: now).hasSuffix("&ValidityPeriod=\(expected)"))
  }

  @Test("The URL is the account's, at whatever host")
  func url() {
    var account = TwilioAccount(sid: "AC1", user: "AC1", password: "t")
    #expect(account.messagesURL == "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json")
    account.baseURL = "http://127.0.0.1:1/x//"
    #expect(account.messagesURL == "http://127.0.0.1:1/x/2010-04-01/Accounts/AC1/Messages.json")
  }

  @Test(
    "What Twilio takes has its SID, and its count where it has one",
    arguments: [
      (#"{"sid":"SM1","num_segments":"3","status":"queued","error_code":null}"#, "SM1", 3),
      (#"{"sid":"SM1","num_segments":"0","status":"accepted"}"#, "SM1", 1), (#"{"sid":"SM1"}"#, "SM1", 1), ("", "", 1),
      ("<html>", "", 1),
    ]
  )
  func accepted(body: String, sid: String, segments: Int) throws {
    #expect(try reading(201, body) == .accepted(providerID: sid, segments: segments))
  }

  @Test(
    "Twilio's codes mean what its pages say",
    arguments: [
      (20429, 429, "slower"), (21611, 429, "slower"), (21611, 400, "slower"), (30001, 400, "slower"),
      (14107, 429, "slower"),
      (63038, 429, "slower"), (99999, 429, "slower"),
      (21211, 400, "never"), (21212, 400, "never"), (21408, 403, "never"), (21610, 400, "never"), (21612, 400, "never"),
      (21614, 400, "never"), (21617, 400, "never"), (21606, 400, "never"), (21608, 400, "never"), (21603, 400, "never"),
      (99999, 400, "never"), (99999, 422, "never"),
      (20003, 401, "later"), (20003, 403, "later"), (20404, 404, "later"), (20403, 403, "later"), (20005, 403, "later"),
      (21701, 404, "later"), (21704, 400, "later"), (30002, 400, "later"), (99999, 401, "later"), (99999, 404, "later"),
      (20503, 503, "later"), (99999, 503, "later"),
      (20500, 500, "unknown"), (99999, 500, "unknown"), (99999, 502, "unknown"), (99999, 504, "unknown"),
    ]
  )
  func errors(code: Int, status: Int, meaning: String) throws {
    let answer = try reading(status, #"{"code":\#(code),"message":"Said of +8613800138000","status":\#(status)}"#)
    let expected =
      switch answer {
      case .permanentFailure("\(code)", let reason): ("never", reason)
      case .throttled("\(code)", let reason, nil): ("slower", reason)
      case .temporaryFailure("\(code)", let reason, nil): ("later", reason)
      case .unknown("\(code)", let reason): ("unknown", reason)
      default: ("\(answer)", "")
      }
    #expect(expected.0 == meaning)
    #expect(!expected.1.isEmpty)
    #expect(!expected.1.contains("13800138000"))
  }

  @Test(
    "What comes from in between counts by its status",
    arguments: [
      (429, "", "429"), (502, "<html>", "502"), (404, "nothing here", "404"), (302, "", "302"),
    ]
  )
  func inBetween(status: Int, body: String, code: String) throws {
    let answer = try reading(status, body)
    #expect(answer.code == code)
    if case .permanentFailure = answer { Issue.record("\(answer)") }
  }

  @Test("A throttle has the time that Twilio names")
  func retryAfter() throws {
    #expect(
      try reading(429, #"{"code":20429}"#, "Retry-After: 4")
        == .throttled(code: "20429", reason: "too many requests", retryAfter: .seconds(4))
    )
  }

  @Test("A message that was made and failed at once has failed")
  func failedAtOnce() throws {
    let body = #"{"sid":"SM1","status":"failed","error_code":30006,"error_message":"Landline"}"#
    #expect(
      try reading(201, body)
        == .permanentFailure(code: "30006", reason: "the recipient is a landline, or cannot be reached")
    )
  }

  @Test(
    "Numbers that Twilio repeats are not shown",
    arguments: [
      ("'+8613800138000' is no number", "'+****' is no number"), ("error 21211: 1600 of 1", "error 21211: 1600 of 1"),
      ("1234567", "****"), ("", ""), ("您 +15005550001", "您 +****"),
    ]
  )
  func redaction(text: String, shown: String) { #expect(Twilio.withoutNumbers(text) == shown) }
}
