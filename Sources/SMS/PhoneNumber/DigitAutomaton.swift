/// Sets of digit sequences, as one automaton that all countries share. It never looks at a digit twice, and needs no memory.
///
/// A state is the index of its first arc in ``arcs``; its other arcs follow. State 0 has none. An arc holds, from its lowest
/// bit on: the ten digits that it is for, one bit each; whether it is its state's last; whether the sequence may end behind
/// it; and, from bit 12 on, the state that it leads to.
enum DigitAutomaton {
  private static let last: UInt32 = 1 << 10
  private static let accepts: UInt32 = 1 << 11

  /// Whether the digits, in ASCII, are one of the sequences that start at the state.
  static func accepts(_ digits: ArraySlice<UInt8>, from state: UInt16) -> Bool {
    var state = Int(state)
    var isAccepted = false
    for digit in digits {
      guard let arc = arc(for: digit, from: state) else { return false }
      isAccepted = arc & accepts != 0
      state = Int(arc >> 12)
    }
    return isAccepted
  }

  /// Calls `body` with the length of each sequence that the digits begin with, the shortest first.
  static func forEachPrefix(of digits: ArraySlice<UInt8>, from state: UInt16, _ body: (Int) -> Void) {
    var state = Int(state)
    var length = 0
    for digit in digits {
      guard let arc = arc(for: digit, from: state) else { return }
      length += 1
      if arc & accepts != 0 { body(length) }
      state = Int(arc >> 12)
    }
  }

  private static func arc(for digit: UInt8, from state: Int) -> UInt32? {
    guard state != 0 else { return nil }
    let bit: UInt32 = 1 << UInt32(digit & 15)
    var index = state
    while true {
      let arc = arcs[index]
      if arc & bit != 0 { return arc }
      if arc & last != 0 { return nil }
      index += 1
    }
  }
}
