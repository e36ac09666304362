/// What a scalar does to the grapheme cluster before or behind it: the property Grapheme_Cluster_Break of Unicode 10.0.0.
///
/// Not Swift's clusters, which follow Unicode from release to release: a text would cost more or less after an update of the
/// compiler. What Unicode added since (Indic conjuncts, newer emoji) counts as it does for Twilio's calculator.
enum GraphemeBreak: UInt8, CaseIterable {
  case other
  /// CR and LF as well: each stands alone.
  case control
  /// A mark that belongs to what stands before it.
  case extend
  case zeroWidthJoiner
  case spacingMark
  /// Belongs to what stands behind it.
  case prepend
  /// One half of a flag.
  case regionalIndicator
  case hangulL, hangulV, hangulT, hangulLV, hangulLVT
  /// An emoji that takes a skin tone.
  case emojiBase
  /// One that takes a skin tone and is also joined by ZWJ: man, woman, boy, girl.
  case emojiBaseAfterZWJ
  /// A skin tone.
  case emojiModifier
  /// An emoji that is joined by ZWJ.
  case emojiAfterZWJ

  init(of scalar: Unicode.Scalar) {
    // Most of what stands between emoji and marks, without a search.
    switch scalar.value {
    case 0x20...0x7E, 0xAE...0x2FF, 0x4E00...0x9FFF:
      self = .other
      return
    default: break
    }
    let runs = Self.runs
    // The last run that begins at the scalar or before it; the first one begins at 0.
    var low = 0
    var high = runs.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if runs[middle] >> 4 <= scalar.value { low = middle } else { high = middle }
    }
    switch UInt8(truncatingIfNeeded: runs[low] & 15) {
    // The table has all Hangul syllables as one run: every 28th is one without a final consonant.
    case Self.hangulLV.rawValue: self = (scalar.value - 0xAC00).isMultiple(of: 28) ? .hangulLV : .hangulLVT
    case let value: self = Self(rawValue: value) ?? .other
    }
  }
}

/// Tells scalar after scalar of a text whether it goes on with a grapheme cluster or begins the next.
///
/// The rules are those of grapheme-splitter 1.0.4, by which Twilio's calculator divides texts: Unicode 10.0's (UAX #29), with
/// its own readings of them where marks stand behind an emoji or a flag.
struct GraphemeClusters {
  private var length = 0
  private var previous = GraphemeBreak.control
  private var beforePrevious = GraphemeBreak.control
  private var hasExtend = false
  /// Whether the cluster's second scalar is half a flag.
  private var isFlag = false

  /// Takes the next scalar's class. True if it belongs to the cluster of those before it.
  mutating func joinsNext(_ next: GraphemeBreak) -> Bool {
    let isJoined = length > 0 && joins(next)
    if !isJoined { self = Self() }
    length += 1
    beforePrevious = previous
    previous = next
    hasExtend = hasExtend || next == .extend
    isFlag = isFlag || length == 2 && next == .regionalIndicator
    return isJoined
  }

  /// GB3 to GB999 of UAX #29 for what is inside a cluster. CR LF is two, as it is to the calculator.
  private func joins(_ next: GraphemeBreak) -> Bool {
    // Only one mark is kept at a flag.
    if isFlag && previous != .regionalIndicator { return false }
    if next == .other { return previous == .prepend }
    switch (previous, next) {
    case (.control, _), (_, .control): return false
    case (.hangulL, .hangulL), (.hangulL, .hangulV), (.hangulL, .hangulLV), (.hangulL, .hangulLVT): return true
    case (.hangulLV, .hangulV), (.hangulLV, .hangulT), (.hangulV, .hangulV), (.hangulV, .hangulT): return true
    case (.hangulLVT, .hangulT), (.hangulT, .hangulT): return true
    case (_, .extend), (_, .zeroWidthJoiner), (_, .spacingMark), (.prepend, _): return true
    // A skin tone goes to the emoji before it, or before the one mark between them; once there were marks, to no other.
    case (_, .emojiModifier):
      return hasExtend ? previous == .extend && beforePrevious.takesSkinTone : previous.takesSkinTone
    case (.zeroWidthJoiner, .emojiAfterZWJ), (.zeroWidthJoiner, .emojiBaseAfterZWJ): return true
    case (.regionalIndicator, .regionalIndicator): return length == 1
    default: return false
    }
  }
}

extension GraphemeBreak {
  fileprivate var takesSkinTone: Bool { self == .emojiBase || self == .emojiBaseAfterZWJ }
}
