/// The numbers of the claims that one life has in hand, or on their way to be settled. A pure value.
///
/// A life numbers its claims as they come, so this is a window of bits: a few instructions for a claim, and a byte of memory
/// for every eight from the oldest one on.
struct ClaimNumbers: Sendable {
  /// The number of the first bit; a multiple of 64.
  private var base = 0
  private var words: [UInt64] = []
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// Whether a number is in it.
  func contains(_ number: Int) -> Bool {
    let word = (number - base) >> 6
    return number >= base && word < words.count && words[word] & (1 << UInt64(number & 63)) != 0
  }

  /// Takes in numbers that are greater than all before, or that are in it already.
  mutating func insert(_ numbers: Range<Int>) {
    if isEmpty {
      base = numbers.lowerBound & ~63
      words.removeAll(keepingCapacity: true)
    }
    for number in numbers where number >= base {
      let word = (number - base) >> 6
      while words.count <= word { words.append(0) }
      let bit = 1 << UInt64(number & 63) as UInt64
      if words[word] & bit == 0 {
        words[word] |= bit
        count += 1
      }
    }
  }

  mutating func remove(_ number: Int) {
    guard contains(number) else { return }
    let word = (number - base) >> 6
    words[word] &= ~(1 << UInt64(number & 63))
    count -= 1
    // Not word by word: that would move the others each time.
    guard words[word] == 0, words.count >= 16, let first = words.firstIndex(where: { $0 != 0 }),
      first >= words.count / 2
    else { return }
    words.removeFirst(first)
    base += first << 6
  }

  /// All of them, in ascending order.
  var all: [Int] {
    words.enumerated().flatMap { index, word in
      (0..<64).filter { word & (1 << UInt64($0)) != 0 }.map { base + index << 6 + $0 }
    }
  }
}
