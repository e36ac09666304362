import MessageQueue
import Simulation
import Testing

@Suite struct SimulatedElementTests {
  /// What a JSON string holds as it is, and what it does not.
  private static let texts: [String?] = [
    nil, "", "91c5f0a2b3d4e6f7-000000002a", "a/b", "\"\\", "naïve 短信 👩‍👩‍👧", "\u{1}\t\n\u{7f}",
  ]

  @Test("An element has the bytes of the real one, and knows how many, whatever its header says", arguments: texts)
  func bytes(text: String?) {
    for other in Self.texts {
      for count in [0, 9, 10, 99, 100, 1_000_000] {
        for payload in [[], Array("m1".utf8), Array("smsq1 {\"id\":1}\n".utf8)] {
          let history = MessageHistory(id: text, failures: count, crashes: 1_000_000 - count)
          let simulated = SimulatedElement(history: history, reason: other, payload: payload)
          let real = Element(history: history, reason: other, payload: payload).sealed
          #expect(simulated.sealed == real)
          #expect(simulated.byteCount == real.count)
          #expect(SimulatedElement(pushed: real) == simulated)
        }
      }
    }
  }

  @Test("A payload is what it is, also where it looks like an element")
  func payloads() {
    for text in ["", "m1", "smsq1 {", "smsq1 {oops\nm1", "SMSQ1 {}\n", "smsq1 {} trailing"] {
      let simulated = SimulatedElement(pushed: Array(text.utf8))
      #expect(simulated == SimulatedElement(payload: Array(text.utf8)))
      #expect(simulated.sealed == Array(text.utf8) && simulated.byteCount == text.utf8.count)
    }
  }

  @Test("A sorted set stands by score, then by bytes, and holds one of a kind")
  func sortedSet() {
    var set = SimulatedSortedSet()
    let elements = ["b", "a", "smsq1 x", "c", "zz"].map { SimulatedElement(payload: Array($0.utf8)) }
    let enveloped = SimulatedElement(history: MessageHistory(id: "x", crashes: 10), payload: [])
    for element in elements + [enveloped, SimulatedElement(history: MessageHistory(id: "x", crashes: 9), payload: [])] {
      set.add(element, score: 5)
    }
    set.add(elements[3], score: 9)
    set.add(elements[3], score: 1)
    let shown = set.members.map { String(decoding: $0.element.sealed.prefix(16), as: UTF8.self) }
    #expect(shown == ["c", "a", "b", "smsq1 x", "smsq1 {\"crashes\"", "smsq1 {\"crashes\"", "zz"])
    #expect(set.members[4].element == enveloped)
    #expect(set.members.map(\.score) == [1, 5, 5, 5, 5, 5, 5])
    #expect(set.count(upTo: 0) == 0 && set.count(upTo: 1) == 1 && set.count(upTo: 5) == 7)
    #expect(set.index(ofSealed: enveloped.sealed) == 4)
    let removed = [set.remove(enveloped), set.remove(enveloped)]
    #expect(removed == [true, false])
  }
}
