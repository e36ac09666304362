// How many SMS a text takes, which is what providers bill.
//
// One SMS carries 140 octets: 160 septets of GSM 03.38, or 70 code units of UCS-2. A longer text is cut into parts, each
// with 6 octets of header, which leaves 153 septets or 67 units (3GPP TS 23.038 and 23.040). One character outside GSM
// 03.38 turns the whole text to UCS-2. No character is cut in two, so the count is not a division: an extension
// character (two septets) or an emoji that does not fit any more leaves the rest of its part empty.
//
// The counts are those of Twilio's public calculator, which does not cut grapheme clusters either (a flag, a family, an
// e with a separate accent); CR LF alone is two characters there. `GraphemeClusters` has its rules, which no compiler
// changes. It differs in one point: clusters of more than 32 units, which no text that is meant to be read has, can make a
// part overfull there, and are cut here where they are longer than one, as the network must.

/// A text's encoding and how many SMS it takes.
package struct Segmentation: Hashable, Sendable {
  package enum Encoding: String, Hashable, Sendable {
    /// GSM 03.38's default alphabet and extension table, in septets.
    case gsm7
    /// UTF-16 in fact, as every telephone reads it.
    case ucs2
  }

  package let encoding: Encoding
  /// What the text takes up, in septets or UTF-16 code units, without headers and unused ends of parts.
  package let units: Int
  /// The number of SMS, at least 1: an empty text is one empty SMS.
  package let segments: Int

  /// What one SMS carries alone, in units (3GPP TS 23.038).
  package static func capacity(alone encoding: Encoding) -> Int { encoding == .gsm7 ? 160 : 70 }

  /// What one SMS carries as a part of a longer text, in units: 6 octets are its header's.
  package static func capacity(ofPart encoding: Encoding) -> Int { encoding == .gsm7 ? 153 : 67 }

  /// Counts without allocating; a text of one SMS, as most are, in one pass.
  package init(of text: String) { self.init(of: text.utf8Span) }

  init(of text: UTF8Span) {
    if let gsm = Self(gsm: text.span) {
      self = gsm
    } else {
      self.init(ucs2: text)
    }
  }

  /// The units that each SMS of the text carries, in order.
  package static func parts(of text: String) -> [Int] {
    let counted = Self(of: text)
    if counted.segments == 1 { return [counted.units] }
    var parts: [Int] = []
    switch counted.encoding {
    case .gsm7: _ = gsmParts(of: text.utf8Span.span) { parts.append($0) }
    case .ucs2: _ = ucs2Parts(of: text.utf8Span) { parts.append($0) }
    }
    return parts
  }

  /// - Parameter limit: the segments of `--max-segments`, or ``TextMessage/maximumSegments``.
  /// - Throws: `text_too_long`.
  package func check(atMost limit: Int) throws(MessageError) {
    if segments <= limit { return }
    throw MessageError(
      .textTooLong,
      limit == TextMessage.maximumSegments
        ? "the text takes \(segments) segments and the most that a telephone can join is \(limit): shorten it, or send "
          + "several messages"
        : "the text takes \(segments) segments and --max-segments is \(limit): shorten it, send several messages, or allow "
          + "more"
    )
  }

  private init(encoding: Encoding, units: Int, segments: Int) {
    self.encoding = encoding
    self.units = units
    self.segments = segments
  }

  /// Nil if the text has a character outside GSM 03.38.
  private init?(gsm bytes: Span<UInt8>) {
    var units = 0
    var index = 0
    let raw = bytes.bytes
    while index < bytes.count {
      // Never out of bounds: eight bytes are left. All bit patterns are a UInt64.
      if index + 8 <= raw.byteCount,
        GSM0338.areBasic(unsafe raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
      {
        units += 8
        index += 8
        continue
      }
      let (septets, length) = Self.gsmCharacter(at: index, of: bytes)
      if septets == 0 { return nil }
      units += septets
      index += length
    }
    self.init(encoding: .gsm7, units: units, segments: units <= 160 ? 1 : Self.gsmParts(of: bytes))
  }

  /// Fills part after part, with no extension character cut in two. Only for a text of GSM 03.38.
  ///
  /// - Parameter ended: called with the units of each part.
  private static func gsmParts(of bytes: Span<UInt8>, ended: (Int) -> Void = { _ in }) -> Int {
    var segments = 1
    var used = 0
    var index = 0
    while index < bytes.count {
      let (septets, length) = gsmCharacter(at: index, of: bytes)
      used += septets
      if used > 153 {
        ended(used - septets)
        segments += 1
        used = septets
      }
      index += length
    }
    ended(used)
    return segments
  }

  /// The septets of the character that starts here, 0 for one outside GSM 03.38, and its bytes in UTF-8.
  private static func gsmCharacter(at index: Int, of bytes: Span<UInt8>) -> (septets: Int, length: Int) {
    let byte = bytes[index]
    if byte < 0x80 { return (GSM0338.septets(ascii: byte), 1) }
    // Valid UTF-8, so a lead byte below E0 has one more byte behind it, and E2 two.
    if byte < 0xE0 { return (GSM0338.septets(twoByte: UInt16(byte) << 8 | UInt16(bytes[index + 1])), 2) }
    let isEuro = byte == 0xE2 && bytes[index + 1] == 0x82 && bytes[index + 2] == 0xAC
    return (isEuro ? 2 : 0, 3)
  }

  private init(ucs2 text: UTF8Span) {
    let bytes = text.span
    var units = 0
    for index in bytes.indices { units += Self.utf16Units(startedBy: bytes[index]) }
    let segments =
      if units <= 70 {
        1
      } else if Self.arePlain(text) {
        (units + 66) / 67
      } else {
        Self.ucs2Parts(of: text)
      }
    self.init(encoding: .ucs2, units: units, segments: segments)
  }

  private static func arePlain(_ text: UTF8Span) -> Bool {
    var scalars = text.makeUnicodeScalarIterator()
    while let scalar = scalars.next() {
      if !isPlain(scalar) { return false }
    }
    return true
  }

  /// Whether the scalar is one code unit, and no cluster joins two of its kind. Enough scalars to spare most long texts
  /// the search for clusters, which takes ten times as long as all the rest.
  static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    // Latin, the quotation marks and dashes that word processors write, kana and their punctuation, Chinese.
    case 0...0x2FF, 0x2010...0x2027, 0x3001...0x3029, 0x3041...0x3096, 0x30A1...0x30FA, 0x4E00...0x9FFF: true
    // Fullwidth forms; Greek, Cyrillic and Armenian but for Cyrillic's combining marks; Arabic letters; Korean.
    case 0xFF01...0xFF60, 0x370...0x482, 0x48A...0x58F, 0x620...0x64A, 0xAC00...0xD7A3: true
    default: false
    }
  }

  /// Fills part after part with whole grapheme clusters.
  ///
  /// - Parameter ended: called with the units of each part.
  private static func ucs2Parts(of text: UTF8Span, ended: (Int) -> Void = { _ in }) -> Int {
    let bytes = text.span
    var segments = 1
    var used = 0
    func add(_ units: Int) {
      if used + units > 67 {
        ended(used)
        segments += 1
        used = 0
      }
      used += units
    }
    var scalars = text.makeUnicodeScalarIterator()
    var clusters = GraphemeClusters()
    var start = 0
    var units = 0
    func endCluster(at end: Int) {
      if units <= 67 { return add(units) }
      for index in start..<end { add(utf16Units(startedBy: bytes[index])) }
    }
    var end = 0
    while let scalar = scalars.next() {
      if !clusters.joinsNext(GraphemeBreak(of: scalar)) {
        endCluster(at: end)
        start = end
        units = 0
      }
      units += UTF16.width(scalar)
      end = scalars.currentCodeUnitOffset
    }
    endCluster(at: end)
    ended(used)
    return segments
  }

  /// The UTF-16 code units of the scalar that this byte of UTF-8 starts; 0 for a byte in the middle of one.
  private static func utf16Units(startedBy byte: UInt8) -> Int {
    (byte & 0xC0 == 0x80 ? 0 : 1) + (byte >= 0xF0 ? 1 : 0)
  }
}
