/// Over how many shards pushes to a queue are spread, and which of all such numbers that is.
///
/// Each shard keeps one, for the script `enqueue` to compare with what a pusher knows. They cannot be changed at the same moment,
/// because shards may lie on different servers. So each change has a number of its own, the generation, and the greater one is
/// right: whoever meets a shard with a lesser one raises it (``MessageQueue/raise(_:)``), be it the command that makes the change
/// or, should that be interrupted, a pusher.
package struct Spread: Sendable, Hashable, Comparable {
  /// The most shards that a queue may have. For each of them a worker holds four connections, and 1,024 files may be open in a
  /// process where nobody has asked for more (`ulimit -n`).
  package static let mostShards = 128

  /// Counts the changes, from 0 for a queue that was never sharded.
  package let generation: Int
  /// 1...``mostShards``.
  package let shards: Int

  /// A queue that was never sharded has no such key.
  package static let unsharded = Spread(generation: 0, shards: 1)

  package init(generation: Int, shards: Int) {
    self.generation = generation
    self.shards = min(max(shards, 1), Self.mostShards)
  }

  /// What comes after this.
  package func changed(to shards: Int) -> Spread { Spread(generation: generation + 1, shards: shards) }

  package static func < (a: Spread, b: Spread) -> Bool { (a.generation, a.shards) < (b.generation, b.shards) }

  // MARK: As Redis keeps it

  /// `<generation>:<shards>`, or nothing for a queue that was never sharded.
  package var text: String { self == .unsharded ? "" : "\(generation):\(shards)" }

  /// What no script of ours has written counts as nothing.
  package init(text: String) {
    let numbers = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let generation = numbers[0], let shards = numbers[1], generation > 0, shards > 0 else {
      self = .unsharded
      return
    }
    self.init(generation: generation, shards: shards)
  }

  // MARK: Which shard

  /// The shard of messages with this id, from 0.
  ///
  /// FNV-1a of its bytes, 64 bits, spread by jump consistent hashing (Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash
  /// Algorithm", 2014): where a queue grows from seven shards to eight, one id of eight moves, and all of these to the eighth.
  package func shard(of id: String) -> Int {
    if shards == 1 { return 0 }
    var key: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in id.utf8 { key = (key ^ UInt64(byte)) &* 0x100_0000_01b3 }
    var (shard, next) = (0, 0)
    while next < shards {
      shard = next
      key = key &* 2_862_933_555_777_941_757 &+ 1
      // A double is exact enough for some 2^53, and this is not more than 2^31 times the most shards.
      next = Int(Double(shard + 1) * (Double(1 << 31) / Double((key >> 33) + 1)))
    }
    return shard
  }

  /// A shard's part of a number that is for the whole queue, rounded up. 0, for no bound, stays 0.
  package func part(of number: Int) -> Int { (number + shards - 1) / shards }
}
