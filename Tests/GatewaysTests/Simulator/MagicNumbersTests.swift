import Foundation
import TestSupport
import Testing

@testable import Gateways

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

  @Test("docs/gateways.md lists each magic number with its code, and with what the worker does")
  func documented() async throws {
    let page = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../docs/gateways.md")
    var listed: [String: [String]] = [:]
    for line in try String(contentsOf: page, encoding: .utf8).split(separator: "\n") where line.hasPrefix("| `+1500555")
    {
      let cells = line.split(separator: "|").map { $0.filter { $0 != "`" }.trimmingCharacters(in: .whitespaces) }
      let number = cells[0]
      let previous = listed.updateValue(cells, forKey: "\(cells[1]) \(number)")
      #expect(previous == nil, "\(line)")
    }
    for digit in 0...9 {
      for role in ["to", "from"] {
        let number = "+1500555000\(digit)"
        let answer =
          role == "to" ? try await answer(to: number, from: nil) : try await answer(to: "+8613800138000", from: number)
        let cells = listed.removeValue(forKey: "\(role) \(number)")
        let words = answer.split(separator: " ").map(String.init)
        let code = words.count > 1 ? words[1] : ""
        #expect((cells?[2] ?? "") == code, "\(role) \(number)")
        let outcome = cells?[4].prefix { $0.isLetter } ?? "sent"
        #expect(
          outcome == (code.isEmpty ? "sent" : words[0] == "permanent" ? "dead" : "throttled"),
          "\(role) \(number)"
        )
      }
    }
    #expect(listed.isEmpty)
  }

  @Test("Magic numbers are answered before anything is drawn")
  func beforeDraws() async throws {
    #expect(try await answer(to: "+15005550001", from: nil, ratio: 1) == "permanent 21211")
    #expect(try await answer(to: "+15005550006", from: nil, ratio: 1) == "temporary system_error")
  }
}
