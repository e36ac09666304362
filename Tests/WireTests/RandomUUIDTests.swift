import Foundation
import Testing

@testable import Wire

@Suite struct RandomUUIDTests {
  @Test("The bytes are written in order, as hexadecimal digits in lower case, around the version and the variant")
  func text() {
    for (high, low, text) in [
      (0x0011_2233_4455_6677, 0x8899_AABB_CCDD_EEFF, "00112233-4455-4677-8899-aabbccddeeff"),
      (0xFEDC_BA98_7654_3210, 0x0123_4567_89AB_CDEF, "fedcba98-7654-4210-8123-456789abcdef"),
      (0, 0, "00000000-0000-4000-8000-000000000000"),
      (.max, .max, "ffffffff-ffff-4fff-bfff-ffffffffffff"),
    ] as [(UInt64, UInt64, String)] {
      let id = RandomUUID(high: high, low: low)
      #expect(id.text == text)
      var bytes = Array("id=".utf8)
      id.append(to: &bytes)
      #expect(String(decoding: bytes, as: UTF8.self) == "id=" + text)
    }
  }

  @Test("Each is a UUID of version 4 and of RFC 9562's variant, and no two are the same, whoever makes them")
  func many() async {
    let made = await withTaskGroup(of: [String].self) { group in
      for _ in 0..<4 { group.addTask { (0..<10_000).map { _ in RandomUUID().text } } }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(Set(made).count == 40_000)
    for text in made {
      let characters = Array(text)
      guard UUID(uuidString: text)?.uuidString.lowercased() == text, characters[14] == "4",
        "89ab".contains(characters[19])
      else {
        Issue.record("\(text) is no random UUID")
        return
      }
    }
  }

  @Test("Every bit but the six fixed ones is set in about half of them")
  func bits() {
    var counts = [Int](repeating: 0, count: 128)
    for _ in 0..<4_096 {
      let digits = RandomUUID().text.filter { $0 != "-" }.compactMap(\.hexDigitValue)
      for bit in 0..<128 where digits[bit / 4] >> (3 - bit % 4) & 1 == 1 { counts[bit] += 1 }
    }
    let fixed = [48: 0, 49: 4_096, 50: 0, 51: 0, 64: 4_096, 65: 0]
    // 2,048, and ten standard deviations of 32 either way: wrong once in 10^21 runs.
    for (bit, count) in counts.enumerated() {
      #expect(fixed[bit].map { $0 == count } ?? (1_728...2_368).contains(count))
    }
  }
}
