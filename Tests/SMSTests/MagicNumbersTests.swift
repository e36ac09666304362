import Testing

@testable import SMS

@Suite struct MagicNumbersTests {
  /// The code of the answer, or `accepted`.
  private func answer(to: String, from: String?, ratio: Double = 0) async throws -> String {
    var options = SimulatorOptions()
    options.failureRatio = ratio
    switch try await SimulatedGateway(options).send(.sample(to: to, from: from), attempt: 1) {
    case .accepted: return "accepted"
    case .throttled(let code, _, _): return "throttled \(code)"
    case .temporaryFailure(let code, _, _): return "temporary \(code)"
    case .permanentFailure(let code, _): return "permanent \(code)"
    case .unknown(let code, _): return "unknown \(code)"
    }
  }

  @Test(
    "Twilio's test numbers get Twilio's answers",
    arguments: [
      ("+15005550001", nil, "permanent 21211"),
      ("+15005550002", nil, "permanent 21612"),
      ("+15005550003", nil, "permanent 21408"),
      ("+15005550004", nil, "permanent 21610"),
      ("+15005550009", nil, "permanent 21614"),
      ("+15005550005", nil, "accepted"),
      ("+15005550011", nil, "accepted"),
      ("+150055500010", nil, "accepted"),
      ("+8613800138000", "+15005550001", "permanent 21212"),
      ("+8613800138000", "+15005550007", "permanent 21606"),
      ("+8613800138000", "+15005550008", "throttled 21611"),
      ("+8613800138000", "+15005550006", "accepted"),
      ("+15005550002", "+15005550008", "throttled 21611"),
      ("+15005550002", "+15005550006", "permanent 21612"),
    ] as [(String, String?, String)]
  )
  func answers(to: String, from: String?, expected: String) async throws {
    #expect(try await answer(to: to, from: from) == expected)
  }

  @Test("Magic numbers are answered before anything is drawn")
  func beforeDraws() async throws {
    #expect(try await answer(to: "+15005550001", from: nil, ratio: 1) == "permanent 21211")
    #expect(try await answer(to: "+15005550006", from: nil, ratio: 1) == "temporary system_error")
  }
}
