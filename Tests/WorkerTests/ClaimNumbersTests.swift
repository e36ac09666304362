import TestSupport
import Testing

@testable import Worker

@Suite struct ClaimNumbersTests {
  @Test("A million claims that come in order and are settled in any order are known as long as they are not settled")
  func random() {
    var random = SeededGenerator(seed: 16)
    var numbers = ClaimNumbers()
    var known: Set<Int> = []
    var next = 0
    while next < 1_000_000 {
      let count = Int.random(in: 0...500, using: &random)
      numbers.insert(next..<next + count)
      known.formUnion(next..<next + count)
      next += count
      // Some stay for long, as with a gateway that hangs.
      for number in known.sorted() where Int.random(in: 0..<10, using: &random) > 0 || number < next - 200_000 {
        numbers.remove(number)
        known.remove(number)
      }
      #expect(numbers.count == known.count)
    }
    #expect(numbers.all == known.sorted())
    for number in [-1, 0, next - 1, next, next + 1_000] + known {
      #expect(numbers.contains(number) == known.contains(number))
    }
  }

  @Test("To insert one twice, or to remove one that is not there, changes nothing")
  func twice() {
    var numbers = ClaimNumbers()
    numbers.insert(70..<73)
    numbers.insert(71..<74)
    numbers.remove(5)
    numbers.remove(1_000)
    numbers.remove(72)
    numbers.remove(72)
    #expect(numbers.all == [70, 71, 73] && numbers.count == 3)
  }
}
