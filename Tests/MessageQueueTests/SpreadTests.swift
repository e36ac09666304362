import Testing

@testable import MessageQueue

/// Over how many shards pushes go, and which one a message goes to.
@Suite struct SpreadTests {
  @Test(
    "An id has the same shard on every machine and for ever",
    arguments: [
      ("", [0, 1, 1, 1, 90]), ("a", [0, 1, 2, 2, 31]), ("order-1", [0, 1, 1, 6, 66]), ("order-2", [0, 0, 0, 4, 45]),
      ("验证码-7", [0, 1, 2, 2, 90]),
    ]
  )
  func shards(id: String, expected: [Int]) {
    // Computed by an implementation in another language.
    #expect([1, 2, 3, 8, 128].map { Spread(generation: 1, shards: $0).shard(of: id) } == expected)
  }

  @Test("Ids that count up are spread evenly", arguments: [2, 3, 6, 8])
  func even(shards: Int) {
    let spread = Spread(generation: 1, shards: shards)
    var counts = [Int](repeating: 0, count: shards)
    for number in 0..<20_000 { counts[spread.shard(of: "order-\(number)")] += 1 }
    #expect(counts.allSatisfy { abs(Double($0 * shards) / 20_000 - 1) < 0.05 }, "\(counts)")
  }

  @Test("With one shard more, ids move to that one alone")
  func moves() {
    let (seven, eight) = (Spread(generation: 1, shards: 7), Spread(generation: 2, shards: 8))
    let moved = (0..<8_000).map { "m\($0)" }.filter { seven.shard(of: $0) != eight.shard(of: $0) }
    #expect((800...1_200).contains(moved.count))
    #expect(moved.allSatisfy { eight.shard(of: $0) == 7 })
  }

  @Test("The later change is the greater one; what nobody of ours wrote counts as none")
  func text() {
    let four = Spread(generation: 3, shards: 4)
    #expect(four.text == "3:4" && Spread(text: "3:4") == four)
    #expect(Spread.unsharded.text == "" && Spread.unsharded < four)
    #expect(four < Spread(generation: 4, shards: 1) && four < Spread(generation: 3, shards: 5))
    for text in ["", "8", "x:8", "0:8", "3:0", "3:-1", "3:4:5", ":", "3:4 "] {
      #expect(Spread(text: text) == .unsharded, "\(text)")
    }
    #expect(Spread(text: "3:500").shards == Spread.mostShards)
  }

  @Test("A bound for the whole queue is shared, rounded up, and none stays none")
  func part() {
    let spread = Spread(generation: 1, shards: 8)
    #expect([0, 1, 8, 9, 100].map(spread.part) == [0, 1, 1, 2, 13])
  }

  @Test(
    "What could be a shard's name is told from what could not",
    arguments: [
      ("sms.3", "sms 3"), ("a.b.12", "a.b 12"), ("sms", nil), ("sms.0", nil), ("sms.03", nil), ("sms.128", nil),
      ("sms.x", nil), (".3", nil), ("sms.", nil),
    ]
  )
  func names(name: String, expected: String?) throws {
    let name = try #require(QueueName(name))
    #expect(name.asShard.map { "\($0.queue) \($0.number)" } == expected)
    #expect(name.shard(0) == name && name.shard(7).description == "\(name).7")
  }
}
