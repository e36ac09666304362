/// What each character costs in GSM 03.38 (3GPP TS 23.038, 6.2.1): 1 septet in the default alphabet, 2 in the extension
/// table, 0 when it is in neither.
///
/// The two tables are as they stand in the specification: no Ç for ç, no ESC, and no national language tables, which
/// hardly any provider sends.
enum GSM0338 {
  static func septets(ascii byte: UInt8) -> Int {
    let bit = UInt64(1) << UInt64(byte & 63)
    let isUpper = byte >= 64
    if (isUpper ? basicHigh : basicLow) & bit != 0 { return 1 }
    return (isUpper ? extendedHigh : extendedLow) & bit != 0 ? 2 : 0
  }

  /// Whether eight bytes are of space to Z and a to z, which cost a septet each, and are what most texts are made of. A
  /// look at all of them at once; false says nothing of what each costs.
  static func areBasic(_ eight: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    // In each of these the top bit of a byte says something: it is no ASCII; it is below a space (a borrow may come from a
    // byte below, but only from one that is itself too small); it is one of [ \ ] ^ _ and { | } ~ DEL, whose lower five
    // bits are 27 and more; it is a backtick.
    let belowSpace = eight &- ones &* 0x20
    let isLate = ((eight & (ones &* 0x1F)) &+ ones &* 5) << 2 & eight << 1
    let isBacktick = (eight ^ ones &* 0x60) &- ones
    return (eight | belowSpace | isLate | isBacktick) & (ones &* 0x80) == 0
  }

  /// - Parameter pair: a scalar's two bytes of UTF-8, the first in the upper half.
  static func septets(twoByte pair: UInt16) -> Int {
    switch pair {
    case 0xC2A1, 0xC2A3, 0xC2A4, 0xC2A5, 0xC2A7, 0xC2BF: 1  // ¡ £ ¤ ¥ § ¿
    case 0xC384, 0xC385, 0xC386, 0xC387, 0xC389, 0xC391: 1  // Ä Å Æ Ç É Ñ
    case 0xC396, 0xC398, 0xC39C, 0xC39F, 0xC3A0, 0xC3A4: 1  // Ö Ø Ü ß à ä
    case 0xC3A5, 0xC3A6, 0xC3A8, 0xC3A9, 0xC3AC, 0xC3B1: 1  // å æ è é ì ñ
    case 0xC3B2, 0xC3B6, 0xC3B8, 0xC3B9, 0xC3BC: 1  // ò ö ø ù ü
    case 0xCE93, 0xCE94, 0xCE98, 0xCE9B, 0xCE9E: 1  // Γ Δ Θ Λ Ξ
    case 0xCEA0, 0xCEA3, 0xCEA6, 0xCEA8, 0xCEA9: 1  // Π Σ Φ Ψ Ω
    default: 0
    }
  }

  // One bit for each ASCII character, the lowest for the first of the 64: tables that sit in registers. They are literals
  // because Swift would ask at each character whether a computed table is there yet. The tests check them.

  // LF, CR, and space to ?
  private static let basicLow: UInt64 = 0xFFFF_FFFF_0000_2400
  // @, the letters, and _
  private static let basicHigh: UInt64 = 0x07FF_FFFE_87FF_FFFF
  // Form feed.
  private static let extendedLow: UInt64 = 0x0000_0000_0000_1000
  // [ \ ] ^ { | } ~
  private static let extendedHigh: UInt64 = 0x7800_0000_7800_0000
}
