import RedisClient
import Testing

@testable import Reports

@Suite("TLS check")
struct TLSCheckTests {
  private static let day: Int64 = 86_400

  @Test(
    "A certificate is warned of when a tenth of its time, or two weeks, are left",
    arguments: [
      (365, 20, .ok), (365, 15, .ok), (365, 14, .warning), (365, 1, .warning), (90, 10, .ok), (90, 9, .warning),
      (10, 2, .ok), (10, 1, .warning),
    ] as [(Int64, Int64, Finding.Level)]
  )
  func span(days: Int64, left: Int64, level: Finding.Level) {
    let now: Int64 = 1_800_000_000
    let end = now + left * Self.day
    let span = CertificateSpan(begin: end - days * Self.day, end: end)
    let finding = TLSCheck.finding(RedisTLS(), span, now: now * 1000)
    #expect(finding.level == level)
    #expect(finding.found.contains("good until 2027-"))
  }

  @Test("One that is not looked at is warned of, whatever it says")
  func insecure() {
    var tls = RedisTLS()
    tls.isInsecure = true
    let finding = TLSCheck.finding(tls, CertificateSpan(begin: 0, end: .max / 10_000), now: 0)
    #expect(finding.level == .warning && finding.hint?.contains("--redis-insecure") == true)
  }
}
