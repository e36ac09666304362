import TestSupport
import Testing

@testable import SMS

@Suite struct SegmentationTests {
  private static func gsm(_ units: Int, _ segments: Int) -> String { "gsm7 \(units) \(segments)" }
  private static func ucs2(_ units: Int, _ segments: Int) -> String { "ucs2 \(units) \(segments)" }

  private func counted(_ text: String) -> String {
    let counted = Segmentation(of: text)
    return "\(counted.encoding.rawValue) \(counted.units) \(counted.segments)"
  }

  private static func times(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

  @Test(
    "Texts at and around the limits count as Twilio's calculator counts them",
    arguments: [
      ("", gsm(0, 1)),
      ("a", gsm(1, 1)),
      (times("a", 160), gsm(160, 1)),
      (times("a", 161), gsm(161, 2)),
      (times("a", 306), gsm(306, 2)),
      (times("a", 307), gsm(307, 3)),
      (times("a", 459), gsm(459, 3)),
      (times("a", 460), gsm(460, 4)),
      // An extension character is two septets, and is not cut in two.
      ("{" + times("a", 158), gsm(160, 1)),
      ("{" + times("a", 159), gsm(161, 2)),
      (times("€", 80), gsm(160, 1)),
      (times("€", 81), gsm(162, 2)),
      (times("a", 152) + "{" + times("a", 152), gsm(306, 3)),
      (times("a", 151) + "{" + times("a", 153), gsm(306, 2)),
      // 76 brackets a part: 153 of them need three parts, though 306 septets would fit two.
      (times("]", 152), gsm(304, 2)),
      (times("]", 153), gsm(306, 3)),
      ("\u{0C}", gsm(2, 1)),
      // One character outside GSM 03.38 turns the rest to UCS-2, where a bracket is one unit.
      (times("中", 70), ucs2(70, 1)),
      (times("中", 71), ucs2(71, 2)),
      (times("中", 134), ucs2(134, 2)),
      (times("中", 135), ucs2(135, 3)),
      ("😜" + times("]", 68), ucs2(70, 1)),
      ("😜" + times("]", 69), ucs2(71, 2)),
      // A surrogate pair that straddles a boundary moves to the next part.
      (times("中", 66) + "😜" + times("中", 66), ucs2(134, 3)),
      (times("中", 65) + "😜" + times("中", 67), ucs2(134, 2)),
      (times("😜", 35), ucs2(70, 1)),
      (times("😜", 36), ucs2(72, 2)),
      (times("😜", 67), ucs2(134, 3)),
      // So does a cluster: a flag, a family, a letter with a separate accent.
      (times("中", 64) + "🇮🇹" + times("中", 66), ucs2(134, 3)),
      (times("中", 60) + "👨‍👩‍👧" + times("中", 66), ucs2(134, 3)),
      (times("e\u{301}", 70), ucs2(140, 3)),
      ("🏳️‍🌈" + times("a", 64), ucs2(70, 1)),
      ("🏳️‍🌈" + times("a", 65), ucs2(71, 2)),
      // CR LF is two characters, also to UCS-2 and at a boundary.
      (times("a", 80) + "\r\n" + times("a", 79), gsm(161, 2)),
      (times("a", 80) + "\n" + times("a", 79), gsm(160, 1)),
      (times("a", 200) + "\r\n" + times("a", 105), gsm(307, 3)),
      (times("中", 66) + "\r\n" + times("中", 66), ucs2(134, 2)),
      (times("中", 66) + "\r\n" + times("中", 67), ucs2(135, 3)),
      // Outside GSM 03.38: small ç, the acute vowels, the back-tick, tab, NUL, ESC, the Ohm sign.
      ("ç", ucs2(1, 1)),
      ("á", ucs2(1, 1)),
      ("`", ucs2(1, 1)),
      ("\t", ucs2(1, 1)),
      ("\u{0}", ucs2(1, 1)),
      ("\u{1B}", ucs2(1, 1)),
      ("\u{2126}", ucs2(1, 1)),
      ("Ç", gsm(1, 1)),
      ("é", gsm(1, 1)),
    ] as [(String, String)]
  )
  func counts(text: String, expected: String) {
    #expect(counted(text) == expected)
  }

  @Test("Exactly the characters of GSM 03.38 are GSM, out of all of Unicode")
  func alphabet() {
    for value in 0...UInt32(0x10FFFF) {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let counted = Segmentation(of: String(Character(scalar)))
      let septets = ReferenceSegmentation.septets[scalar]
      guard (counted.encoding == .gsm7 ? counted.units : nil) == septets else {
        Issue.record("U+\(String(value, radix: 16)) counts as \(counted), and not as \(String(describing: septets))")
        return
      }
    }
  }

  @Test("Eight characters that are taken for basic cost a septet each, whichever they are and wherever they stand")
  func eightBasic() {
    func isBasic(_ byte: UInt8) -> Bool {
      byte < 0x80 && GSM0338.septets(ascii: byte) == 1 && !"\n\r_".utf8.contains(byte)
    }
    func word(_ bytes: [UInt8]) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    for byte in UInt8.min ... .max {
      for place in 0..<8 {
        for other in "a @Z~".utf8 {
          var bytes = [UInt8](repeating: other, count: 8)
          bytes[place] = byte
          #expect(GSM0338.areBasic(word(bytes)) == bytes.allSatisfy(isBasic), "\(bytes)")
        }
      }
    }
    var random = SeededGenerator(seed: 1)
    for _ in 0..<10_000 {
      let bytes = (0..<8).map { _ in UInt8.random(in: 0x18...0x7F, using: &random) }
      #expect(GSM0338.areBasic(word(bytes)) == bytes.allSatisfy(isBasic), "\(bytes)")
    }
  }

  @Test("Scalars that are taken for plain are one unit each, and no two of them make a cluster")
  func plainScalars() {
    let plain = (0...UInt32(0xFFFF)).compactMap(Unicode.Scalar.init).filter(Segmentation.isPlain)
    #expect(plain.count > 30_000)
    // A Hangul syllable is joined by what is no syllable, and no other class of these by anything but the marks behind it.
    let lonely: Set<GraphemeBreak> = [.other, .control, .hangulLV, .hangulLVT]
    #expect(plain.allSatisfy { lonely.contains(GraphemeBreak(of: $0)) })
    #expect((UInt32(0x10000)...0x10FFFF).allSatisfy { !Segmentation.isPlain(Unicode.Scalar($0)!) })
  }

  @Test(
    "Random texts count as in a slow and obvious count, and never less than if only surrogates were kept together",
    arguments: 0..<4
  )
  func randomTexts(seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    for _ in 0..<13_000 {
      let text = ReferenceSegmentation.randomText(using: &random)
      let expected = ReferenceSegmentation(of: text)
      let counted = Segmentation(of: text)
      let parts = Segmentation.parts(of: text)
      guard counted.units == expected.units, counted.segments == expected.segments,
        (counted.encoding == .gsm7) == expected.isGSM, counted.segments >= expected.segmentsByUnit,
        parts.count == counted.segments, parts.reduce(0, +) == counted.units,
        parts.allSatisfy({ $0 <= (parts.count == 1 ? 160 : 153) && (expected.isGSM || $0 <= 70) })
      else {
        Issue.record("\(text.debugDescription) counts as \(counted) in \(parts), and not as \(expected)")
        return
      }
    }
  }

  @Test("Whatever stands in a cluster, what comes next belongs to it or not as in a look at the whole cluster")
  func everyCluster() {
    var seen = 0
    func walk(_ clusters: GraphemeClusters, _ cluster: [GraphemeBreak]) {
      for next in GraphemeBreak.allCases {
        var clusters = clusters
        let isJoined = clusters.joinsNext(next)
        let expected = ReferenceSegmentation.isJoined(next, to: cluster)
        if isJoined != expected { Issue.record("\(next) behind \(cluster): \(isJoined)") }
        seen += 1
        // What is not joined begins anew, which is the walk's beginning.
        if isJoined && cluster.count < 7 { walk(clusters, cluster + [next]) }
      }
    }
    for first in GraphemeBreak.allCases {
      var clusters = GraphemeClusters()
      let isJoined = clusters.joinsNext(first)
      #expect(!isJoined)
      walk(clusters, [first])
    }
    #expect(seen > 100_000)
  }

  @Test("Clusters of up to 32 units count as in the calculator; of longer ones it overfills the second part")
  func longClusters() {
    func cluster(_ units: Int) -> String { "中" + Self.times("\u{301}", units - 1) }
    var random = SeededGenerator(seed: 32)
    for _ in 0..<3_000 {
      let text = (0..<Int.random(in: 2...12, using: &random)).map { _ in
        Bool.random(using: &random) ? "中" : cluster(Int.random(in: 1...32, using: &random))
      }.joined()
      #expect(Segmentation(of: text).segments == ReferenceSegmentation(of: text).segments, "\(text.debugDescription)")
    }
    let overfull = Self.times("中", 35) + cluster(33) + "中中" + cluster(33)
    #expect(ReferenceSegmentation(of: overfull).segments == 2)
    #expect(Segmentation(of: overfull).segments == 3)
  }

  @Test("A cluster longer than a part is cut, and costs no more time than its length")
  func hugeClusters() {
    #expect(counted("e" + Self.times("\u{301}", 66)) == Self.ucs2(67, 1))
    #expect(counted("e" + Self.times("\u{301}", 133)) == Self.ucs2(134, 2))
    #expect(counted("中中中" + Self.times("\u{301}", 131)) == Self.ucs2(134, 2))
    #expect(counted("e" + Self.times("\u{301}", 500_000)) == Self.ucs2(500_001, 7463))
    #expect(Segmentation(of: Self.times("🇮🇹", 100_000)).units == 400_000)
  }
}

/// What Twilio's calculator was seen to do, step by step and in bits: fill a part of 1,120 bits; when the next piece does
/// not fit, give the first part its 48 bits of header, move what does not fit any more to the next part, and go on.
struct ReferenceSegmentation {
  static let septets: [Unicode.Scalar: Int] = {
    let basic =
      "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
      + "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
    var septets: [Unicode.Scalar: Int] = [:]
    for scalar in basic.unicodeScalars { septets[scalar] = 1 }
    for scalar in "\u{0C}^{}\\[~]|€".unicodeScalars { septets[scalar] = 2 }
    return septets
  }()

  let isGSM: Bool
  let units: Int
  let segments: Int
  /// The same for a provider that keeps nothing together but a surrogate pair, and an extension character with its escape.
  let segmentsByUnit: Int

  init(of text: String) {
    let scalars = Array(text.unicodeScalars)
    isGSM = scalars.allSatisfy { Self.septets[$0] != nil }
    let single = isGSM ? scalars.map { Self.septets[$0]! * 7 } : scalars.map { UTF16.width($0) * 16 }
    units = single.reduce(0, +) / (isGSM ? 7 : 16)
    segments = Self.parts(isGSM ? single : Self.clusters(scalars).map { $0 * 16 })
    segmentsByUnit = Self.parts(single)
  }

  private static func parts(_ pieces: [Int]) -> Int {
    var parts: [(pieces: [Int], bits: Int)] = [([], 0)]
    for piece in pieces {
      if parts[parts.count - 1].bits + piece > 1120 {
        var moved: [Int] = []
        if parts.count == 1 {
          parts[0].bits += 48
          while parts[0].bits > 1120 {
            moved.insert(parts[0].pieces.removeLast(), at: 0)
            parts[0].bits -= moved[0]
          }
        }
        parts.append((moved, 48 + moved.reduce(0, +)))
      }
      parts[parts.count - 1].pieces.append(piece)
      parts[parts.count - 1].bits += piece
    }
    return parts.count
  }

  /// The UTF-16 code units of each cluster.
  private static func clusters(_ scalars: [Unicode.Scalar]) -> [Int] {
    let breaks = scalars.map(GraphemeBreak.init)
    var start = 0
    var units: [Int] = []
    for (index, scalar) in scalars.enumerated() {
      let width = UTF16.width(scalar)
      if isJoined(breaks[index], to: Array(breaks[start..<index])) {
        units[units.count - 1] += width
      } else {
        units.append(width)
        start = index
      }
    }
    return units
  }

  /// Looks at the whole cluster, where the count keeps a few facts of it.
  static func isJoined(_ next: GraphemeBreak, to cluster: [GraphemeBreak]) -> Bool {
    guard let last = cluster.last else { return false }
    if last == .control || next == .control { return false }
    // A pair that begins the cluster is a flag, and so is one half behind one prepended sign: it takes one mark.
    if cluster.count > 2 && cluster[1] == .regionalIndicator { return false }
    let takesTone: [GraphemeBreak] = [.emojiBase, .emojiBaseAfterZWJ]
    let marks: [GraphemeBreak] = [.extend, .zeroWidthJoiner, .spacingMark]
    if marks.contains(next) || last == .prepend { return true }
    switch next {
    case .hangulL, .hangulLV, .hangulLVT: return last == .hangulL
    case .hangulV: return last == .hangulL || last == .hangulV || last == .hangulLV
    case .hangulT: return last == .hangulV || last == .hangulT || last == .hangulLV || last == .hangulLVT
    case .emojiModifier:
      guard let mark = cluster.lastIndex(of: .extend) else { return takesTone.contains(last) }
      return mark == cluster.count - 1 && mark > 0 && takesTone.contains(cluster[mark - 1])
    case .emojiAfterZWJ, .emojiBaseAfterZWJ: return last == .zeroWidthJoiner
    case .regionalIndicator: return cluster == [.regionalIndicator]
    default: return false
    }
  }

  /// Texts near the limits, of characters that are hard to cut.
  static func randomText(using random: inout SeededGenerator) -> String {
    let plain = ["a", "0", " ", "é", "Ω", "\n", "\r", "\r\n", "@"]
    let extended = ["{", "€", "\u{0C}", "]"]
    let wide = [
      "\u{201C}", "ж", "ب", "、",
      "中", "ç", "😜", "🇮🇹", "🇮", "👨‍👩‍👧", "👍🏽", "🏳️‍🌈", "e\u{301}", "\u{301}", "\u{200D}", "각", "\u{1112}\u{1161}\u{11AB}", "नि",
      "क्ष",
      "\u{FE0F}", "\u{0600}", "\t", "ก็", "1️⃣",
    ]
    let kind = Int.random(in: 0..<4, using: &random)
    let pool = [plain, plain + extended, wide, plain + extended + wide][kind]
    // One character repeated, most of the time, so that a part's end meets every remainder.
    let filler = pool.randomElement(using: &random)!
    let length = Int.random(in: 0..<(kind < 2 ? 330 : 150), using: &random)
    var text = ""
    for _ in 0..<length {
      text += Int.random(in: 0..<4, using: &random) == 0 ? pool.randomElement(using: &random)! : filler
    }
    return text
  }
}
