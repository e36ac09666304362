import Testing

@testable import Gateways

@Suite struct HTTPAnswerTests {
  /// Sun, 06 Nov 1994 08:49:37 GMT
  private static let then: Int64 = 784_111_777_000

  private func answer(_ status: Int = 429, _ headers: String...) -> HTTPAnswer {
    HTTPAnswer(
      status: status,
      head: (["HTTP/1.1 \(status) Words of it"] + headers + ["", ""]).joined(separator: "\r\n"),
      body: []
    )
  }

  @Test(
    "A date is read in each of the three forms that HTTP has",
    arguments: [
      ("Sun, 06 Nov 1994 08:49:37 GMT", then as Int64?), ("Sunday, 06-Nov-94 08:49:37 GMT", then),
      ("Sun Nov  6 08:49:37 1994", then), ("Sun, 6 Nov 1994 08:49:37 UTC", then),
      ("Fri, 27 Nov 2026 00:00:00 GMT", 1_795_737_600_000), ("Friday, 27-Nov-26 00:00:00 GMT", 1_795_737_600_000),
      ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199_000), ("Wed, 29 Feb 2023 23:59:59 GMT", nil),
      ("Sun, 06 Nov 1994 08:49:37 PST", nil), ("Sun, 06 Nov 1994 08:49:37", nil),
      ("Sun, 06 Nov 1994 24:49:37 GMT", nil),
      ("Sun, 32 Nov 1994 08:49:37 GMT", nil), ("Sun, 06 Foo 1994 08:49:37 GMT", nil), ("1994-11-06T08:49:37Z", nil),
      ("", nil), ("a b c d e f", nil), ("Sun, 06 Nov 19940 08:49:37 GMT", nil),
    ]
  )
  func dates(text: String, expected: Int64?) {
    #expect(HTTPDate.milliseconds(text) == expected, "\(text)")
  }

  @Test(
    "Retry-After is seconds or a date, and a day at most",
    arguments: [
      ("120", Duration.seconds(120) as Duration?), ("0", .zero), ("1.5", .seconds(1.5)),
      ("999999999", .seconds(86_400)),
      ("1e300", .seconds(86_400)), ("Sun, 06 Nov 1994 08:50:37 GMT", .seconds(60)),
      ("Sun, 06 Nov 1994 08:00:00 GMT", .zero),
      ("Tue, 06 Nov 2094 08:00:00 GMT", .seconds(86_400)),
      ("-5", nil), ("soon", nil), ("", nil), ("1 minute", nil), ("inf", nil), ("nan", nil), ("0x10p", nil),
    ]
  )
  func retryAfter(value: String, expected: Duration?) {
    #expect(answer(429, "retry-after: \(value)").retryAfter(now: Self.then) == expected, "\(value)")
    #expect(answer(429).retryAfter(now: Self.then) == nil)
  }

  @Test("A date is read by the clock of the server that wrote it")
  func skewedClock() {
    let skewed = answer(503, "Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sun, 06 Nov 1994 08:49:47 GMT")
    #expect(skewed.retryAfter(now: Self.then + 3_600_000) == .seconds(10))
    let unreadable = answer(503, "Date: today", "Retry-After: Sun, 06 Nov 1994 08:49:47 GMT")
    #expect(unreadable.retryAfter(now: Self.then) == .seconds(10))
  }

  @Test("A header is found whatever its case, and the first of its name counts")
  func headers() {
    let answer = answer(200, "X-A:  one ", "x-a: two", "Empty:", "no colon")
    #expect(answer.header("x-A") == "one")
    #expect(answer.header("empty") == "")
    #expect(answer.header("X-B") == nil)
    #expect(answer.statusText == "Words of it")
    #expect(HTTPAnswer(status: 204, head: "HTTP/2 204 \r\n", body: []).statusText == "HTTP status 204")
    #expect(HTTPAnswer(status: 204, head: "", body: []).statusText == "HTTP status 204")
  }

  @Test("Where a redirect leads is shown without what a query may hold")
  func redirect() {
    #expect(answer(302, "Location: https://a.example/x?token=1#y").redirect == "https://a.example/x")
    #expect(answer(302).redirect == nil)
    #expect(answer(200, "Location: https://a.example/").redirect == nil)
  }
}
