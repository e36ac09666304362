/// What GSM 03.38 has for characters outside of it that come into texts unnoticed: from word processors, from telephones that
/// "correct" quotation marks, from web pages, from file names of a Mac.
extension GSM0338 {
  static func contains(_ scalar: Unicode.Scalar) -> Bool {
    Segmentation(of: String(Character(scalar))).encoding == .gsm7
  }

  /// Nearly the same to a reader; empty for what nobody sees. Letters have none: another letter would be another word.
  static func substitute(for scalar: Unicode.Scalar) -> String? {
    switch scalar.value {
    // Tab, the no-break space, and spaces of other widths; the ideographic one.
    case 0x09, 0xA0, 0x2000...0x200A, 0x202F, 0x205F, 0x3000: " "
    // Other ends of lines.
    case 0x0B, 0x85, 0x2028, 0x2029: "\n"
    // The soft hyphen, zero-width spaces, marks of the writing direction, a byte order mark. Not ZWJ, which makes emoji.
    case 0xAD, 0x200B, 0x200E, 0x200F, 0x202A...0x202E, 0x2060, 0x2066...0x2069, 0xFEFF: ""
    // ` ´ ʹ ʼ ˈ ‘ ’ ‚ ‛ ′ ‵
    case 0x60, 0xB4, 0x2B9, 0x2BC, 0x2C8, 0x2018...0x201B, 0x2032, 0x2035: "'"
    // « » ʺ “ ” „ ‟ ″ ‶ 〝 〞 〟
    case 0xAB, 0xBB, 0x2BA, 0x201C...0x201F, 0x2033, 0x2036, 0x301D...0x301F: "\""
    // ‐ ‑ ‒ – — ― ⁃ −
    case 0x2010...0x2015, 0x2043, 0x2212: "-"
    // · • ‧ ∙
    case 0xB7, 0x2022, 0x2027, 0x2219: "*"
    case 0x2026: "..."
    case 0x2039: "<"
    case 0x203A: ">"
    case 0xD7: "x"
    case 0xA9: "(C)"
    case 0xAE: "(R)"
    case 0x2122: "TM"
    // ASCII as wide as a Chinese character.
    case 0xFF01...0xFF5E:
      Unicode.Scalar(scalar.value - 0xFEE0).flatMap { contains($0) ? String(Character($0)) : substitute(for: $0) }
    // The same letter by another number: the Ohm and the Ångström sign.
    default: letter(Character(scalar))
    }
  }

  /// The letter that a letter and a mark behind it are, where GSM 03.38 has it.
  static func letter(_ base: Unicode.Scalar, with mark: Unicode.Scalar) -> String? {
    var text = String.UnicodeScalarView()
    text.append(base)
    text.append(mark)
    let characters = String(text)
    return characters.count == 1 ? letter(Character(characters)) : nil
  }

  /// Equal as Unicode has it (canonical equivalence), which is how Swift compares characters.
  private static func letter(_ character: Character) -> String? {
    letters.firstIndex(of: character).map { String(letters[$0]) }
  }

  private static let letters: Set<Character> = Set("ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ")
}
