/// What there is to know of a text's segments before it is sent: how they are filled, and what keeps the text out of
/// GSM 03.38, in which more than twice as much fits into one.
package struct SegmentReport: Sendable {
  /// A character outside GSM 03.38.
  package struct ForeignCharacter: Sendable {
    package let scalar: Unicode.Scalar
    /// Where it stands first, in scalars from 1.
    package let position: Int
    package fileprivate(set) var count: Int
    /// What GSM 03.38 has for it: nearly the same to a reader. Empty where nobody would miss it; nil where there is nothing.
    package let substitute: String?
    /// Whether ``substitute`` stands for the letter before it as well: `é` for an e and its accent.
    package let isCombined: Bool

    /// Unicode's name, such as `RIGHT SINGLE QUOTATION MARK`; empty for what has none and is no control character.
    package var name: String {
      if scalar == "\t" { return "TAB" }
      return scalar.properties.name ?? (scalar.properties.generalCategory == .control ? "CONTROL CHARACTER" : "")
    }
  }

  package let segmentation: Segmentation
  /// The units in each segment.
  package let parts: [Int]
  /// How many more units the last segment takes.
  package let unitsLeft: Int
  /// The different characters outside GSM 03.38, in the order in which they come; none for a text in `gsm7`.
  package let foreign: [ForeignCharacter]
  /// The text with its substitutes; nil where one is missing, or none is needed.
  package let substituted: String?
  /// UTF-16 code units, whatever the encoding: what mainland Chinese providers call characters. They bill 70 of them as one
  /// message and each 67 of a longer text, Latin letters as Chinese ones; see ``mainlandSegments``.
  package let utf16Units: Int

  /// What mainland Chinese providers bill, without a signature (Aliyun's "Message sending rules", Tencent Cloud's "Billing
  /// Overview").
  package var mainlandSegments: Int { utf16Units <= 70 ? 1 : (utf16Units + 66) / 67 }

  /// - Throws: `empty_text`, `invalid_text`: what no message may hold. A text of any length has a report.
  package init(of text: String) throws(MessageError) {
    segmentation = try TextMessage.segmentation(ofAnyLength: text.utf8Span)
    parts = Segmentation.parts(of: text)
    let capacity =
      parts.count == 1
      ? Segmentation.capacity(alone: segmentation.encoding) : Segmentation.capacity(ofPart: segmentation.encoding)
    unitsLeft = max(0, capacity - (parts.last ?? 0))
    utf16Units = text.utf16.count
    (foreign, substituted) = segmentation.encoding == .gsm7 ? ([], nil) : Self.foreign(in: text)
  }

  private static func foreign(in text: String) -> ([ForeignCharacter], String?) {
    struct Key: Hashable {
      let scalar: Unicode.Scalar
      let substitute: String?
    }
    var foreign: [ForeignCharacter] = []
    var places: [Key: Int] = [:]
    var substituted: String.UnicodeScalarView? = .init()
    var previous: Unicode.Scalar?
    for (index, scalar) in text.unicodeScalars.enumerated() {
      defer { previous = scalar }
      if GSM0338.contains(scalar) {
        substituted?.append(scalar)
        continue
      }
      let letter = previous.flatMap { GSM0338.letter($0, with: scalar) }
      let substitute = letter ?? GSM0338.substitute(for: scalar)
      if letter != nil { substituted?.removeLast() }
      if let substitute {
        substituted?.append(contentsOf: substitute.unicodeScalars)
      } else {
        substituted = nil
      }
      let key = Key(scalar: scalar, substitute: substitute)
      if let place = places[key] {
        foreign[place].count += 1
      } else {
        places[key] = foreign.count
        foreign.append(
          ForeignCharacter(
            scalar: scalar,
            position: index + 1,
            count: 1,
            substitute: substitute,
            isCombined: letter != nil
          )
        )
      }
    }
    return (foreign, substituted.map { String($0) })
  }
}
